"""One HTML page to look at an HDR image."""
