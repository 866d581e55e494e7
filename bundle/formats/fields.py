"""The members of one JSON object from outside, each read as what it must be."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.formats.grammar import NameKind, parse_name
from bundle.oci.digest import Digest
from bundle.storage.files import inside

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_T = TypeVar("_T")


def time_text(moment: datetime) -> str:
    """A time as our files state it: UTC, RFC 3339, whole seconds."""
    return moment.astimezone(UTC).strftime(_TIME)


def require_unique(subject: str, kind: str, names: Iterable[str]) -> None:
    """FormatError where one comes twice: readers would differ on which of the two counts. `kind` is in the plural."""
    if twice := next((name for name, count in Counter(names).items() if count > 1), ""):
        raise FormatError(f"{subject} has two {kind} {twice!r}", hint="do not use it; make it anew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """An object's members by key. A FormatError names `subject`, the key, and what was found instead."""

    data: Mapping[str, Any]
    subject: str

    @classmethod
    def decode(cls, raw: bytes, subject: str) -> Self:
        """Read the bytes of a file that holds one JSON object."""
        data = strict_json.decode(raw, subject)
        if not isinstance(data, dict):
            raise FormatError(f"{subject} is not a JSON object")
        return cls(data=data, subject=subject)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def typed(self, key: str, kind: type[_T]) -> _T:
        """A member of exactly this type: True is no number."""
        value = self.data.get(key)
        if type(value) is not kind:
            raise FormatError(f"{self.subject}: {key!r} is {value!r}, expected {kind.__name__}")
        return value

    def text(self, key: str) -> str:
        """A text."""
        return self.typed(key, str)

    def name(self, key: str, kind: NameKind = "name") -> str:
        """A name, spelled as its kind is (bundle/formats/grammar.py)."""
        return parse_name(self.typed(key, str), f"{self.subject}: {key!r}", kind)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        items = self.typed(key, list)
        if not all(isinstance(item, str) for item in items):
            raise FormatError(f"{self.subject}: {key!r} has an item that is not text")
        return tuple(items)

    def size(self, key: str) -> int:
        """A number of bytes."""
        value = self.typed(key, int)
        if value < 0:
            raise FormatError(f"{self.subject}: {key!r} is {value}, expected a number of bytes")
        return value

    def path(self, key: str) -> str:
        """A path inside the bundle."""
        text = self.text(key)
        inside(Path(), text)
        return text

    def digest(self, key: str) -> Digest:
        """A digest, with its algorithm."""
        return Digest.parse(self.text(key))

    def sha256(self, key: str) -> Digest:
        """A sha256, as sha256sum writes it."""
        return Digest.parse(f"sha256:{self.text(key)}")

    def time(self, key: str) -> datetime:
        """A time in UTC."""
        text = self.text(key)
        try:
            return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
        except ValueError as err:
            expected = "expected a time as 2026-01-31T12:00:00Z"
            raise FormatError(f"{self.subject}: {key!r} is {text!r}, {expected}") from err

    def object(self, key: str) -> Self:
        """An object."""
        return self._replaced(self.typed(key, dict))

    def objects(self, key: str) -> Iterator[Self]:
        """A list of objects."""
        items = self.typed(key, list)
        if not all(isinstance(item, dict) for item in items):
            raise FormatError(f"{self.subject}: {key!r} has an item that is not an object")
        return map(self._replaced, items)

    def each(self, key: str, read: Callable[[Mapping[str, Any]], _T]) -> tuple[_T, ...]:
        """A list of objects, each read by `read`."""
        return tuple(read(item.data) for item in self.objects(key))

    def sizes(self, key: str) -> dict[Digest, int]:
        """An object of sizes in bytes by digest."""
        sizes = self.object(key)
        return {Digest.parse(digest): sizes.size(digest) for digest in sizes.data}

    def _replaced(self, data: Mapping[str, Any]) -> Self:
        return type(self)(data=data, subject=self.subject)
