"""Write a radiance map in formats that people can open."""
