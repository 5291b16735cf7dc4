"""Files of one folder by ranges of bytes: on a disk, on a web server, in an object store; or whole in a local cache."""

import contextlib
import io
import os
import random
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

CHUNK = 1 << 22  # bytes of a download that are held in memory
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # answers of a web server that may be another one a little later
Result = TypeVar("Result")


@dataclass(frozen=True)
class Retry:
    """Number and delay of the attempts of a remote read; a file on a disk is read once.

    Args:
        attempts: in all, the first one too.
        pause_seconds: before the second attempt; each further pause is twice as long. A random share of up to a half is
            left out, so that many readers do not come back at once.
        timeout_seconds: for a web server to be reached, and between two pieces of its answer.
    """

    attempts: int = 5
    pause_seconds: float = 0.5
    timeout_seconds: float = 30.0


class LocalFolder:
    """Files below a folder of this machine, by `os.pread`; threads and forked processes share the open files."""

    gap = -1  # bytes between two ranges up to which they are read as one: never, for that costs a copy

    def __init__(self, folder: Path):
        self.folder = folder
        self._files: dict[str, int] = {}
        self._retired: list[int] = []  # a thread may still read from them

    def where(self, name: str) -> str:
        """The name of a file in messages."""
        return str(self.folder / name)

    def size(self, name: str) -> int:
        """Bytes of a file; FileNotFoundError if there is none."""
        return os.fstat(self._open(name)).st_size

    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        return os.pread(self._open(name), size, offset)

    def read_whole(self, name: str) -> bytes:
        """All bytes of a small file."""
        return (self.folder / name).read_bytes()

    def download(self, name: str, file: io.BufferedIOBase) -> None:
        """Append the missing bytes of a remote file to `file`, which may contain its beginning."""
        with (self.folder / name).open("rb") as source:
            source.seek(file.tell())
            shutil.copyfileobj(source, file, CHUNK)

    def renew(self, name: str) -> bool:
        """Return whether reading again may give other bytes than those that were found damaged."""
        return False

    def forget(self, name: str) -> None:
        """Open the file again when it is next read."""
        if (file := self._files.pop(name, None)) is not None:
            self._retired.append(file)

    def close(self) -> None:
        """Close the files that were opened; the next read opens them again."""
        while self._files or self._retired:
            os.close(self._retired.pop() if self._retired else self._files.popitem()[1])

    def _open(self, name: str) -> int:
        file = self._files.get(name)
        if file is not None:
            return file
        opened = os.open(self.folder / name, os.O_RDONLY)
        kept = self._files.setdefault(name, opened)  # of two threads that open a file at once, one keeps it
        if kept != opened:
            os.close(opened)
        return kept

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_files": {}, "_retired": []}

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # where __init__ failed
            self.close()


class RemoteFolder(ABC):
    """Files below a URL. What fails in passing is tried again; a connection belongs to one process."""

    gap = 1 << 16  # a request costs about as long as so many bytes

    def __init__(self, url: str, retry: Retry):
        self.url, self.retry = url, retry
        self._connection: Any = None
        self._process = 0

    def where(self, name: str) -> str:
        """The URL of a file."""
        parts = urlsplit(self.url)  # a signature stays where it is, behind the path
        return parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()

    def read_whole(self, name: str) -> bytes:
        """All bytes of a small file."""
        content = io.BytesIO()
        self.download(name, content)
        return content.getvalue()

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file; FileNotFoundError if there is none."""

    @abstractmethod
    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""

    @abstractmethod
    def download(self, name: str, file: io.BufferedIOBase) -> None:
        """Append the missing bytes of a remote file to `file`, which may contain its beginning."""

    def renew(self, name: str) -> bool:
        """Return whether reading again may give other bytes than those that were found damaged."""
        return True

    def close(self) -> None:
        """Close the connection; the next read opens one."""
        self._connection = None

    def _connected(self, connect: Callable[[], Any]) -> Any:
        if self._connection is None or self._process != os.getpid():  # sockets do not survive a fork
            self._connection, self._process = connect(), os.getpid()
        return self._connection

    def _retried(self, name: str, task: Callable[[], Result]) -> Result:
        for attempt in range(1, self.retry.attempts + 1):
            try:
                return task()
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{self.where(name)}: no such file") from error
            except PermissionError as error:
                raise PermissionError(f"{self.where(name)}: {error}") from error
            except ValueError as error:
                raise ValueError(f"{self.where(name)}: {error}") from error
            except Exception as error:  # each driver has its own classes for a network that fails
                if attempt == self.retry.attempts:
                    reason = " ".join(f"{type(error).__name__}: {error}".split())
                    raise OSError(f"{self.where(name)}: {reason} (attempt {attempt} of {attempt})") from error
            pause = self.retry.pause_seconds * 2 ** (attempt - 1)
            time.sleep(pause * random.SystemRandom().uniform(0.5, 1.0))
        raise ValueError(f"{self.retry.attempts} attempts; expected at least 1")

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_connection": None}


class HttpFolder(RemoteFolder):
    """Files of a web server, by Range requests. Proxies and certificates are those of the environment (requests)."""

    def size(self, name: str) -> int:
        def ask() -> int:
            with self._get(name, "0-0") as answer:
                if answer.status_code == 200:
                    return int(answer.headers["Content-Length"])
                return int(answer.headers["Content-Range"].rpartition("/")[2])

        return self._retried(name, ask)

    def read(self, name: str, offset: int, size: int) -> bytes:
        def ask() -> bytes:
            with self._get(name, f"{offset}-{offset + size - 1}") as answer:
                if answer.status_code == 416:  # beyond the end
                    return b""
                if answer.status_code != 206:
                    raise ValueError(
                        "the server ignores Range requests and would send the whole file for each sample; "
                        "expected cache=FOLDER, which downloads each shard once"
                    )
                content = bytearray()
                for chunk in answer.iter_content(CHUNK):
                    content += chunk
                    if len(content) > size:
                        break
            if len(content) != size:
                raise ConnectionError(f"{len(content)} bytes at {offset}; asked for {size}")
            return bytes(content)

        return self._retried(name, ask)

    def download(self, name: str, file: io.BufferedIOBase) -> None:
        def ask() -> None:
            have = file.tell()
            with self._get(name, f"{have}-" if have else None) as answer:
                if answer.status_code == 416:
                    return
                if answer.status_code != 206:  # the server sends all of it
                    file.seek(0)
                    file.truncate()
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)

        self._retried(name, ask)

    @contextlib.contextmanager
    def _get(self, name: str, byte_range: str | None) -> Iterator[Any]:
        import requests

        session = self._connected(requests.Session)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={byte_range}"} if byte_range else {})
        timeout = self.retry.timeout_seconds
        with session.get(self.where(name), headers=headers, stream=True, timeout=timeout) as answer:
            status = answer.status_code
            if status in (404, 410):
                raise FileNotFoundError(f"HTTP {status}")
            if status in (401, 403):
                raise PermissionError(f"the server refuses it (HTTP {status})")
            if status in TRANSIENT:
                raise ConnectionError(f"HTTP {status}")
            if status not in (200, 206, 416):
                raise ValueError(f"the server answers HTTP {status}")
            yield answer


class StoreFolder(RemoteFolder):
    """Files of any store that fsspec supports: s3://, gs://, hf:// and so on. Credentials are those of its driver."""

    def size(self, name: str) -> int:
        files, root = self._store()
        return int(self._retried(name, lambda: files.size(f"{root}/{name}")))

    def read(self, name: str, offset: int, size: int) -> bytes:
        files, root = self._store()
        return self._retried(name, lambda: files.cat_file(f"{root}/{name}", start=offset, end=offset + size))

    def download(self, name: str, file: io.BufferedIOBase) -> None:
        end = self.size(name)
        while (have := file.tell()) < end:
            file.write(self.read(name, have, min(CHUNK, end - have)))

    def _store(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            return self._connected(lambda: url_to_fs(self.url.rstrip("/")))
        except ImportError as error:
            extra = "; expected pip install 'hdr-attnet[s3]'" if self.url.startswith("s3:") else ""
            raise ValueError(f"{self.url}: {error}{extra}") from error


def open_folder(url: str, retry: Retry) -> LocalFolder | RemoteFolder:
    """The folder at a path or a URL: `file:`, `http:`, `https:`, or whatever fsspec supports.

    Raises:
        ValueError: when it is first read, if nothing that is installed reads such a URL.
    """
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme in ("http", "https"):
        return HttpFolder(url, retry)
    if scheme not in ("", "file"):
        return StoreFolder(url, retry)
    return LocalFolder(Path(url2pathname(urlsplit(url).path) if scheme else url))
