"""The formats by name, without NumPy: their suffixes, and what the photograph's white is in each."""

PREVIEW_SIDE = 2048  # pixels; the operator takes about 60 bytes of memory a pixel

_PQ = "display light by SMPTE ST 2084, BT.2020 primaries; white is `nits`, full scale 10,000 cd/m2"
_HLG = "display light by HLG, BT.2020 primaries, for 1,000 cd/m2; white is `nits` (203: 75 %), full scale 1,000 cd/m2"

FORMAT_NAMES = {
    "exr": (".exr", "OpenEXR, half floats up to 65504; white is `white`"),
    "exr-float": (".exr", "OpenEXR, single floats; white is `white`"),
    "hdr": (".hdr", "Radiance RGBE, steps of 1/256 of the largest channel; white is `white`"),
    "ultrahdr": (
        ".jpg",
        "JPEG with a gain map (Ultra HDR); white is `nits` for a display's white of 203 cd/m2, up to 10,000 cd/m2",
    ),
    "avif-pq": (".avif", f"AVIF, 10 bits: {_PQ}"),
    "avif-hlg": (".avif", f"AVIF, 10 bits: {_HLG}"),
    "png-pq": (".png", f"PNG, 16 bits, cICP: {_PQ}"),
    "png-hlg": (".png", f"PNG, 16 bits, cICP: {_HLG}"),
    "preview": (
        ".preview.png",
        f"sRGB PNG, tone mapped by Reinhard and Devlin 2005, without a scale; at most {PREVIEW_SIDE} pixels a side",
    ),
}


def describe_formats() -> str:
    """A line for each format: its name, its suffix and what its numbers mean."""
    return "\n".join(f"{name:<10}{suffix:<14}{meaning}" for name, (suffix, meaning) in FORMAT_NAMES.items())
