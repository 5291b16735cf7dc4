"""HDR files by what they say of their own pixels: Radiance, TIFF, and the primaries that any may state."""
