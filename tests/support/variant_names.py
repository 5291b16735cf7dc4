"""The variants by what their networks do."""

from hdrmodel.networks.variants import VARIANTS

GENERATING = [name for name, variant in VARIANTS.items() if variant.reads == "exposures"]  # HDR-AttNet
PREDICTING = [name for name, variant in VARIANTS.items() if variant.reads != "exposures"]  # light or radiance
