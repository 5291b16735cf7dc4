"""Names of files by what they hold."""

HDR_SUFFIXES = (".exr", ".hdr", ".pfm", ".tif", ".tiff")
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)  # of cameras: merged to a scene first


DISPLAY_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
