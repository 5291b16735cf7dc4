"""Camera responses, recipes of exposures, the photographing of a view, and its undoing."""
