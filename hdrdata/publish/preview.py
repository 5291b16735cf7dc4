"""Look at a dataset: a page, and a picture, of some views at all their exposures."""

import base64
import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hdrdata.cameras.exposure import WHITE
from hdrdata.files.disk import write_bytes
from hdrdata.files.documents import page_templates
from hdrdata.publish.contents import UNSTATED, Contents, HeldView, list_views, stacks_of
from hdrdata.publish.statistics import percent, stops_text
from hdrdata.stream.shard_reader import Shards
from hdrdata.views.normalise import stops_of
from hdrdata.work.progress import progress_bar

PAGE_BYTES = 4_500_000  # a page opens at once and can be mailed
LARGEST, SMALLEST = 128, 24  # pixels, the height of a thumbnail
QUALITIES = (85, 75, 65, 50, 35, 20)  # of JPEG, the first that fits
GAP, MARGIN, LINE = 3, 16, 17  # pixels of a contact sheet
INK, FAINT, PAPER = (36, 31, 26), (110, 100, 86), 238  # BGR, and a grey that saturated pictures stand out from


@dataclass(frozen=True)
class Strip:
    """The exposures of a view under one camera, side by side, and the share [0, 1] of each that is saturated."""

    picture: UInt8[np.ndarray, "height width 3"]
    clipped: tuple[float, ...]


@dataclass(frozen=True)
class Seen:
    """A view that was looked at."""

    view: HeldView
    size: tuple[int, int]  # height and width in pixels
    stops: float | None
    strips: dict[str, Strip]  # by camera


def choose_views(views: list[HeldView], count: int, seed: int) -> list[HeldView]:
    """Choose views by a hash of seed and key: one of each scene before a second of any, those of all parts alike.

    Returns:
        at most `count`, in the order of `views`.
    """
    drawn = sorted(views, key=lambda view: hashlib.sha256(f"{seed}:{view.key}".encode()).digest())
    turn: Counter[str] = Counter()
    rounds = []
    for place, view in enumerate(drawn):
        rounds.append((turn[view.scene], place, view.key))
        turn[view.scene] += 1
    chosen = {key for _, _, key in sorted(rounds)[:count]}
    return [view for view in views if view.key in chosen]


def look_at(contents: Contents, views: list[HeldView], height: int) -> list[Seen]:
    """Make the thumbnails of views, `height` pixels high."""
    with progress_bar() as bar:
        return [_look_at(contents.readers[view.part], view, height) for view in bar.track(views, description="preview")]


def _look_at(reader: Shards, view: HeldView, height: int) -> Seen:
    stops, size, strips = None, (0, 0), {}
    if reader.form == "radiance":
        stops = stops_of(reader.radiance(view.numbers[0]).radiance)
    for sample in stacks_of(reader, view):
        size = sample.stack.shape[1:3]
        width = max(1, round(height * size[1] / size[0]))
        shrunk = [cv2.resize(ldr, (width, height), interpolation=cv2.INTER_AREA) for ldr in sample.stack]
        clipped = tuple(float((ldr >= WHITE).mean()) for ldr in sample.stack)
        strips[sample.crf] = Strip(np.concatenate(shrunk, axis=1), clipped)
    return Seen(view, size, stops, strips)


def write_page(contents: Contents, page: Path, *, views: int, seed: int) -> int:
    """Write an HTML page that needs no other file: views of a dataset at all exposures, under a camera to choose.

    Args:
        views: how many, at most.
        seed: another number chooses other views.

    Returns:
        the number of views on it.
    """
    every = list_views(contents)
    chosen = choose_views(every, views, seed)
    pictures = len(chosen) * max(len(contents.recipe["crfs"]), 1) * len(contents.recipe["evs"])
    height = int(math.sqrt(PAGE_BYTES / 0.3 / pictures))  # at 0.3 bytes a pixel, and base64's third
    seen = look_at(contents, chosen, min(max(height, SMALLEST), LARGEST))
    cameras = tuple(sorted({crf for one in seen for crf in one.strips}))
    for quality in QUALITIES:
        addresses = {(one.view.key, crf): _address(strip.picture, quality)
                     for one in seen for crf, strip in one.strips.items()}  # fmt: skip
        if sum(map(len, addresses.values())) <= PAGE_BYTES:
            break
    text = page_templates("hdrdata.publish").get_template("preview.html").render(
        contents=contents, seen=seen, cameras=cameras, total=len(every), addresses=addresses, share=percent,
        evs=[stops_text(ev) for ev in contents.recipe["evs"]], unstated=UNSTATED,
        parts=Counter(view.part for view in every),
    )  # fmt: skip
    write_bytes(page, text.encode())
    return len(seen)


def write_sheet(contents: Contents, image: Path, *, views: int, seed: int, height: int = 96) -> list[Seen]:
    """Write a picture, .jpg or .png, of views (rows) at all exposures (columns), each row under the next camera.

    Raises:
        ValueError: if the name of `image` ends otherwise.
    """
    if image.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise ValueError(f"{image}: '{image.suffix}'; expected a name that ends in .jpg or .png")
    seen = look_at(contents, choose_views(list_views(contents), views, seed), height)
    write_bytes(image, draw_sheet(seen, contents.recipe["evs"], height, image.suffix.lower()))
    return seen


def draw_sheet(seen: list[Seen], evs: list[float], height: int, suffix: str) -> bytes:
    """The contact sheet as the bytes of a file; see `write_sheet`."""
    rows = []
    for number, one in enumerate(seen):
        crf = sorted(one.strips)[number % len(one.strips)]
        rows.append((one.view, crf, one.strips[crf].picture))
    width = max(picture.shape[1] for _, _, picture in rows) + GAP * (len(evs) - 1)
    step = height + LINE + GAP + 4
    sheet = np.full((2 * MARGIN + LINE + step * len(rows) - GAP, 2 * MARGIN + width, 3), PAPER, np.uint8)
    for place, ev in enumerate(evs):
        x = MARGIN + place * (width + GAP) // len(evs)
        _write(sheet, f"{stops_text(ev)} EV", x, MARGIN + 11, INK)
    for number, (view, crf, picture) in enumerate(rows):
        top = MARGIN + LINE + 2 + number * step
        each = picture.shape[1] // len(evs)
        for place in range(len(evs)):
            left = MARGIN + place * (each + GAP)
            tile = picture[:, place * each : (place + 1) * each, ::-1]
            sheet[top : top + height, left : left + each] = tile
        _write(sheet, f"{view.key}   {crf}   {view.part}", MARGIN, top + height + 13, FAINT)
    options = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 88]
    return cv2.imencode(suffix, sheet, options)[1].tobytes()


def _write(sheet: np.ndarray, text: str, x: int, y: int, color: tuple[int, int, int]) -> None:
    cv2.putText(sheet, text, (x, y), color, cv2.FontFace("sans"), 12, 400)  # size and weight


def _address(picture: UInt8[np.ndarray, "height width 3"], quality: int) -> str:
    """A picture as a data address."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
