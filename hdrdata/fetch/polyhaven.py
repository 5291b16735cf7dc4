"""Poly Haven's panoramas (CC0) by its public JSON API: which there are, and where their files lie."""

import hashlib
import math
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

from hdrdata.fetch.transfers import Wanted
from hdrdata.fetch.web import Failure, Web

FORMATS = ("exr", "hdr")
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,100}")  # of an asset; part of a file's name


def choose_panoramas(
    web: Web, api: str, *, count: int, resolution: str, category: str | None, seed: int | None
) -> dict[str, dict]:
    """Choose panoramas from those that Poly Haven lists (`GET /assets?type=hdris`), the same ones each time.

    Args:
        count: how many; all, if there are fewer.
        resolution: such as "2k"; those that are not published as large are left out.
        category: one of an asset's categories, or the beginning of its path of categories; None for any.
        seed: order by a hash of seed and identifier, so that a new asset displaces at most one; None: by identifier.

    Returns:
        the facts about each in the list, by identifier.

    Raises:
        ValueError: if the list cannot be had or read, or nothing in it fits.
    """
    url = f"{api.rstrip('/')}/assets?type=hdris"
    try:
        assets = web.json(url)
    except Failure as failure:
        raise ValueError(f"{url}: {failure}") from failure
    if not (isinstance(assets, dict) and all(isinstance(about, dict) for about in assets.values())):
        raise ValueError(f"{url}: not a list of assets; expected an object of objects")
    wide = int(resolution[:-1]) * 1024
    fitting = {
        name: about
        for name, about in assets.items()
        if IDENTIFIER.fullmatch(name)
        and _first_number(about.get("max_resolution"), math.inf) >= wide
        and (category is None or _is_of(about, category.lower()))
    }
    if not fitting:
        known = sorted({str(name) for about in assets.values() for name in about.get("categories") or ()})
        raise ValueError(
            f"{url}: none of {len(assets)} assets is published in {resolution}"
            + (f" and of the category '{category}'; known: {', '.join(known)}" if category else "")
        )

    def place(name: str) -> str:
        return name if seed is None else hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()

    return {name: fitting[name] for name in sorted(fitting, key=place)[:count]}


def _first_number(value: Any, otherwise: float) -> float:
    """Return the width of [width, height]; `otherwise` if the list does not state it."""
    first = value[0] if isinstance(value, list) and value else None
    return float(first) if isinstance(first, int | float) else otherwise


def _is_of(about: dict, category: str) -> bool:
    path = PurePosixPath(str(about.get("category") or "").lower())
    named = {str(name).lower() for name in about.get("categories") or ()}
    return category in named or path.is_relative_to(category)


def find_files(
    web: Web, api: str, assets: dict[str, dict], resolution: str, suffix: str, jobs: int
) -> tuple[list[Wanted], dict[str, str]]:
    """Ask where the file of each panorama lies (`GET /files/{id}`).

    Returns:
        the files, and, for those that cannot be found, why: name -> one line.
    """

    def find(name: str) -> Wanted | Failure:
        try:
            return _file_of(web.json(f"{api.rstrip('/')}/files/{name}"), name, assets[name], resolution, suffix)
        except Failure as failure:
            return failure

    files, failures = [], {}
    pool = ThreadPoolExecutor(jobs)
    try:
        for name, found in zip(assets, pool.map(find, assets), strict=True):
            if isinstance(found, Failure):
                failures[f"{name}_{resolution}.{suffix}"] = str(found)
            else:
                files.append(found)
    except BaseException:  # Ctrl-C: what waits is not asked for
        web.stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return files, failures


def _file_of(files: Any, name: str, about: dict, resolution: str, suffix: str) -> Wanted:
    published = files.get("hdri") if isinstance(files, dict) else None
    if not isinstance(published, dict) or not isinstance(published.get(resolution), dict):
        sizes = ", ".join(published) if isinstance(published, dict) else "none"
        raise Failure(f"not published in {resolution}; there are: {sizes}")
    entry = published[resolution].get(suffix)
    try:
        url, md5, size = entry["url"], entry["md5"].lower(), entry["size"]
    except (TypeError, KeyError, AttributeError) as error:
        raise Failure(f"no {suffix} with url, md5 and size; there are: {', '.join(published[resolution])}") from error
    fits = isinstance(url, str) and url.startswith(("http://", "https://")) and isinstance(size, int) and size > 0
    if not (fits and re.fullmatch("[0-9a-f]{32}", md5)):
        raise Failure(f"url '{url}', md5 '{md5}', size {size}: not a file")
    return Wanted(
        f"{name}_{resolution}.{suffix}",
        url,
        size,
        ("md5", md5),
        {
            "location_group": location_group(name, about.get("coords")),
            "kind": "pano",
            "licence": "CC0-1.0",
            "author": ", ".join(about["authors"]) if isinstance(about.get("authors"), dict) else "",
            "source": f"https://polyhaven.com/a/{name}",
        },
    )


def location_group(name: str, coordinates: Any) -> str:
    """Return the identity of a place: coordinates to a hundredth of a degree (1 km), else the beginning of the name.

    'brown_photostudio_02' and 'brown_photostudio_07' were taken in one room, 'kiara_1_dawn' and 'kiara_9_dusk' in one
    garden: in two parts of a split they would give the test away.
    """
    if isinstance(coordinates, list) and [isinstance(degrees, int | float) for degrees in coordinates] == [True, True]:
        return f"{coordinates[0]:.2f},{coordinates[1]:.2f}"
    return re.split(r"_(?=\d)|_puresky$", name)[0]
