"""Write a radiance map in formats that people can open."""

from hdrmodel.outputs.bands import Scale
from hdrmodel.outputs.formats import FORMATS, Format, describe_formats, write_output

__all__ = ["FORMATS", "Format", "Scale", "describe_formats", "write_output"]
