"""What manifest.json says of a chart, of another file, and of a proof (schema/manifest.schema.json)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.formats.fields import Fields
from bundle.oci.digest import Digest

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartEntry:
    """One chart; `file` and `provenance` (empty when there is none) are paths inside the bundle.

    `keyring` is the sha256 of the file with the public keys that its signature was checked with, None where none was.
    `chart` is what its Chart.yaml calls it, empty where that is its name here.
    """

    name: str
    version: str
    source: str
    file: str
    digest: Digest
    size: int
    provenance: str = ""
    keyring: Digest | None = None
    chart: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `charts`."""
        fields = Fields(data=data, subject=_MANIFEST)
        return cls(
            name=fields.name("name"),
            version=fields.name("version", "version"),
            source=fields.text("source"),
            file=fields.path("file"),
            digest=fields.sha256("sha256"),
            size=fields.size("size"),
            provenance=fields.path("provenance") if "provenance" in fields else "",
            keyring=fields.digest("keyring") if "keyring" in fields else None,
            chart=fields.text("chart") if "chart" in fields else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        data: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "file": self.file,
            "sha256": self.digest.hex,
            "size": self.size,
        }
        optional = {"provenance": self.provenance, "keyring": str(self.keyring or ""), "chart": self.chart}
        return data | {key: value for key, value in optional.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One other file; a `tool` is put on PATH during install."""

    name: str
    source: str
    file: str
    digest: Digest
    size: int
    tool: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `files`."""
        fields = Fields(data=data, subject=_MANIFEST)
        return cls(
            name=fields.name("name"),
            source=fields.text("source"),
            file=fields.path("file"),
            digest=fields.sha256("sha256"),
            size=fields.size("size"),
            tool=fields.typed("tool", bool),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {
            "name": self.name,
            "source": self.source,
            "file": self.file,
            "sha256": self.digest.hex,
            "size": self.size,
            "tool": self.tool,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEntry:
    """Whether every image that a release's chart renders is in the bundle; `reason` says why that is not proven."""

    release: str
    proven: bool
    reason: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `proof`."""
        fields = Fields(data=data, subject=_MANIFEST)
        return cls(
            release=fields.name("release", "release"), proven=fields.typed("proven", bool), reason=fields.text("reason")
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"release": self.release, "proven": self.proven, "reason": self.reason}
