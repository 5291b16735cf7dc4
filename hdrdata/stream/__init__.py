"""Stacks out of shards: by number, checked, from a disk, a web server or a store."""
