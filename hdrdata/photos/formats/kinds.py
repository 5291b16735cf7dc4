"""Kind of a photograph's file, by its first bytes."""

from pathlib import Path

WANTED = "expected JPEG, PNG, TIFF, WebP, HEIC, AVIF, JPEG XL, JPEG 2000, BMP, GIF, PPM or camera RAW"
KINDS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF",
    b"MM\0+": "TIFF", b"GIF8": "GIF", b"BM": "BMP", b"\0\0\0\x0cjP  ": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL", b"FUJIFILM": "camera RAW", b"IIU\0": "camera RAW",
    b"IIRO": "camera RAW", b"IIRS": "camera RAW", b"MMOR": "camera RAW", b"FOVb": "camera RAW",
    b"\0MRM": "camera RAW", **{b"P" + digit: "PPM" for digit in (b"1", b"2", b"3", b"4", b"5", b"6")},
}  # fmt: skip
LOSSY = ("JPEG", "WEBP", "HEIF", "AVIF", "JPEG 2000", "JPEG XL")  # for nearly all of their files
OTHERS = {b"%!PS": "EPS", b"\xc5\xd0\xd3\xc6": "EPS", b"%PDF": "PDF", b"8BPS": "Photoshop", b"v/1\x01": "OpenEXR",
          b"#?RADIANCE": "Radiance HDR", b"#?RGBE": "Radiance HDR", b"PF": "PFM", b"Pf": "PFM", b"qoif": "QOI",
          b"<svg": "SVG"}  # fmt: skip
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIF", b"heix": "HEIF", b"heim": "HEIF", b"heis": "HEIF",
          b"hevc": "HEIF", b"hevx": "HEIF", b"mif1": "HEIF", b"msf1": "HEIF", b"mif2": "HEIF",
          b"crx ": "camera RAW"}  # fmt: skip


def kind_of(path: Path, head: bytes) -> str:
    """A value of `KINDS`, "WEBP", "AVIF" or "HEIF", by the first 64 bytes.

    Raises:
        ValueError: naming the file, and what it is if that is known, if it is none of these.
    """
    if not head:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] in (b"II", b"MM") and head[8:10] == b"CR":
        return "camera RAW"
    if head[4:8] == b"ftyp":
        size = min(int.from_bytes(head[:4], "big"), len(head))
        brands = [head[8:12], *(head[place : place + 4] for place in range(16, size - 3, 4))]
        kinds = [BRANDS[brand] for brand in brands if brand in BRANDS]
        if not kinds:
            raise ValueError(f"{path}: a video or another file of boxes; {WANTED}")
        return "AVIF" if "AVIF" in kinds and kinds[0] != "camera RAW" else kinds[0]
    if other := next((name for magic, name in OTHERS.items() if head.startswith(magic)), None):
        raise ValueError(f"{path}: a {other} file; {WANTED}")
    kind = next((name for magic, name in KINDS.items() if head.startswith(magic)), None)
    if kind is None or (kind == "PPM" and head[2:3] not in (b" ", b"\n", b"\r", b"\t", b"#")):
        raise ValueError(f"{path}: not a readable picture; {WANTED}")
    return kind
