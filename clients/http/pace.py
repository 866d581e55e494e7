"""How slowly a server may answer: a total time for headers, a least rate for what follows, little that is not content.

Time-outs of sockets begin anew with each byte, so that a server that drips would otherwise never be too late.
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_FRAMING = 16  # bytes that may come for one of content: chunks of one byte have seven
_SPARE = 1024 * 1024  # bytes of framing that are always taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Headers within `answer` seconds of their first byte; then `least` bytes within each `within` seconds.

    Only time that is spent waiting for the server counts. `clock` is injectable.
    """

    answer: float = 120.0
    least: int = 128 * 1024
    within: float = 120.0
    clock: Callable[[], float] = time.monotonic


class SlowError(TimeoutError):
    """A server that sends more slowly than the Pace."""


class PacedReader(io.RawIOBase):
    """What comes over a connection, at a Pace; `raw` is closed with it."""

    def __init__(self, raw: io.RawIOBase, pace: Pace) -> None:
        self._raw, self._pace = raw, pace
        self._headers = True
        self._begun = False
        self._waited = 0.0
        self._came = 0
        self._left: int | None = None
        self._whole = False

    def content(self) -> None:
        """The headers are over."""
        self._headers, self._waited, self._came = False, 0.0, 0

    def allow(self, wanted: int, *, whole: bool) -> None:
        """So many bytes of content are read next, and no endless chunk headers or trailers around them.

        Who waits for the `whole` of them gets a large buffer filled, over as many records of TLS as it takes.
        """
        self._left, self._whole = wanted * _FRAMING + _SPARE, whole

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a large buffer, or what of it comes before the end; a stream's own small one takes what is there."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            got = self._read(view[filled:])
            filled += got
            if not got or not self._whole or len(view) <= io.DEFAULT_BUFFER_SIZE:
                break
        return filled

    def close(self) -> None:
        """Close the connection's own reader too."""
        super().close()
        self._raw.close()

    def _read(self, view: memoryview) -> int:
        began = self._pace.clock()
        got = cast(Any, self._raw).readinto(view) or 0
        self._came += got
        if self._left is not None:
            self._left -= got
            if self._left < 0:
                raise HTTPException("more chunk headers and trailers than content")
        if self._begun or not self._headers:
            self._waited += self._pace.clock() - began
        self._begun = True
        if self._headers:
            if self._waited > self._pace.answer:
                raise SlowError(f"its answer took more than {self._pace.answer:.0f} s")
        elif self._came >= self._pace.least:
            self._waited, self._came = 0.0, 0
        elif self._waited > self._pace.within:
            raise SlowError(f"it sent {self._came} bytes in {self._waited:.0f} s, expected {self._pace.least} or more")
        return got


class _PacedResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, pace: Pace, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._reader = PacedReader(self.fp.detach(), pace)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        self._reader.content()

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            self._reader.allow(amt, whole=True)
        return super().read(amt)

    def read1(self, n: int = -1) -> bytes:
        self._reader.allow(max(n, 0), whole=False)
        return super().read1(n)


def keep_pace(manager: urllib3.PoolManager, pace: Pace) -> None:
    """Let a manager's connections read at a Pace, what a proxy answers to CONNECT included."""

    class _Http(HTTPConnection):
        response_class = staticmethod(partial(_PacedResponse, pace=pace))  # type: ignore[assignment]

    class _Https(HTTPSConnection):
        response_class = staticmethod(partial(_PacedResponse, pace=pace))  # type: ignore[assignment]

    class _HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = _Http

    class _HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = _Https

    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
