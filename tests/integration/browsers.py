"""Debian's Chromium without a window, as the browser that a reviewer has."""

import html
import json
import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.parts import program

_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
)
_DARK = "--blink-settings=preferredColorScheme=0"
_SECONDS = 120
# Looks at a page from outside of it, where scripts may run: the page itself forbids them.
_WATCHER = """<!DOCTYPE html><title>watcher</title>
<iframe id="page" src="{page}" style="width: {width}px; height: 900px; border: 0"></iframe><pre id="seen"></pre>
<script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument;
  const look = {look};
  document.getElementById("seen").textContent = JSON.stringify(look(page, event.target.contentWindow));
}};
</script>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser with a profile of its own."""

    path: str
    profile: Path

    @classmethod
    def find(cls, profile: Path) -> "Browser":
        """The installed one; a PartError when there is none."""
        return cls(path=program("chromium", "chromium-browser"), profile=profile)

    def document(self, page: Path) -> tuple[str, list[str]]:
        """The page as the browser has understood it, and what its console says."""
        return self._run(page, "--dump-dom")

    def look(self, page: Path, look: str, *, width: int) -> Any:
        """What a function `(document, window) => value` of JavaScript finds on a page of this width, in pixels."""
        watcher = page.with_suffix(".watcher.html")
        watcher.write_text(_WATCHER.format(page=page.resolve().as_uri(), width=width, look=look))
        options = ("--allow-file-access-from-files", "--virtual-time-budget=10000", f"--window-size={width + 50},1000")
        text, said = self._run(watcher, "--dump-dom", *options)
        found = re.search(r'<pre id="seen">(.*?)</pre>', text, re.DOTALL)
        assert found and found[1], f"nothing was seen: {said}"  # noqa: PT018
        return json.loads(html.unescape(found[1]))

    def screenshot(self, page: Path, target: Path, *, width: int, height: int, dark: bool = False) -> "Picture":
        """What one sees of a page in a window of this size, in pixels."""
        scheme = [_DARK] if dark else []
        self._run(page, f"--window-size={width},{height}", f"--screenshot={target}", *scheme)
        return Picture.read(target)

    def print(self, page: Path, target: Path) -> bytes:
        """The page on paper, as PDF."""
        self._run(page, "--no-pdf-header-footer", f"--print-to-pdf={target}")
        return target.read_bytes()

    def _run(self, page: Path, *options: str) -> tuple[str, list[str]]:
        argv = [self.path, *_QUIET, f"--user-data-dir={self.profile}", "--enable-logging=stderr", *options]
        done = subprocess.run(
            [*argv, page.resolve().as_uri()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A screenshot: its size in pixels, the colour of its upper left one, and how many of its rows are unlike."""

    width: int
    height: int
    ground: str
    unlike_rows: int

    @classmethod
    def read(cls, path: Path) -> "Picture":
        """A PNG of 8 bits a channel, not interlaced (RFC 2083). Rows are compared as they are filtered."""
        data = path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
        assert (depth, interlaced) == (8, 0)
        packed, position = b"", 8
        while position < len(data):
            size, kind = struct.unpack(">I4s", data[position : position + 8])
            packed += data[position + 8 : position + 8 + size] if kind == b"IDAT" else b""
            position += size + 12
        raw = zlib.decompress(packed)
        row = 1 + width * {2: 3, 6: 4}[colour]
        rows = {raw[start : start + row] for start in range(0, len(raw), row)}
        return cls(width=width, height=height, ground=f"#{raw[1:4].hex()}", unlike_rows=len(rows))
