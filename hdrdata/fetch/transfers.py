"""Fetch files over HTTP into a folder of scenes: in parallel, checked, and resuming interrupted transfers.

One process works in a folder at a time. An unfinished file is `.partial-<name>`, and `.partial-<name>.json` beside it
states from where it comes; a file of that name without such a note, or a link, is somebody else's and stays.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hdrdata.fetch.web import Failure, Passing, Web
from hdrdata.files.disk import PARTIAL, read_json, sha256_of, write_bytes, write_json
from hdrdata.files.documents import safe_cell
from hdrdata.files.locks import folder_lock, this_process
from hdrdata.scenes.sidecar import read_sidecar

SIDECAR = "scenes.csv"
LOCK = ".fetch.lock"
COLUMNS = ("file", "location_group", "kind", "licence", "scale", "author", "source", "url", "sha256")
CHUNK_BYTES = 1 << 16  # what of a chunk has come when a connection is cut is lost
PAGES = (b"<", b"{", b"\xef\xbb\xbf<")  # how web pages and error messages begin, and no HDR file


@dataclass(frozen=True)
class Wanted:
    """One file to fetch."""

    name: str  # in the folder of scenes, without a folder of its own
    url: str
    size: int | None  # bytes, if the source states them
    digest: tuple[str, str] | None  # ("md5" or "sha256", hexadecimal), if the source states it
    facts: dict[str, str]  # of `COLUMNS`: licence, author, source, kind, location_group


@dataclass
class Fetched:
    """Result of one run."""

    new: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)  # name -> one line
    moved: dict[str, str] = field(default_factory=dict)  # name -> where the file with other bytes is now
    size: int = 0  # bytes of the new files

    def summary(self) -> str:
        """'3 fetched (12.4 MB), 40 kept, 1 failed'."""
        text = f"{len(self.new)} fetched ({self.size / 1e6:.1f} MB), {len(self.kept)} kept"
        return text + (f", {len(self.failures)} failed" if self.failures else "")


def fetch_files(files: list[Wanted], folder: Path, web: Web, jobs: int) -> Fetched:
    """Download files into `folder`, and write their licences and sources into its `scenes.csv`.

    A file that exists is hashed, and kept if its digest is right. A fetched file that has other bytes now is fetched
    again; the old one gets another name and is never removed. A transfer that was interrupted, also by a killed run,
    continues where it ended. A row of the sidecar is written as soon as its file exists; what a user wrote into
    location_group, kind and scale stays.

    Raises:
        ValueError: if the sidecar is wrong, the disk has too little room, or another process works in the folder.
        OSError: if the disk fails; the other transfers stop too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder / LOCK):
        (folder / LOCK).write_text(json.dumps(this_process()) + "\n", encoding="utf-8")
        try:
            return _fetch(files, folder, web, jobs)
        finally:
            (folder / LOCK).unlink()


def _fetch(files: list[Wanted], folder: Path, web: Web, jobs: int) -> Fetched:
    sidecar = _Sidecar(folder / SIDECAR)
    done = Fetched()
    with _bytes_bar() as bar, ThreadPoolExecutor(jobs) as pool:
        checks = {pool.submit(_is_there, file, folder / file.name, sidecar): file for file in files}
        missing = []
        for check in as_completed(checks):
            file = checks[check]
            try:
                if check.result():
                    done.kept.append(file.name)
                    sidecar.add(file, None)
                else:
                    missing.append(file)
            except Failure as failure:
                done.failures[file.name] = str(failure)
        needed = sum((file.size or 0) - _length(_partial(folder, file)) for file in missing if file.size)
        if needed > (free := shutil.disk_usage(folder).free):
            raise ValueError(f"{folder}: {needed / 1e6:.1f} MB to fetch, but the disk has room for {free / 1e6:.1f} MB")
        task = bar.add_task("fetch", total=sum(file.size or 0 for file in missing))
        runs = {file.name: _Transfer(file, folder, web, sidecar, bar, task) for file in missing}
        transfers = {pool.submit(runs[file.name].run): file for file in missing}
        try:
            for transfer in as_completed(transfers):
                file = transfers[transfer]
                try:
                    done.size += transfer.result()
                    done.new.append(file.name)
                    if runs[file.name].moved:
                        done.moved[file.name] = runs[file.name].moved
                except Failure as failure:
                    done.failures[file.name] = str(failure)
        except BaseException:  # Ctrl-C or a disk that fails: what runs ends at its next chunk, what waits never begins
            web.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            sidecar.write()
    return done


def _is_there(file: Wanted, path: Path, sidecar: "_Sidecar") -> bool:
    """Return whether the file is there with the expected content; a file of another origin is not overwritten."""
    if not path.exists():
        return False
    row = sidecar.rows.get(file.name, {})
    if file.digest:
        algorithm, digest = file.digest
        if _digest_of(path, algorithm) == digest:
            return True
        if not row.get("url"):
            raise Failure("a file of this name exists, with other content; move it away")
        return False
    return row.get("url") == file.url and row.get("sha256") == sha256_of(path)


def _digest_of(path: Path, algorithm: str) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _partial(folder: Path, file: Wanted) -> Path:
    return folder / f"{PARTIAL}{file.name}"


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@dataclass
class _Transfer:
    """One file on its way."""

    file: Wanted
    folder: Path
    web: Web
    sidecar: "_Sidecar"
    bar: Progress
    task: Any
    shown: int = 0  # bytes on the bar
    wrong: int = 0  # times that the whole file had another digest
    moved: str = ""  # where the file is now that was there with other bytes

    def run(self) -> int:
        """Fetch the file and give it its name; returns its size in bytes."""
        partial, path = _partial(self.folder, self.file), self.folder / self.file.name
        size, sha256 = self.web.patiently(self._try, lambda: _length(partial))
        if path.exists() and not self.sidecar.rows.get(self.file.name, {}).get("url") and sha256_of(path) != sha256:
            raise Failure("a file of this name exists, with other content; move it away")
        if path.exists() and sha256_of(path) != sha256:
            self.moved = f"{self.file.name}.before-{os.urandom(4).hex()}"  # no suffix of a scene
            path.rename(self.folder / self.moved)
        partial.replace(path)
        self._note.unlink(missing_ok=True)
        self.sidecar.add(self.file, sha256)
        self.sidecar.write(now=False)
        return size

    @property
    def _note(self) -> Path:
        """Beside the partial file, what it is a part of: the URL and the server's validator."""
        return self.folder / f"{PARTIAL}{self.file.name}.json"

    def _forget(self) -> None:
        for path in (_partial(self.folder, self.file), self._note):
            path.unlink(missing_ok=True)

    def _check_partial(self, partial: Path) -> dict:
        """Return the note of an unfinished file of ours, {} if there is none; refuse any other file of that name."""
        try:
            note = read_json(self._note) if self._note.is_file() else {}
        except ValueError:
            note = {}
        if os.path.lexists(partial):
            ours = note.keys() == {"url", "validator"} and not partial.is_symlink()
            if not ours or not partial.is_file() or partial.stat().st_nlink > 1:
                raise Failure(f"{partial.name} is there, and was not made by this command; move it away")
        return note

    def _try(self) -> tuple[int, str]:
        partial = _partial(self.folder, self.file)
        self._check_partial(partial)
        begun = _length(partial)
        if self.file.size is None or begun != self.file.size:
            begun = self._transfer(partial)
        size = _length(partial)
        if self.file.size is not None and size != self.file.size:
            if size > self.file.size:
                self._forget()
            raise Passing(f"received {size} bytes; expected {self.file.size}")
        if self.file.digest:
            algorithm, wanted = self.file.digest
            if (digest := _digest_of(partial, algorithm)) != wanted:
                self._forget()
                self.wrong += begun == 0  # a file that went on from a part may have changed in between
                if self.wrong == 2:
                    raise Failure(f"its {algorithm} is {digest}; expected {wanted}")
                raise Passing(f"its {algorithm} is {digest}; expected {wanted}")
        else:
            with partial.open("rb") as file:
                start = file.read(64).lstrip()
            if start.startswith(PAGES):
                self._forget()
                raise Failure(f"the server sent a page of text ({start[:20]!r}...); expected an HDR file")
        return size, sha256_of(partial)

    def _transfer(self, partial: Path) -> int:
        """Read from the server to the end; returns where in the file it began."""
        note = self._check_partial(partial)
        begin, headers = _length(partial), {"Accept-Encoding": "identity"}
        validator = note.get("validator") if note.get("url") == self.file.url else None
        if begin and (validator or self.file.digest):
            headers["Range"] = f"bytes={begin}-"
            if validator:
                headers["If-Range"] = validator
        with self.web.open(self.file.url, headers) as response:
            part = response.headers.get("Content-Range", "")
            if response.status_code == 416 or (response.status_code == 206 and f"bytes {begin}-" not in part):
                self._forget()
                raise Passing(f"the server did not send the part that begins at byte {begin}")
            if response.status_code == 200:
                begin = 0
            length = response.headers.get("Content-Length", "")
            chunked = "chunked" in response.headers.get("Transfer-Encoding", "")
            if not (length or chunked or self.file.size or self.file.digest):
                raise Failure(
                    "neither the server states a length nor the list a sha256: a truncated file would not be detected"
                )
            if self.file.size is None and length.isdigit() and not self.shown:
                self.bar.update(self.task, total=self.bar.tasks[self.task].total + begin + int(length))
            if length.isdigit() and int(length) > (free := shutil.disk_usage(self.folder).free):
                raise Failure(f"{int(length) / 1e6:.1f} MB, but the disk has room for {free / 1e6:.1f} MB")
            self._show(begin)
            try:
                if not begin:
                    etag = response.headers.get("ETag", "")
                    strong = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
                    write_json(self._note, {"url": self.file.url, "validator": strong})
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if begin else os.O_TRUNC)
                with open(os.open(partial, flags, 0o666), "ab" if begin else "wb") as out:
                    for chunk in response.iter_content(CHUNK_BYTES):
                        out.write(chunk)
                        self._show(self.shown + len(chunk))
                        if self.file.size is not None and self.shown > self.file.size:
                            break  # whoever checks the size says so
                        if self.web.stop.is_set():
                            raise Failure("interrupted")
            except requests.RequestException:  # which is an OSError too
                raise
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(partial)) from error
        return begin

    def _show(self, size: int) -> None:
        self.bar.advance(self.task, size - self.shown)
        self.shown = size


class _Sidecar:
    """The folder's `scenes.csv`, to which rows are added."""

    def __init__(self, path: Path):
        self.path = path
        self.rows = read_sidecar(path) if path.is_file() else {}
        self._lock = threading.Lock()
        self._changed = False
        self._next = 0.0  # when it is written again

    def add(self, file: Wanted, sha256: str | None) -> None:
        """Set the row of an existing file; `sha256` is None if the row has it or the file was kept."""
        with self._lock:
            before = self.rows.get(file.name, {})
            if sha256 is None:
                sha256 = before.get("sha256") or sha256_of(self.path.parent / file.name)
            by_user = {name: before[name] for name in ("location_group", "kind", "scale") if before.get(name)}
            row = {**before, **file.facts, **by_user, "file": file.name, "url": file.url, "sha256": sha256}
            self._changed |= row != before
            self.rows[file.name] = row

    def write(self, now: bool = True) -> None:
        """Write the rows that changed, by file name; whole or not at all.

        Args:
            now: else only where that takes a small share of the time since it was last written: a list of thousands of
                files is not written thousands of times.
        """
        with self._lock:
            begin = time.monotonic()
            if not self._changed or (not now and begin < self._next):
                return
            names = dict.fromkeys([*COLUMNS, *(name for row in self.rows.values() for name in row if name)])
            text = io.StringIO()
            writer = csv.DictWriter(text, list(names), restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            rows = (self.rows[file] for file in sorted(self.rows))
            writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
            write_bytes(self.path, text.getvalue().encode())
            self._changed, end = False, time.monotonic()
            self._next = end + 20 * (end - begin)


def _bytes_bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
