"""Formats made of boxes (ISO 14496-12): HEIC, AVIF, JPEG 2000 and JPEG XL."""
