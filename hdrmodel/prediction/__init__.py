"""Photographs in files to HDR files."""
