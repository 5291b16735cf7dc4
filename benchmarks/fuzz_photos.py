"""The photographs and gain maps that `fuzz_readers.py` damages, and how they are read."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from hdrdata.photos.photo import read_photo

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" {facts}/>'
    "</rdf:RDF></x:xmpmeta>"
)
FACTS = 'hdrgm:GainMapMin="0" hdrgm:GainMapMax="2" hdrgm:Gamma="1" hdrgm:HDRCapacityMax="2"'


def make_photos(folder: Path) -> dict[str, list[Path]]:
    """Write small sound photographs of each format, and photographs with a gain map by each standard."""
    generator = np.random.default_rng(0)
    ldr = generator.integers(0, 256, (24, 40, 3)).astype(np.uint8)
    deep = ldr.astype(np.uint16) * 257
    picture, grey = Image.fromarray(ldr), Image.fromarray(ldr[:, :, 0])
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[271], exif[274] = "a maker", 6
    exif.get_ifd(34665).update({33434: 1 / 50, 33437: 2.8, 34855: 100})
    made: dict[str, list[Path]] = {"photo": [], "gainmap": []}

    def add(kind: str, name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        made[kind].append(folder / name)

    def saved(image: Image.Image, form: str, **options: object) -> bytes:
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x" * 200, zip=True)
    cmyk, palette = picture.convert("CMYK"), picture.convert("P")
    for name, content in {
        "plain.jpg": saved(picture, "JPEG", exif=exif, icc_profile=icc),
        "progressive.jpg": saved(picture, "JPEG", progressive=True, xmp=b"<x:xmpmeta/>"),
        "cmyk.jpg": saved(cmyk, "JPEG"),
        "grey.jpg": saved(grey, "JPEG", quality=60),
        "several.mpo": saved(picture, "MPO", save_all=True, append_images=[picture]),
        "plain.png": saved(picture, "PNG", exif=exif, icc_profile=icc, pnginfo=texts),
        "palette.png": saved(palette, "PNG", transparency=3),
        "alpha.png": saved(Image.fromarray(np.dstack([ldr, ldr[:, :, :1]])), "PNG"),
        "deep.png": imagecodecs.png_encode(deep),
        "lossy.webp": saved(picture, "WEBP", exif=exif, icc_profile=icc),
        "lossless.webp": saved(picture, "WEBP", lossless=True),
        "frames.webp": saved(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)]),
        "plain.avif": saved(picture, "AVIF", exif=exif, speed=10),
        "plain.bmp": saved(picture, "BMP"),
        "plain.gif": saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "plain.ppm": saved(picture, "PPM"),
        "plain.jxl": imagecodecs.jpegxl_encode(ldr, lossless=True),
        "lossy.jxl": imagecodecs.jpegxl_encode(ldr, distance=1),
        "plain.jp2": imagecodecs.jpeg2k_encode(ldr, level=0, codecformat="jp2"),
        "stream.j2k": imagecodecs.jpeg2k_encode(ldr, level=40, codecformat="j2k"),
    }.items():
        add("photo", name, content)
    for name, pixels, options in (
        ("plain.tif", ldr, {"photometric": "rgb", "iccprofile": icc}),
        ("deep.tif", deep, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        ("tiles.tif", ldr, {"photometric": "rgb", "tile": (16, 16), "compression": "lzw"}),
        ("jpeg.tif", ldr, {"photometric": "rgb", "tile": (16, 16), "compression": "jpeg"}),
        ("ink.tif", np.array(cmyk), {"photometric": "separated"}),
    ):
        tifffile.imwrite(folder / name, pixels, **options)
        made["photo"].append(folder / name)
    heif = pillow_heif.from_pillow(picture)
    heif.save(folder / "plain.heic", quality=60, exif=exif.tobytes())
    made["photo"].append(folder / "plain.heic")

    half = np.ones((24, 40, 4), np.float16)
    half[:, :, :3] = (0.03 * 2 ** (6 * np.mgrid[0:24, 0:40][1] / 39))[..., None]
    ultra = imagecodecs.ultrahdr_encode(half, level=95, gamut=imagecodecs.ULTRAHDR.CG.BT_709, nits=1000.0)
    by_xmp = saved(picture, "JPEG", quality=90) + saved(grey, "JPEG", xmp=XMP.format(facts=FACTS).encode())
    note = struct.pack(">HHHIIHHIII", 2, 33, 10, 1, 44, 48, 10, 1, 52, 0) + struct.pack(">4i", 8, 10, 5, 1000)
    exif.get_ifd(34665)[37500] = b"Apple iOS\0\0\1MM" + note
    apple = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="urn:com:apple:photo:2020:aux:hdrgainmap"/></x:xmpmeta>'
    by_apple = saved(picture, "JPEG", exif=exif) + saved(grey, "JPEG", xmp=apple)
    for name, content in {"iso.jpg": ultra, "xmp.jpg": by_xmp, "apple.jpg": by_apple}.items():
        add("gainmap", name, content)
        notes = read_photo(folder / name).notes
        assert any("an HDR picture" in note for note in notes), (name, notes)  # or nothing of the map would be read
    return made
