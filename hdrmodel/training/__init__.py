"""Stage train: losses, one step, the loop, checkpoints, validation."""
