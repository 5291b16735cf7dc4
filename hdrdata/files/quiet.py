"""Keep decoders, which write to the terminal, quiet while one is at work in any thread; what else is written stays."""

import contextlib
import io
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import cv2

NOISE = re.compile(  # lines of OpenEXR, libtiff, libpng, libjpeg, LibRaw and OpenCV
    rb"\(EXR_ERR_|^tempfile\.tif: |^(_?TIFF|Fax|LZW|ZIP|Zip|ZSTD|LZMA|JPEG|OJPEG|Log|PackBits|Thunder|WebP)\w*: "
    rb"|^(lib)?png (warning|error): |^(Corrupt|Premature end of|Invalid) JPEG|^JPEG datastream"
    rb"|^(\S+: )?(Unexpected end of file|data corrupted at -?\d+)$|^\[ ?(WARN|ERROR|INFO):\d+@",
    re.IGNORECASE,
)
_lock = threading.Lock()
_silence: "_Silence | None" = None
_stdout: "_Stdout | None" = None


class _Silence:
    """File descriptor 2, Python's warnings and OpenCV's log, while `working` decoders are at work."""

    def __init__(self) -> None:
        self.working = 0
        self.terminal = os.dup(2)
        self.collected = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        self.place = 0
        os.dup2(self.collected.fileno(), 2)
        self.warnings = warnings.catch_warnings(action="ignore")
        self.warnings.__enter__()
        self.level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def replay(self, last: bool) -> None:
        """Write the collected lines that are not a decoder's, such as those of other threads, to the terminal."""
        found = os.pread(self.collected.fileno(), os.fstat(self.collected.fileno()).st_size - self.place, self.place)
        if not last:
            found = found[: found.rfind(b"\n") + 1]
        self.place += len(found)
        kept = b"".join(line for line in found.splitlines(keepends=True) if not NOISE.search(line))
        while kept:
            kept = kept[os.write(self.terminal, kept) :]

    def end(self) -> None:
        cv2.utils.logging.setLogLevel(self.level)
        self.warnings.__exit__(None, None, None)
        os.dup2(self.terminal, 2)
        self.replay(last=True)
        os.close(self.terminal)
        self.collected.close()


class _Stdout:
    """Standard output in which what some threads print is collected."""

    def __init__(self, stdout: Any) -> None:
        self.stdout = stdout
        self.collected: dict[int, io.StringIO] = {}  # by thread

    def write(self, text: str) -> int:
        collected = self.collected.get(threading.get_ident())
        return (self.stdout if collected is None else collected).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stdout, name)


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep messages of libraries in C, which name no file, and Python's warnings off the terminal.

    File descriptors, warning filters and log levels belong to the process, so the first thread to enter changes them
    and the last to leave restores them. Lines that other threads write meanwhile arrive a little later.
    """
    global _silence
    with _lock:
        _silence = _silence or _Silence()
        _silence.working += 1
    try:
        yield
    finally:
        with _lock:
            _silence.working -= 1
            if _silence.working:
                _silence.replay(last=False)
            else:
                _silence.end()
                _silence = None


@contextlib.contextmanager
def collected_messages() -> Iterator[io.StringIO]:
    """Collect what the OpenEXR bindings print in this thread, which is all that they say of missing pixels."""
    global _stdout
    thread, printed = threading.get_ident(), io.StringIO()
    with quiet_decoders():
        with _lock:
            if _stdout is None or sys.stdout is not _stdout:
                _stdout = sys.stdout = _Stdout(sys.stdout)
            mine = _stdout
            mine.collected[thread] = printed
        try:
            yield printed
        finally:
            with _lock:
                del mine.collected[thread]
                if not mine.collected and sys.stdout is mine:
                    sys.stdout = mine.stdout


def _after_fork() -> None:
    """Leave the terminal to a process that was forked while another thread decoded."""
    global _silence
    if _silence is not None:
        _silence.end()
        _silence = None
    _lock.release()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork)
