"""Whole copies of shards in a folder of this machine, checked and bounded."""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from hdrdata.files.disk import sha256_of
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.columns import ShardFile
from hdrdata.stream.remote import LocalFolder, RemoteFolder

COPY = re.compile(r"[0-9a-f]{64}\.(tar|partial)")  # a whole copy and one that was begun, by SHA-256


class CachedFolder:
    """Whole files of another folder in a local one: each downloaded once by all processes, its SHA-256 checked first.

    A copy's name is its SHA-256, so equal names of different datasets do not collide. A download that was interrupted
    is resumed. With a limit, the copies that were not read for the longest time are removed before another download.
    """

    gap = LocalFolder.gap

    def __init__(
        self,
        source: RemoteFolder | LocalFolder,
        cache: Path,
        files: Mapping[str, ShardFile],
        limit: int | float | None = None,
    ):
        """
        Args:
            cache: folder for the copies; made if it does not exist.
            files: by name, with size and SHA-256.
            limit: bytes of all copies in `cache`, also those of other datasets; None for no limit.

        Raises:
            ValueError: if a file is larger than the limit.
        """
        largest = max(files, key=lambda name: files[name].size)
        total = sum(file.size for file in files.values())
        if limit is not None and (size := files[largest].size) > limit:
            raise ValueError(f"cache_limit {limit:g} bytes; expected at least the {size} of {source.where(largest)}")
        if limit is not None and total > limit:
            warnings.warn(
                f"cache_limit: {limit / total:.0%} of the shards' {total} bytes fit; with shuffled reads most samples "
                "download a shard again; expected a larger limit, or no cache",
                stacklevel=2,
            )
        cache.mkdir(parents=True, exist_ok=True)
        self.source, self.cache, self.files, self.limit = source, cache, files, limit
        self._copies = LocalFolder(cache)
        self._fetched: set[str] = set()

    def where(self, name: str) -> str:
        """Return the path or URL of a file at its source."""
        return self.source.where(name)

    def size(self, name: str) -> int:
        """Return the bytes of a file; FileNotFoundError if there is none."""
        return self._copies.size(self._copy(name))

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer at the end of the file."""
        copy = self._copy(name)
        if self.limit is None:
            return self._copies.read(copy, offset, size)
        while True:
            try:  # opened for this read only: a removed copy that stays open would still take space
                file = os.open(self.cache / copy, os.O_RDONLY)
            except FileNotFoundError:  # removed by another process
                self._fetched.discard(name)
                self._copy(name)
                continue
            try:
                os.utime(file)  # most recently used
                return os.pread(file, size, offset)
            finally:
                os.close(file)

    def renew(self, name: str) -> bool:
        """Drop the copy, whose bytes were found damaged; the next read downloads the file again."""
        copy = f"{self.files[name].sha256}.tar"
        self._fetched.discard(name)
        self._copies.forget(copy)
        (self.cache / copy).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Close files and connections."""
        self._copies.close()
        self.source.close()

    def _copy(self, name: str) -> str:
        copy = f"{self.files[name].sha256}.tar"
        if name not in self._fetched:
            if not (self.cache / copy).is_file():
                self._download(name, self.cache / copy)
            self._fetched.add(name)
        return copy

    def _download(self, name: str, path: Path) -> None:
        # with a limit one download at a time, so that all processes together stay below it
        lock = path.with_suffix(".lock") if self.limit is None else self.cache / "limit.lock"
        partial, expected = path.with_suffix(".partial"), self.files[name].sha256
        with _locked(lock):
            if path.is_file():  # another process was faster
                return
            self._make_room(self.files[name].size, partial)
            for again in (True, False):
                with partial.open("ab") as file:
                    self.source.download(name, file)
                found = sha256_of(partial)
                if found == expected:
                    partial.replace(path)
                    return
                partial.unlink()
                if not again:
                    raise IntegrityError(f"{self.where(name)}: damaged: sha256 {found[:12]}; expected {expected[:12]}")

    def _make_room(self, size: int, partial: Path) -> None:
        """Remove the least recently read copies until `size` more bytes fit; files of other names stay."""
        if self.limit is None:
            return
        held = [(file.stat(), file) for file in self.cache.iterdir() if COPY.fullmatch(file.name)]
        held = sorted((status.st_mtime_ns, status.st_size, file) for status, file in held if file != partial)
        used = sum(size for _, size, _ in held)
        for _, bytes_held, file in held:
            if used + size <= self.limit:
                return
            file.unlink(missing_ok=True)
            self._copies.forget(file.name)
            used -= bytes_held


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that excludes other processes and threads; the kernel drops it when its holder dies."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


Folder = LocalFolder | RemoteFolder | CachedFolder
