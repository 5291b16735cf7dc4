"""Stage ingest: square, normalised, half-float pictures of a scene."""
