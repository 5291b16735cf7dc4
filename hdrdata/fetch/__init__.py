"""Downloads: HDR files that others publish, into a folder of scenes."""
