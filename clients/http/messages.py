"""Requests and answers as callers see them."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Authorizer(Protocol):
    """Lets requests into one place. Used by several threads at once."""

    def headers(self) -> Mapping[str, str]:
        """What to send along, as far as known."""

    def answer(self, challenges: tuple[str, ...], sent: Mapping[str, str]) -> bool:
        """Whether a 401 with these WWW-Authenticate values, given to the headers `sent`, is worth another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedBody:
    """`size` bytes to send that are made anew, from the start, for each attempt. Errors of `open` come through."""

    size: int
    open: Callable[[], Generator[bytes | memoryview]]


Body = bytes | StreamedBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A successful answer; header names are looked up without regard to case.

    `url` is the address that gave it, after redirects: what the answer names relatively is relative to that.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        """That of the body, without parameters; empty where it is not told."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
