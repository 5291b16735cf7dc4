"""Metrics between an image and its reference, and alignments before them."""
