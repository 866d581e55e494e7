"""JSON: from outside, read in the one way that every reader agrees on; of ours, the same bytes for the same value."""

import json
import re
from collections.abc import Iterator
from typing import Any

from bundle.errors import FormatError

_BLANK = re.compile(r"[ \t\r\n]*")
_MAX_VALUES = 1_000_000  # values of one document: what a megabyte of `[[],[],` becomes takes a hundred times as much


def decode(raw: bytes | str, subject: str) -> Any:
    """The value; a FormatError names `subject` where it is no JSON, or names a key twice (RFC 8259, section 4).

    Readers differ on which of two values counts, so a reviewer might be shown another than what is installed.
    """
    try:
        _count(raw)
        return json.loads(raw, object_pairs_hook=unique_members)
    except RecursionError as err:
        raise FormatError(f"{subject} is not JSON that anybody writes: it is nested too deeply") from err
    except ValueError as err:
        raise FormatError(f"{subject} is not JSON: {err}") from err


def loads(raw: bytes | str) -> Any:
    """The value, as `json.loads` reads it: for what is looked at and not relied on. A ValueError for all that is none.

    What is nested so deeply that Python gives up, or has numbers of thousands of digits or a million values, is none.
    """
    try:
        _count(raw)
        return json.loads(raw)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err


def _count(raw: bytes | str) -> None:
    """A ValueError for a document of more values than anybody writes; signs in texts count too."""
    text = isinstance(raw, str)
    signs = (raw.count(sign) if text else raw.count(sign.encode()) for sign in "[{,")  # type: ignore[arg-type]
    if sum(signs) > _MAX_VALUES:
        raise ValueError(f"it has more than {_MAX_VALUES} values")


def stream(text: str) -> Iterator[Any]:
    """The values that stand one after another in what a program of ours wrote; a ValueError for all that is none."""
    decoder, at = json.JSONDecoder(), _blank(text, 0)
    try:
        while at < len(text):
            value, end = decoder.raw_decode(text, at)
            yield value
            at = _blank(text, end)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err


def _blank(text: str, at: int) -> int:
    """Where the white space ends that begins here."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def exact(text: str) -> Any:
    """The value, where no key comes twice and no number is NaN; a ValueError or RecursionError for all that is none.

    For what may hold secrets: none of them repeats it, but for a JSONDecodeError, whose place may be told.
    """
    _count(text)
    return json.loads(text, object_pairs_hook=unique_members, parse_constant=_no_constant)


def canonical(value: object, *, escaped: bool = False) -> bytes:
    """The value's shortest JSON, keys sorted: what is named by its digest. `escaped` writes ASCII only (`\\u00e9`)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=escaped).encode()


def readable(value: object, *, indent: int = 2, escaped: bool = False) -> bytes:
    """The value's JSON for files that people read too, keys sorted, with a newline at the end; `escaped` as above."""
    return (json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=escaped) + "\n").encode()


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its members; a ValueError when a key is given twice, which does not repeat it."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key that is given twice")
    return members


def _no_constant(_text: str) -> None:
    raise ValueError("NaN or Infinity")
