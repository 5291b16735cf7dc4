"""Where scenes come from: downloads, catalogs, bracketed photographs merged."""
