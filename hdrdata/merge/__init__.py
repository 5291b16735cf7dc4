"""Bracketed photographs of one camera position, merged into scenes."""
