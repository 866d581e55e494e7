"""How a secret is made inside, that nobody outside may know."""

from dataclasses import dataclass
from typing import Literal, Self

from bundle.errors import FormatError
from bundle.formats.numbers import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """How a secret is made once: `length` characters of an alphabet, written `hex64` or `alnum32`."""

    alphabet: Literal["hex", "alnum"]
    length: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `hex<N>` or `alnum<N>` with N from 1 to 999."""
        for alphabet in ("hex", "alnum"):
            length = number(text.removeprefix(alphabet)) if text.startswith(alphabet) else None
            if length and length < 1000:
                return cls(alphabet=alphabet, length=length)
        raise FormatError(f"{text!r} is no way to generate a secret", hint="write hex64 or alnum32, for example")

    def __str__(self) -> str:
        return f"{self.alphabet}{self.length}"
