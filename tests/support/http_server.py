"""A real HTTP server on this machine that serves files with ranges, and fails as it is told."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Failures = list[str]  # one a request, first to last: "500", "cut", "stall", "no ranges", "no length"


@dataclass
class Place:
    """What the server holds, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)  # by path
    failures: dict[str, Failures] = field(default_factory=dict)  # by path; used up from the front
    etags: bool = True
    headers: dict[str, str] = field(default_factory=dict)  # of each answer with a file
    chunk_seconds: float = 0.0  # between chunks of 4 kB
    requests: list[tuple[str, str | None, str]] = field(default_factory=list)  # path, Range, User-Agent
    sent: int = 0  # bytes of bodies
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ranges(self, path: str) -> list[str | None]:
        return [asked for name, asked, _ in self.requests if name == path]

    def add_polyhaven(self, contents: dict[str, bytes], **changes: object) -> None:
        """Publish panoramas as Poly Haven's API does: /assets, /files/<id> and the files."""
        assets = {}
        for number, (name, content) in enumerate(contents.items()):
            path = f"/file/ph-assets/HDRIs/exr/2k/{name}_2k.exr"
            self.files[path] = content
            entry = {"url": self.url + path, "md5": hashlib.md5(content).hexdigest(), "size": len(content), **changes}
            small = {"url": self.url + "/none", "md5": "0" * 32, "size": 1}
            tree = {"hdri": {"1k": {"hdr": small}, "2k": {"exr": entry, "hdr": small}}, "tonemapped": small}
            self.files[f"/files/{name}"] = json.dumps(tree).encode()
            assets[name] = {
                "name": name.replace("_", " ").title(),
                "type": 0,
                "authors": {"Greg Zaal": "All"},
                "categories": ["outdoor", "night" if number % 2 else "midday"],
                "category": "Streets & Town/Alleys",
                "max_resolution": [16384, 8192],
            }
        self.files["/assets"] = json.dumps(assets).encode()


@contextlib.contextmanager
def serving_in_a_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread, and close the server at the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def http_server() -> Iterator[Place]:
    """Serve a `Place` on a free port of the loopback interface."""
    place = Place()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked = self.headers["Range"]
            with place.lock:
                place.requests.append((path, asked, self.headers["User-Agent"]))
                waiting = place.failures.get(path, [])
                failure = waiting.pop(0) if waiting else ""
            content = place.files.get(path)
            if content is None or failure[:3].isdigit():
                self.answer(int(failure[:3] or 404), b"an error page", {"Retry-After": "0"})
                return
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            headers = {**place.headers, **({"ETag": etag} if place.etags else {})}
            first, total = 0, len(content)
            if asked and failure != "no ranges" and self.headers.get("If-Range", etag) == etag:
                begin, _, last = asked.removeprefix("bytes=").partition("-")
                first, content = int(begin), content[: int(last) + 1] if last else content
                if first >= total:
                    self.answer(416, b"", {"Content-Range": f"bytes */{total}"})
                    return
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{total}"
            self.answer(206 if "Content-Range" in headers else 200, content[first:], headers, failure)

        def answer(self, status: int, body: bytes, headers: dict[str, str], failure: str = "") -> None:
            self.send_response(status)
            length = {} if failure == "no length" else {"Content-Length": str(len(body))}
            for name, value in {**headers, **length}.items():
                self.send_header(name, value)
            self.end_headers()
            end = len(body) * 2 // 3 if failure == "cut" else len(body)
            with contextlib.suppress(ConnectionError):  # the client was killed, or has heard enough
                for start in range(0, end, 4096):
                    if failure == "stall" and start > end * 2 // 3:
                        time.sleep(1.0)
                    time.sleep(place.chunk_seconds)
                    chunk = body[start : min(start + 4096, end)]
                    self.wfile.write(chunk)
                    with place.lock:
                        place.sent += len(chunk)
            if failure in ("cut", "stall", "no length"):
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *of_what: None  # a client that went away
    place.url = f"http://127.0.0.1:{server.server_port}"
    with serving_in_a_thread(server):
        yield place
