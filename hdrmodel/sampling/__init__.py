"""Training samples out of shards, each a pure function of its position."""
