"""DrTMO's folders, out and in."""
