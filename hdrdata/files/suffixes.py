"""Names of files by what they hold."""

RADIANCE_SUFFIXES = (".hdr", ".pic", ".rgbe", ".xyze")
HDR_SUFFIXES = (".exr", *RADIANCE_SUFFIXES, ".pfm", ".tif", ".tiff")
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)  # of cameras: merged to a scene first
UNREAD_SUFFIXES = (
    *(".avif", ".cin", ".dds", ".dpx", ".fits", ".hdp", ".heic", ".heif", ".jxl", ".jxr", ".ktx", ".ktx2", ".mxr"),
    *(".pfs", ".psb", ".psd", ".sxr", ".tx", ".vrimg", ".wdp"),
)  # may hold light beyond white, and are not read as scenes
