"""Colours of a photograph: the meaning of its numbers, and their conversion to sRGB or light."""
