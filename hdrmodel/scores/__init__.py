"""Scores as files, their intervals, and the comparison of two folders of them."""
