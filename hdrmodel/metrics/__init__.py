"""How near a picture comes to its reference, after which alignment."""
