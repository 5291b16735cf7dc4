"""HDR-AttNet in PyTorch: the network and its attentions, losses, metrics and alignments."""
