"""Files of a remote folder, whole in a folder of this machine."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hdrdata.files.disk import sha256_of
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.remote import LocalFolder, RemoteFolder


class CachedFolder:
    """Whole files of a remote folder in a local one: each downloaded once by all processes, and held against its
    SHA-256 before any of them reads it.

    A copy's name is its SHA-256, so that equal names of different datasets do not meet. A download that was cut short
    goes on where it was.
    """

    gap = LocalFolder.gap

    def __init__(self, source: RemoteFolder, cache: Path, digests: Mapping[str, str]):
        """
        Args:
            cache: folder for the copies; made if it is not there.
            digests: the SHA-256 of each file.
        """
        cache.mkdir(parents=True, exist_ok=True)
        self.source, self.cache, self.digests = source, cache, digests
        self._copies = LocalFolder(cache)
        self._fetched: set[str] = set()

    def where(self, name: str) -> str:
        """The URL of a file."""
        return self.source.where(name)

    def size(self, name: str) -> int:
        """Bytes of a file; FileNotFoundError if there is none."""
        return self._copies.size(self._copy(name))

    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        return self._copies.read(self._copy(name), offset, size)

    def renew(self, name: str) -> bool:
        """Drop the copy, whose bytes were found damaged; the next read downloads the file again."""
        copy = self._copy(name)
        self._fetched.discard(name)
        self._copies.forget(copy)
        (self.cache / copy).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Close files and connections."""
        self._copies.close()
        self.source.close()

    def _copy(self, name: str) -> str:
        copy = f"{self.digests[name]}.tar"
        if name not in self._fetched:
            if not (self.cache / copy).is_file():
                self._download(name, self.cache / copy)
            self._fetched.add(name)
        return copy

    def _download(self, name: str, path: Path) -> None:
        partial = path.with_suffix(".partial")
        with _locked(path.with_suffix(".lock")):
            if path.is_file():  # another process was faster
                return
            for again in (True, False):
                with partial.open("ab") as file:
                    self.source.download(name, file)
                found = sha256_of(partial)
                if found == self.digests[name]:
                    partial.replace(path)
                    return
                partial.unlink()
                if not again:
                    wanted = self.digests[name]
                    raise IntegrityError(f"{self.where(name)}: damaged: sha256 {found[:12]}, wanted {wanted[:12]}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock against other processes and threads; the kernel drops it when its holder dies."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


Folder = LocalFolder | RemoteFolder | CachedFolder
