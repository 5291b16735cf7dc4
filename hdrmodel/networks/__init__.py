"""Any network by name: HDR-AttNet, its peers, pretrained trunks; weights and costs."""
