"""Description of a dataset for others: contents, statistics, preview, card, Croissant, sidecars, charts."""
