"""Single-image HDR networks of other papers, trained and measured as the variants of HDR-AttNet are."""
