"""Croissant 1.0: a dataset described in JSON-LD, so that mlcroissant and its friends find, check and load it."""

import re
from collections.abc import Iterable

from hdrdata.publish.contents import UNSTATED, Contents

# The vocabulary of Croissant 1.0, as its specification requires at the head of every file.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def describe_croissant(contents: Contents, title: str, summary: str, licences: Iterable[str], facts: dict) -> dict:
    """The JSON-LD of a folder of shards: a FileObject a tar, a FileSet and a RecordSet a form and part.

    A record of `pixels-<part>` is one picture with its sample's key, view, camera and exposure; `exposures` says what
    an exposure's letter means. A record of `radiance-<part>` is a view, encoded. Names identify everything except the
    images, so no sample is read here.

    Args:
        licences: as the scenes state them: SPDX identifiers or addresses.
        facts: "url", "creator", "datePublished", "citeAs", as far as they are known.
    """
    recipe = contents.recipe
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": contents.name,
        "alternateName": title,
        "description": summary,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": "1.0.0",
        **facts,
    }
    if addresses := [_address(licence) for licence in licences if licence != UNSTATED]:
        described["license"] = addresses
    tars = [
        {"@type": "cr:FileObject", "@id": shard.path, "name": shard.path, "contentUrl": shard.path,
         "contentSize": f"{shard.size} B", "encodingFormat": "application/x-tar", "sha256": shard.sha256}
        for shard in contents.shards
    ]  # fmt: skip
    sets, records = [], []
    for form in contents.forms:
        for part in contents.parts:
            if shards := contents.of(form, part):
                name = f"{form}-{part}"
                pattern = "*.png" if form == "pixels" else f"*.{_extension(shards[0].samples[0].members)}"
                sets.append({
                    "@type": "cr:FileSet",
                    "@id": f"files-{name}",
                    "name": f"files-{name}",
                    "containedIn": [{"@id": shard.path} for shard in shards],
                    "encodingFormat": "image/png" if form == "pixels" else "application/octet-stream",
                    "includes": pattern,
                })  # fmt: skip
                fields = _picture_fields(name, recipe) if form == "pixels" else _view_fields(name)
                records.append({"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields})
    exposures = {
        "@type": "cr:RecordSet",
        "@id": "exposures",
        "name": "exposures",
        "description": "stops relative to the view, whose mean is 0.5, and the same as a ratio of exposure times",
        "key": {"@id": "exposures/letter"},
        "field": [
            {"@type": "cr:Field", "@id": f"exposures/{name}", "name": name, "dataType": kind}
            for name, kind in (("letter", "sc:Text"), ("ev", "sc:Float"), ("exposure", "sc:Float"))
        ],
        "data": [
            {"exposures/letter": letter, "exposures/ev": ev, "exposures/exposure": 2.0**ev}
            for letter, ev in zip(recipe["letters"], recipe["evs"], strict=True)
        ],
    }
    return {**described, "distribution": [*tars, *sets], "recordSet": [exposures, *records]}


def _picture_fields(name: str, recipe: dict) -> list[dict]:
    cameras = "|".join(sorted((re.escape(crf) for crf in recipe["crfs"]), key=len, reverse=True))
    member = rf"\.[{recipe['letters']}]\.png$"
    return [
        _field(name, "key", rf"^(.+){member}"),
        _field(name, "view", rf"^(.+?)_(?:{cameras}){member}"),
        _field(name, "crf", rf"^.+?_({cameras}){member}"),
        _field(name, "exposure", rf"^.+\.([{recipe['letters']}])\.png$"),  # the letter; a join would lose the picture
        _field(name, "picture", None, "sc:ImageObject"),
    ]


def _view_fields(name: str) -> list[dict]:
    return [_field(name, "key", r"^([^.]+)\..+$"), _field(name, "radiance", None)]


def _field(record: str, name: str, regex: str | None, kind: str = "sc:Text") -> dict:
    source: dict = {"fileSet": {"@id": f"files-{record}"}}
    if regex is None:
        source["extract"] = {"fileProperty": "content"}
    else:
        source |= {"extract": {"fileProperty": "filename"}, "transform": {"regex": regex}}
    return {"@type": "cr:Field", "@id": f"{record}/{name}", "name": name, "dataType": kind, "source": source}


def _extension(members: Iterable[str]) -> str:
    return next(name for name in members if name != "json")


def _address(licence: str) -> str:
    """Return a licence as an address if it is an SPDX identifier, else the text itself."""
    return f"https://spdx.org/licenses/{licence}" if re.fullmatch(r"[A-Za-z0-9.+-]+", licence) else licence
