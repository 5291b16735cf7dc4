"""HDR images in; nine-exposure LDR stacks through camera response functions, and WebDataset shards of them, out."""
