"""Scores as files, and their intervals."""
