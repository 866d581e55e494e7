"""What a delta bundle leaves out, and what says that the other side has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from bundle.errors import FormatError
from bundle.formats.fields import Fields, time_text
from bundle.oci.digest import Digest

BaseKind = Literal["receipt", "manifest"]
_KINDS: tuple[BaseKind, ...] = ("receipt", "manifest")
_SUBJECT = "manifest.json: 'delta'"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseName:
    """What a delta was made against: a receipt, which says what arrived, or a manifest, which says what was sent.

    `id` is that of the bundle it tells of, `time` when that was installed or made.
    """

    kind: BaseKind
    name: str
    version: str
    id: Digest
    time: datetime

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the member `base` of `delta`."""
        fields = Fields(data=data, subject=_SUBJECT)
        return cls(
            kind=_kind(fields),
            name=fields.name("name"),
            version=fields.name("version", "version"),
            id=fields.digest("id"),
            time=fields.time("time"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "id": str(self.id),
            "time": time_text(self.time),
        }

    def __str__(self) -> str:
        return f"the {self.kind} of {self.name} {self.version} ({time_text(self.time)}, id {str(self.id)[:19]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The blobs that a bundle leaves out, each with the repositories (HOST/PATH) that the base has it in."""

    base: BaseName
    blobs: Mapping[Digest, tuple[str, ...]] = field(hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the member `delta` of manifest.json."""
        fields = Fields(data=data, subject=_SUBJECT)
        blobs = fields.object("blobs")
        return cls(
            base=BaseName.from_dict(fields.typed("base", dict)),
            blobs={Digest.parse(digest): blobs.texts(digest) for digest in blobs.data},
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {
            "base": self.base.to_dict(),
            "blobs": {str(digest): list(places) for digest, places in sorted(self.blobs.items())},
        }


def _kind(fields: Fields) -> BaseKind:
    for kind in _KINDS:
        if fields.data.get("kind") == kind:
            return kind
    raise FormatError(f"{_SUBJECT}: 'kind' is {fields.data.get('kind')!r}, expected one of {', '.join(_KINDS)}")
