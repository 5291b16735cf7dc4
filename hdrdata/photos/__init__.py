"""Anyone's photograph in: every format, orientation and colour."""
