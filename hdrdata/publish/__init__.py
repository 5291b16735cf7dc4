"""What others see of a dataset: contents, statistics, preview, card, Croissant, sidecars, charts."""
