"""The weights that come with the package: what they were trained on, how, and how good they are."""
