"""HDR files of a folder, known by content, each group in one part."""
