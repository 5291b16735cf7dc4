"""The report: one HTML page, complete in itself, of how every variant was trained and scored."""
