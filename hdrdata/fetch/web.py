"""HTTP with patience."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from hdrdata.terminal import printable

PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers after which a server may give another
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_JSON = 64 << 20  # bytes
Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """Waiting times for a server."""

    attempts: int  # without a byte of progress
    pause_seconds: float  # after the first failure; doubled after each further one
    timeout_seconds: float  # of a connection, and between two bytes


class Failure(Exception):
    """A file that cannot be had, and why in a few words."""


class Passing(Exception):
    """Failure that a retry may fix."""

    def __init__(self, reason: str, pause_seconds: float = 0.0):
        super().__init__(reason)
        self.pause_seconds = pause_seconds


class Web:
    """HTTP with patience, for several threads; `stop` ends all waiting."""

    def __init__(self, patience: Patience):
        self.patience = patience
        self.stop = threading.Event()
        self.session = requests.Session()
        self.session.headers["User-Agent"] = f"hdr-attnet/{version('hdr-attnet')} (hdrdata fetch)"
        adapter = HTTPAdapter(pool_maxsize=64)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)

    def json(self, url: str) -> Any:
        """The JSON that `url` answers with.

        Raises:
            Failure: if it cannot be had.
        """

        def ask() -> Any:
            with self.open(url, {"Accept-Encoding": "identity"}) as response:
                content = b""
                for chunk in response.iter_content(1 << 16):
                    content += chunk
                    if len(content) > LONGEST_JSON:
                        raise Failure(f"answered with more than {LONGEST_JSON} bytes")
                try:
                    return json.loads(content)
                except (ValueError, RecursionError) as error:
                    raise Passing("answered with something that is not JSON") from error

        return self.patiently(ask, lambda: 0)

    def open(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Begin to read `url`: status 200, 206 or 416, or an error."""
        timeout = self.patience.timeout_seconds
        response = self.session.get(url, headers=headers, stream=True, timeout=(timeout, timeout))
        encoding = response.headers.get("Content-Encoding", "identity")
        if response.status_code in (200, 206, 416) and encoding in ("identity", ""):
            return response
        with response:
            if response.status_code in (200, 206, 416):  # unpacked, it could have any size
                raise Failure(f"the server compresses its answer ({printable(encoding, 40)}), which was not requested")
            reason = f"the server answered {response.status_code} {response.reason}".strip()
            if response.status_code not in PASSING:
                raise Failure(reason)
            stated = response.headers.get("Retry-After", "")
            raise Passing(reason, min(float(stated), LONGEST_PAUSE_SECONDS) if stated.isdigit() else 0.0)

    def patiently(self, action: Callable[[], Result], progress: Callable[[], int]) -> Result:
        """Try `action` until it works or has failed too often since `progress` was last seen to grow."""
        failed, furthest = 0, progress()
        while True:
            try:
                return action()
            except requests.exceptions.InvalidURL as error:
                raise Failure(f"not a URL that can be fetched: {error}") from error
            except requests.RequestException as error:
                reason, pause = _in_words(error), 0.0
            except Passing as error:
                reason, pause = str(error), error.pause_seconds
            if progress() > furthest:
                failed, furthest = 0, progress()
            failed += 1
            if failed >= self.patience.attempts:
                raise Failure(f"{reason} ({failed} times)")
            doubled = self.patience.pause_seconds * 2 ** (failed - 1)
            if self.stop.wait(max(pause, min(doubled, LONGEST_PAUSE_SECONDS))):
                raise Failure("interrupted")


def _in_words(error: requests.RequestException) -> str:
    """Return what happened to a connection, without the address and objects in the message of requests."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "IncompleteRead" in str(error):
        return "the connection was cut"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return " ".join(str(error).split())
