"""Files on disk: atomic writes, and images of every format, read with distrust."""
