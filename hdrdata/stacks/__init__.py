"""Stage synthesize: each view by each camera at each exposure."""
