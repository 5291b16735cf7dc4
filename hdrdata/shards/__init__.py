"""Stage shard: pack stacks, verify and repair what is packed; the four data stages as one act."""
