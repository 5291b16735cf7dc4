"""What the numbers of a photograph mean as colours, and how they become sRGB or light."""
