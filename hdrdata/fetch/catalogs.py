"""Lists of scenes to fetch, as CSV: name, url, sha256 and licence."""

import csv
import re
from pathlib import Path
from urllib.parse import urlsplit

from hdrdata.fetch.transfers import Wanted
from hdrdata.files.suffixes import HDR_SUFFIXES
from hdrdata.scenes.scene import KINDS

FACTS = ("licence", "location_group", "kind", "author", "source")


def read_catalog(path: Path) -> list[Wanted]:
    """Read a catalog: columns name and url; sha256 and licence may be empty, and location_group, kind, author, source
    may be there too. Only http and https are fetched, and a name is the name of an HDR file without a folder.

    Raises:
        ValueError: one line naming the file, the row and what is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, names = [(reader.line_num, row) for row in reader], reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a readable CSV: {error}") from error
    missing = [name for name in ("name", "url") if name not in names]
    if missing:
        raise ValueError(
            f"{path}, line 1: no column {' and no column '.join(missing)}; expected name,url,sha256,licence"
        )
    if not rows:
        raise ValueError(f"{path}: no rows; expected one a file")
    wanted: dict[str, Wanted] = {}
    known: set[str] = set()
    for line, row in rows:
        name, url = (row["name"] or "").strip(), (row["url"] or "").strip()
        sha256 = (row.get("sha256") or "").strip().lower()
        place = f"{path}, line {line}"
        if not re.fullmatch(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,199}", name):
            raise ValueError(f"{place}: name '{name}'; expected a file name without a folder, not beginning with a dot")
        if Path(name).suffix.lower() not in HDR_SUFFIXES:
            raise ValueError(f"{place}: name '{name}'; expected one that ends in {' '.join(HDR_SUFFIXES)}")
        if name.lower() in known:
            raise ValueError(f"{place}: '{name}' occurs twice")
        known.add(name.lower())
        if not _is_web_address(url):
            raise ValueError(f"{place}: url '{url}'; expected http:// or https://")
        if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError(f"{place}: sha256 '{sha256}'; expected 64 hexadecimal digits, or none")
        facts = {fact: (row.get(fact) or "").strip() for fact in FACTS}
        if (facts["kind"] or "auto") not in KINDS:
            raise ValueError(f"{place}: kind '{facts['kind']}'; expected one of {', '.join(KINDS)}")
        facts = {fact: value for fact, value in facts.items() if value}
        wanted[name] = Wanted(name, url, None, ("sha256", sha256) if sha256 else None, facts)
    return list(wanted.values())


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # "http://["
        return False
