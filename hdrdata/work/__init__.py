"""Make only what is missing, in many processes or on a cluster."""
