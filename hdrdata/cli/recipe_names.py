"""Names of recipes for help texts, without an import of NumPy; a test compares them with `RECIPES`."""

RECIPE_NAMES = ("drtmo", "srgb", "linear", "cameras", "measured", "hdrcnn", "singlehdr", "clipped")
