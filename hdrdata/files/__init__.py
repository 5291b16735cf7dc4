"""What lies on a disk: whole-or-nothing writes, and pictures of every format, read with distrust."""
