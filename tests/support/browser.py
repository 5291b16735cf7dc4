"""Chromium without a window, over a pipe: pages in it, real keys and pointers, and what its console says."""

import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--mute-audio")
QUIET = ("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe")

# The browser reads from file 3 and writes to file 4.
TAKE_PIPES = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(file), fcntl.F_DUPFD, 10) for file in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page at a time, driven by the Chrome DevTools Protocol."""

    def __init__(self, program: str, user: Path):
        there, self._in = os.pipe()
        self._out, back = os.pipe()
        command = [program, *FLAGS, *QUIET, f"--user-data-dir={user}", "about:blank"]
        self._process = subprocess.Popen(
            [*(sys.executable, "-c", TAKE_PIPES, str(there), str(back)), *command],
            pass_fds=(there, back),
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        self._pending, self._number, self._session = b"", 0, None
        self.said: list[str] = []  # errors, and all that the console says
        self.asked: list[str] = []  # addresses that the page loads
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._in)
        os.close(self._out)

    def _receive(self) -> dict:
        while b"\0" not in self._pending:
            assert select.select([self._out], [], [], 60)[0], "the browser says nothing"
            more = os.read(self._out, 2**20)
            assert more, "the browser ended"
            self._pending += more
        message, _, self._pending = self._pending.partition(b"\0")
        told = json.loads(message)
        params = told.get("params", {})
        if told.get("method") == "Runtime.exceptionThrown":
            self.said.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif told.get("method") == "Runtime.consoleAPICalled":
            self.said.append(str(params["args"]))
        elif told.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif told.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        return told

    def call(self, method: str, **params: object) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while (told := self._receive()).get("id") != self._number:
            pass
        assert "error" not in told, told
        return told["result"]

    def open(self, page: Path, width: int = 1200, height: int = 800, *, dark: bool = False) -> None:
        """Open a page and wait until it is loaded."""
        self.said.clear()
        self.asked.clear()
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> object:
        """The value of an expression in the page, waited for if it is a promise."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        text = {"text": key} if len(key) == 1 else {}
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}
        event = {"key": key, "modifiers": 8 * shift, "windowsVirtualKeyCode": codes.get(key, 0), **text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """kind: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def screenshot(self) -> str:
        """A PNG in base64."""
        return self.call("Page.captureScreenshot", format="png")["data"]
