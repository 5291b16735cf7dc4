"""Verify a folder of shards, and repair what is damaged in it."""
