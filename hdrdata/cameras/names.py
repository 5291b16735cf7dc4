"""The names of recipes, without NumPy: for help texts. The tests hold them to `hdrdata.cameras.recipe.RECIPES`."""

RECIPE_NAMES = ("drtmo", "srgb", "linear", "hdrcnn", "singlehdr", "clipped")
