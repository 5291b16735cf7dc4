"""A sample of a shard: its members, where they lie in a tar, the lossless codec of its radiance."""
