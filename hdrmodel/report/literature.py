"""Published numbers of others, for the rows of the report beside ours."""

# Renk and Ciftci, "Single-Image HDR Reconstruction with Attention-Driven Autoencoder" (HDR-AttNet), 2025, Table 3:
# PSNR in dB, SSIM and LPIPS by attention on the test part of DrTMO. The paper does not state which pictures were
# measured, nor after which alignment.
PAPER_SCORES = {
    "base": (21.50, 0.9130, 0.1090),
    "spatial": (22.30, 0.9310, 0.0928),
    "channel": (22.00, 0.9260, 0.1030),
    "bottleneck": (21.80, 0.9290, 0.0949),
    "se": (21.80, 0.9230, 0.1050),
    "self": (21.20, 0.9090, 0.1040),
}
PAPER_NAMES = {
    "base": "base",
    "spatial": "spatial",
    "channel": "channel",
    "bottleneck": "bottleneck",
    "se": "SE",
    "self": "self",
}
# The same, section 4.1: hours of training on one V100 16 GB, 200,000 steps of batch 8; the base is not given.
PAPER_HOURS = {"channel": 18.2, "spatial": 19.5, "bottleneck": 21.3, "se": 24.7, "self": 28.5}
PAPER_STEPS, PAPER_BATCH, PAPER_DEVICE = 200_000, 8, "one V100 16 GB"

# PU21-PSNR in dB by method, after a gain and after a CRF correction, on the part clip_95 of SI-HDR: the pictures of
# Hanji, Mantiuk, Eilertsen, Hajisharif and Unger, "Comparison of single image HDR reconstruction methods - the caveats
# of quality assessment", SIGGRAPH 2022.
SI_HDR_CLIP_95 = (
    ("ExpandDiff-B", 22.61, 30.15),
    ("LDR input", 20.47, 27.93),
    ("ExpandNet", 19.17, 28.09),
    ("LEDiff-HL", 18.95, 26.45),
    ("MaskHDR", 18.77, 28.51),
)
AIM_2025_BEST = 34.49  # dB, PU21-PSNR, of the AIM 2025 challenge on inverse tone mapping
