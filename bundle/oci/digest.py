"""Content digests, as the OCI image-spec writes them (descriptor.md, "Digests")."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol, Self

from bundle.errors import FormatError

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")
_OTHER = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")  # descriptor.md's grammar of any digest


class Hasher(Protocol):
    """The part of hashlib's objects that is used here."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Digest:
    """`algorithm:hex`, with a registered algorithm (sha256 or sha512) and lower-case hex of its length."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sha256:<64 hex>` or `sha512:<128 hex>`; anything else is a FormatError."""
        algorithm, _, hex_part = text.partition(":")
        length = _HEX_LENGTH.get(algorithm)
        if length is None and _OTHER.fullmatch(text):
            raise FormatError(
                f"{text!r} is not a digest by sha256 or sha512 but by {algorithm}, which is not supported",
                hint="build the image again with sha256 digests",
            )
        if length is None or len(hex_part) != length or not _HEX.fullmatch(hex_part):
            raise FormatError(f"{text!r} is not a digest", hint="write sha256: and 64 lower-case hexadecimal digits")
        return cls(algorithm=algorithm, hex=hex_part)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The sha256 digest of `data`."""
        return cls(algorithm="sha256", hex=hashlib.sha256(data).hexdigest())

    def hasher(self) -> Hasher:
        """A fresh hash object of this digest's algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=True)

    def matches(self, data: bytes) -> bool:
        """Whether `data` has this digest."""
        hasher = self.hasher()
        hasher.update(data)
        return hasher.hexdigest() == self.hex

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
