"""`manifest.json`: what a bundle holds, for programs (schema/manifest.schema.json)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from bundle.descriptor import Descriptor
from bundle.digest import Digest
from bundle.errors import FormatError
from bundle.files import inside
from bundle.platform import Platform
from bundle.reference import Reference

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MANIFEST_TEXT = "manifest.txt"
ALL_PLATFORMS = "all"

Layout = Literal["oci", "docker-archive"]
_LAYOUTS: tuple[Layout, ...] = ("oci", "docker-archive")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# What says how and when a bundle was made and checked, and not what is in it: two bundles of one content have one id.
_OUTSIDE_ID = frozenset({"id", "created", "tool", "archive", "proof"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """One image: `reference` is its internal name; `size` the bytes of its manifests and blobs together.

    `platform` is None for all platforms of an index. `file` is its own archive, empty in layout `oci`; `sbom` the list
    of its packages, empty when none was made.
    """

    name: str
    source: str
    reference: Reference
    digest: Digest
    media_type: str
    size: int
    platform: Platform | None
    file: str = ""
    sbom: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `images`."""
        return cls(
            name=_text(data, "name"),
            source=_text(data, "source"),
            reference=Reference.parse(_text(data, "ref")),
            digest=Digest.parse(_text(data, "digest")),
            media_type=_text(data, "media_type"),
            size=_number(data, "size"),
            platform=_platform(data),
            file=_path(data, "file") if "file" in data else "",
            sbom=_path(data, "sbom") if "sbom" in data else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        data: dict[str, Any] = {
            "name": self.name,
            "source": self.source,
            "ref": str(self.reference),
            "digest": str(self.digest),
            "media_type": self.media_type,
            "size": self.size,
            "platform": str(self.platform or ALL_PLATFORMS),
        }
        optional = {"file": self.file, "sbom": self.sbom}
        return data | {key: path for key, path in optional.items() if path}

    @property
    def root(self) -> Descriptor:
        """The image's manifest or index, its own size not stated (0)."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartEntry:
    """One chart; `file` and `provenance` (empty when there is none) are paths inside the bundle."""

    name: str
    version: str
    source: str
    file: str
    digest: Digest
    size: int
    provenance: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `charts`."""
        return cls(
            name=_text(data, "name"),
            version=_text(data, "version"),
            source=_text(data, "source"),
            file=_path(data, "file"),
            digest=_sha256(data),
            size=_number(data, "size"),
            provenance=_path(data, "provenance") if "provenance" in data else "",
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
        return {**data, "provenance": self.provenance} if self.provenance else data


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
        return cls(
            name=_text(data, "name"),
            source=_text(data, "source"),
            file=_path(data, "file"),
            digest=_sha256(data),
            size=_number(data, "size"),
            tool=_typed(data, "tool", bool),
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
        return cls(release=_text(data, "release"), proven=_typed(data, "proven", bool), reason=_text(data, "reason"))

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"release": self.release, "proven": self.proven, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """A bundle's content. `created` is UTC in whole seconds, `tool` the version that made it.

    `platform` is None for all; `registries` are the URLs that must be reachable on the far side; `split` is the
    largest size of a part in bytes, None for an archive in one piece.
    """

    name: str
    version: str
    created: datetime
    tool: str
    layout: Layout
    platform: Platform | None
    images: tuple[ImageEntry, ...] = ()
    charts: tuple[ChartEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()
    registries: tuple[str, ...] = ()
    archive: bool = False
    split: int | None = None
    proof: tuple[ProofEntry, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a manifest, its format version first; FormatError when it is unknown or the content not well-formed."""
        version = data.get("format")
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise FormatError(
                f"{MANIFEST} has format {version!r}, this program reads format {FORMAT_VERSION}",
                hint="use the airgap.pyz that lies in the bundle, or a newer release of this program",
            )
        archive = _typed(data, "archive", dict) if data.get("archive") is not None else None
        manifest = cls(
            name=_text(data, "name"),
            version=_text(data, "version"),
            created=_time(data, "created"),
            tool=_text(data, "tool"),
            layout=_layout(data),
            platform=_platform(data),
            images=_each(data, "images", ImageEntry.from_dict),
            charts=_each(data, "charts", ChartEntry.from_dict),
            files=_each(data, "files", FileEntry.from_dict),
            registries=_texts(data, "registries"),
            archive=archive is not None,
            split=_number(archive, "split") if archive and archive.get("split") is not None else None,
            proof=_each(data, "proof", ProofEntry.from_dict),
        )
        if data.get("id") != str(manifest.id):
            raise FormatError(f"{MANIFEST} has id {data.get('id')!r}, but its content has {str(manifest.id)!r}")
        return manifest

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {**self._content(), "id": str(self.id)}

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the bytes of a manifest.json; FormatError when they are not one."""
        try:
            data = json.loads(raw)
        except ValueError as err:
            raise FormatError(f"{MANIFEST} is not JSON: {err}") from err
        if not isinstance(data, dict):
            raise FormatError(f"{MANIFEST} is not a JSON object")
        return cls.from_dict(data)

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        return (json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @property
    def id(self) -> Digest:
        """The digest over what the bundle holds: two bundles of the same content have the same."""
        content = {key: value for key, value in self._content().items() if key not in _OUTSIDE_ID}
        return Digest.of(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT_VERSION,
            "name": self.name,
            "version": self.version,
            "created": self.created.astimezone(UTC).strftime(_TIME),
            "tool": self.tool,
            "layout": self.layout,
            "platform": str(self.platform or ALL_PLATFORMS),
            "images": [image.to_dict() for image in self.images],
            "charts": [chart.to_dict() for chart in self.charts],
            "files": [file.to_dict() for file in self.files],
            "registries": list(self.registries),
            "archive": {"split": self.split} if self.archive else None,
            "proof": [entry.to_dict() for entry in self.proof],
        }


def _typed(data: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    value = data.get(key)
    if type(value) is not kind:
        raise FormatError(f"{MANIFEST}: {key!r} is {value!r}, expected {kind.__name__}")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    return _typed(data, key, str)


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    items = _typed(data, key, list)
    if not all(isinstance(item, str) for item in items):
        raise FormatError(f"{MANIFEST}: {key!r} has an item that is not text")
    return tuple(items)


def _path(data: Mapping[str, Any], key: str) -> str:
    text = _text(data, key)
    inside(Path(), text)
    return text


def _number(data: Mapping[str, Any], key: str) -> int:
    value = _typed(data, key, int)
    if value < 0:
        raise FormatError(f"{MANIFEST}: {key!r} is {value}, expected a number of bytes")
    return value


def _sha256(data: Mapping[str, Any]) -> Digest:
    return Digest.parse(f"sha256:{_text(data, 'sha256')}")


def _platform(data: Mapping[str, Any]) -> Platform | None:
    text = _text(data, "platform")
    return None if text == ALL_PLATFORMS else Platform.parse(text)


def _time(data: Mapping[str, Any], key: str) -> datetime:
    text = _text(data, key)
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as err:
        raise FormatError(f"{MANIFEST}: {key!r} is {text!r}, expected a time as 2026-01-31T12:00:00Z") from err


def _layout(data: Mapping[str, Any]) -> Layout:
    for layout in _LAYOUTS:
        if data.get("layout") == layout:
            return layout
    raise FormatError(f"{MANIFEST}: 'layout' is {data.get('layout')!r}, expected one of {', '.join(_LAYOUTS)}")


def _each(data: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], _T]) -> tuple[_T, ...]:
    items = _typed(data, key, list)
    if not all(isinstance(item, dict) for item in items):
        raise FormatError(f"{MANIFEST}: {key!r} has an item that is not an object")
    return tuple(read(item) for item in items)
