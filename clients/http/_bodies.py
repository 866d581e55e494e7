"""Bodies of answers as their sender has them: content codings that nobody asked for are undone (RFC 9110, 8.4)."""

import io
import time
from collections.abc import Iterator

import urllib3
from urllib3 import exceptions

from bundle.formats.numbers import number
from bundle.storage.files import CHUNK
from clients.http.pace import SlowError

_FIRST_READ = 64 * 1024  # bytes; grows to CHUNK, so that a link that is cut again and again still gets ahead
_PACKED_NAMES = (".tgz", ".gz", ".tbz", ".bz2", ".xz", ".zst")


def small_body(response: urllib3.BaseHTTPResponse, limit: int, *, seconds: float) -> bytes:
    """The body's first `limit` bytes. A body read to its end leaves the connection to the next request.

    It may take so many `seconds` in all, else it is a SlowError: a server that drips a byte now and then would
    otherwise never be too late.
    A body whose coding is stated and is not there is given as it came.
    """
    parts, left = [], limit
    ends = time.monotonic() + seconds
    while left and (part := response.read1(left, decode_content=False)):
        if time.monotonic() > ends:
            raise SlowError(f"its answer took more than {seconds:.0f} s")
        parts.append(part)
        left -= len(part)
    raw = b"".join(parts)
    if not raw or not _coding(response):
        return raw
    coded = urllib3.HTTPResponse(
        body=io.BytesIO(raw), headers={"Content-Encoding": _coding(response)}, preload_content=False
    )
    try:
        return coded.read(limit, decode_content=True)
    except exceptions.DecodeError:
        return raw


def is_coded(response: urllib3.BaseHTTPResponse, size: int | None, url: str) -> bool:
    """Whether a coding lies over a body that is to have `size` bytes in all (None: not known).

    Some servers state as the coding what the file itself is compressed with. It is the file that is wanted then: its
    length, or where that is not known its name, tells.
    """
    if not _coding(response):
        return False
    if size is None:
        return not url.partition("?")[0].lower().endswith(_PACKED_NAMES)
    return _whole_length(response) != str(size)


def chunks(response: urllib3.BaseHTTPResponse, at: int, size: int | None, *, coded: bool) -> Iterator[bytes]:
    """The bytes from `at` on, a CHUNK or less at a time, whatever offset the response starts at.

    Never beyond `size` bytes in all (None: until it ends).
    """
    skip = at - _start(response, at)
    amount = _FIRST_READ
    while size is None or at < size:
        wanted = amount if size is None else min(amount, size - at + skip)
        chunk = response.read(wanted, decode_content=coded)
        if not chunk:
            return
        amount = min(amount * 2, CHUNK)
        if skip:
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
        if chunk:
            at += len(chunk)
            yield chunk


def _coding(response: urllib3.BaseHTTPResponse) -> str:
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if coding == "identity" else coding


def _whole_length(response: urllib3.BaseHTTPResponse) -> str:
    """How long the whole is that the response is all or a part of, as its headers state."""
    if response.status == 206:
        return response.headers.get("Content-Range", "").rpartition("/")[2]
    return response.headers.get("Content-Length", "")


def _start(response: urllib3.BaseHTTPResponse, asked: int) -> int:
    """The offset that the body starts at: 0 where the server ignored the Range."""
    if response.status != 206:
        return 0
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    first = number(rest.partition("-")[0])
    return first if unit == "bytes" and first is not None and first <= asked else asked
