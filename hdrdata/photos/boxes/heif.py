"""HEIC and AVIF: what their items state, their pixels, and their gain maps."""

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from hdrdata.photos.boxes.items import APPLE_MAP, Items, cropped, read_items
from hdrdata.photos.colours.encodings import Encoding, encoding_of
from hdrdata.photos.colours.gain import GainMap, by_apple, by_iso
from hdrdata.photos.formats.decoded import Decoded, check_size, full_scale, of_array
from hdrdata.photos.formats.exif import apple_numbers, load, orientation_of, plain
from hdrdata.photos.formats.pillow import decode_by_pillow, open_image


def _nclx_of(items: Items, notes: list[str]) -> Encoding | None:
    """Return the encoding that the photograph's code points of ITU-T H.273 state; None without them."""
    for kind, content in items.properties.get(items.primary, ()):
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 10:
            return _coded(*struct.unpack_from(">HH", content, 4), notes)
    return None


def _coded(primaries: int, transfer: int, notes: list[str]) -> Encoding | None:
    """As `encoding_of`; BT.709's transfer is what a camera writes of a picture that is shown by sRGB's curve."""
    try:
        return encoding_of(primaries, 13 if transfer in (1, 6) else transfer)
    except ValueError as error:
        notes.append(f"its colours are taken for sRGB: {error}")
        return None


def decode_avif(path: Path) -> Decoded:
    """Decode an AVIF: 8 bits by Pillow, more by libavif, which turns nothing: the orientation is Pillow's."""
    with open_image(path, "AVIF") as image:
        check_size(path, *image.size)
    content = path.read_bytes()
    items = read_items(content)
    decoded = decode_by_pillow(path, "AVIF", None)
    notes = list(decoded.notes)
    depth, av1c = items.of(items.primary, b"pixi")[5:6], items.of(items.primary, b"av1C")
    bits = depth[0] if depth else 8 + 2 * bool(len(av1c) > 2 and av1c[2] & 0x40)
    if bits > 8:
        pixels = full_scale(imagecodecs.avif_decode(content), bits)
        if pixels.ndim == 4:
            pixels = pixels[0]
        facts = {"icc": decoded.icc, "exif": decoded.exif}
        decoded = of_array(pixels, bits=bits, is_alpha=pixels.shape[-1] in (2, 4), **facts)
    encoding = None if decoded.icc else _nclx_of(items, notes)

    def decode(changed: bytes, item: int) -> np.ndarray:
        width, height = _stated_size(items, item)
        check_size(path, width, height)
        pixels = imagecodecs.avif_decode(changed)
        return pixels[0] if pixels.ndim == 4 else pixels

    gain = _gain_map_of(path, items, decode, notes)
    decoded = replace(decoded, encoding=encoding, notes=notes, turn=orientation_of(load(decoded.exif)), gain=gain)
    return cropped(decoded, items.of(items.primary, b"clap"))


def _stated_size(items: Items, item: int) -> tuple[int, int]:
    ispe = items.of(item, b"ispe")
    return struct.unpack(">II", ispe[4:12]) if len(ispe) >= 12 else (0, 0)


def _gain_map_of(
    path: Path, items: Items, decode: Callable[[bytes, int], np.ndarray], notes: list[str]
) -> GainMap | None:
    """Return the gain map of ISO 21496-1; None without, with a note if it cannot be used."""
    found = items.tone_map()
    if found is None:
        return None
    item, metadata = found
    try:
        formula = by_iso(metadata)
        if items.of(item, b"clap") != items.of(items.primary, b"clap") or items.of(item, b"clap"):
            raise ValueError("a clean aperture")
        return GainMap(decode(items.with_primary(item), item), formula)
    except Exception as error:  # whatever a decoder raises for bad bytes
        notes.append(f"its gain map is not used: {' '.join(str(error).removeprefix(f'{path}: ').split())[:120]}")
        return None


def heif_exif(path: Path) -> bytes | None:
    """Return the EXIF block of a HEIC's primary image."""
    import pi_heif

    heif = pi_heif.open_heif(path)
    return plain(heif[heif.primary_index].info.get("exif"))


def decode_heif(path: Path) -> Decoded:
    """Decode a HEIC by libheif, which turns it as its own boxes say; EXIF's orientation does not count."""
    import pi_heif

    heif = pi_heif.open_heif(path, convert_hdr_to_8bit=False)
    check_size(path, *heif.size)
    image = heif[heif.primary_index]
    pixels, bits = np.array(image), image.info.get("bit_depth", 8)
    # copied: the library frees its memory with `heif`
    if pixels.dtype == np.uint16:  # whose codes it shifts to the left
        pixels = full_scale(pixels >> (16 - bits), bits)
    notes: list[str] = [f"the first of {len(heif)} pictures"] if len(heif) > 1 else []
    nclx, icc = image.info.get("nclx_profile"), image.info.get("icc_profile")
    encoding = None
    if nclx and not icc:
        encoding = _coded(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]), notes)
    exif = plain(image.info.get("exif"))
    items = read_items(path.read_bytes())

    def decode(changed: bytes, item: int) -> np.ndarray:
        other = pi_heif.open_heif(io.BytesIO(changed), convert_hdr_to_8bit=True)
        check_size(path, *other.size)
        return np.array(other[other.primary_index])

    gain = _gain_map_of(path, items, decode, notes)
    if gain is None and items.tone_map() is None and items.has_apple_map():
        gain = _apple_map_of(path, image, items, exif, notes)
    premultiplied = bool(image.info.get("premultiplied") or image.premultiplied_alpha) if image.has_alpha else False
    return of_array(
        pixels, bits=bits, icc=icc or None, exif=exif, encoding=encoding, turn=1, notes=notes,
        is_premultiplied=premultiplied, gain=gain, xmp=image.info.get("xmp") or None,
    )  # fmt: skip


def _apple_map_of(path: Path, image: Any, items: Items, exif: bytes | None, notes: list[str]) -> GainMap | None:
    """Return Apple's gain map; None, with a note, if it cannot be used."""
    try:
        formula = by_apple(apple_numbers(exif), items.content)
        if formula is None:
            raise ValueError("it states no headroom")
        number = next(iter(image.info["aux"][APPLE_MAP.decode()]))
        values = image.get_aux_image(number)
        check_size(path, *values.size)
        return GainMap(np.array(values), formula)
    except Exception as error:  # whatever a decoder raises for bad bytes
        notes.append(f"its gain map is not used: {' '.join(str(error).removeprefix(f'{path}: ').split())[:120]}")
        return None
