"""A photograph's EXIF as the attributes that OpenEXR has for it."""

from collections.abc import Mapping

from PIL import ExifTags, Image

from hdrdata.photos.formats.exif import finite

BASE, GPS = ExifTags.Base, ExifTags.GPS
TEXTS = {BASE.Make: "cameraMake", BASE.Model: "cameraModel", BASE.BodySerialNumber: "cameraSerialNumber",
         BASE.LensMake: "lensMake", BASE.LensModel: "lensModel", BASE.LensSerialNumber: "lensSerialNumber",
         BASE.Artist: "owner", BASE.Copyright: "copyright", BASE.DateTimeOriginal: "capDate"}  # fmt: skip
NUMBERS = {BASE.ExposureTime: "expTime", BASE.FNumber: "aperture", BASE.ISOSpeedRatings: "isoSpeed",
           BASE.FocalLength: "effectiveFocalLength", BASE.SubjectDistance: "focus"}  # fmt: skip


def exr_attributes(exif: bytes | None) -> dict[str, object]:
    """Return the standard attributes of OpenEXR (ImfStandardAttributes.h) from a block of EXIF.

    Degrees are positive to the north and east, metres above the sea, `utcOffset` the seconds that UTC is ahead.
    """
    if not exif:
        return {}
    try:
        whole = Image.Exif()
        whole.load(b"Exif\0\0" + exif)
        tags: dict[int, object] = {**whole, **whole.get_ifd(ExifTags.IFD.Exif)}
        place = whole.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # SyntaxError, struct.error and others of damaged EXIF, which costs the picture nothing
        return {}
    texts = {name: _text(tags.get(tag)) for tag, name in TEXTS.items()}
    numbers = {name: finite(tags.get(tag)) for tag, name in NUMBERS.items()}
    found = {
        **texts, **numbers,
        "utcOffset": _offset(_text(tags.get(BASE.OffsetTimeOriginal))),
        "latitude": _degrees(place, GPS.GPSLatitude, GPS.GPSLatitudeRef, "S"),
        "longitude": _degrees(place, GPS.GPSLongitude, GPS.GPSLongitudeRef, "W"),
        "altitude": _altitude(place),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _text(value: object) -> str | None:
    text = "".join(letter for letter in value if letter.isprintable()).strip() if isinstance(value, str) else ""
    return text or None


def _degrees(place: Mapping[int, object], tag: int, reference: int, negative: str) -> float | None:
    value = place.get(tag)
    parts = [finite(part) for part in value] if isinstance(value, tuple) else []
    parts = [part for part in parts if part is not None]
    if not isinstance(value, tuple) or len(parts) != len(value) or len(parts) != 3:
        return None
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    return -degrees if place.get(reference) == negative else degrees


def _altitude(place: Mapping[int, object]) -> float | None:
    metres = finite(place.get(GPS.GPSAltitude))
    return -metres if metres is not None and place.get(GPS.GPSAltitudeRef) in (1, b"\x01") else metres


def _offset(text: str | None) -> float | None:
    """Seconds to add to the camera's local time, "+02:00" and so on, for UTC."""
    try:
        hours, minutes = (text or "").split(":")
        seconds = 60.0 * (60 * abs(int(hours)) + int(minutes))
    except ValueError:
        return None
    return seconds if hours.startswith("-") else -seconds
