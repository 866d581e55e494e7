"""airgap.lock: which bytes the names of a spec stand for, so that every run means the same.

JSON with sorted keys, one pin for each image, chart and file, made to be read in a diff.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from bundle.errors import FormatError, LockError, storage_errors
from bundle.formats import strict_json
from bundle.oci.digest import Digest
from bundle.oci.platform import platform_text
from bundle.storage.files import read_small, write_bytes
from bundle.transfer.referrers import Referrer
from schema.spec.contents import ChartSpec, FileSpec, ImageSpec

VERSION = 1
_Pin = TypeVar("_Pin")
_REMAKE = "restore it from version control, or delete it and run `doit lock`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePin:
    """The manifest that an image's source and platform (`all` or `os/architecture`) stand for.

    `size` is the sum of all its blobs in bytes, manifests included. `referrers` are what refers to it; `index` is the
    one that the source names, where that is looked at too because its signature vouches for the manifests it lists.
    `attestation` is the manifest by which an index attests to the one platform that is taken of it.
    `subset_of` is the index in the source, where the pinned one is made of several of its platforms.
    `unknown_referrers` says why it is not known whether more does, empty where that is known.
    `upstream` is set where a Docker Engine pulled it, which gives it in another form: its digest in the registry.
    """

    source: str
    platform: str
    digest: Digest
    media_type: str
    size: int
    index: Digest | None = None
    referrers: tuple[Referrer, ...] = ()
    upstream: Digest | None = None
    attestation: Digest | None = None
    unknown_referrers: str = ""
    subset_of: Digest | None = None

    def fits(self, image: ImageSpec) -> bool:
        """Whether the pin was made for what the spec says now."""
        known = not (image.require_referrers and self.unknown_referrers)
        return known and self.source == image.source_text and self.platform == platform_text(image.platform)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(
            source=_text(data, "source"),
            platform=_text(data, "platform"),
            digest=Digest.parse(_text(data, "digest")),
            media_type=_text(data, "media_type"),
            size=_size(data),
            index=Digest.parse(_text(data, "index")) if "index" in data else None,
            referrers=tuple(Referrer.from_dict(each) for each in _objects(data, "referrers")),
            upstream=Digest.parse(_text(data, "upstream")) if "upstream" in data else None,
            attestation=Digest.parse(_text(data, "attestation")) if "attestation" in data else None,
            subset_of=Digest.parse(_text(data, "subset_of")) if "subset_of" in data else None,
            unknown_referrers=_text(data, "unknown_referrers") if "unknown_referrers" in data else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; what is not always there (`index` and below) only where there is some."""
        data: dict[str, Any] = {
            "source": self.source,
            "platform": self.platform,
            "digest": str(self.digest),
            "media_type": self.media_type,
            "size": self.size,
        }
        digests = {"index": self.index, "upstream": self.upstream, "attestation": self.attestation}
        digests |= {"subset_of": self.subset_of}
        data |= {key: str(digest) for key, digest in digests.items() if digest}
        data |= {"unknown_referrers": self.unknown_referrers} if self.unknown_referrers else {}
        return data | ({"referrers": [each.to_dict() for each in self.referrers]} if self.referrers else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPin:
    """The packaged chart: sha256 and size in bytes of its .tgz, and the sha256 of its .prov file where there is one.

    `chart` is what its Chart.yaml calls it, empty where that is the entry's name.
    """

    source: str
    version: str
    sha256: Digest
    size: int
    provenance: Digest | None = None
    chart: str = ""

    def fits(self, chart: ChartSpec) -> bool:
        """Whether the pin was made for what the spec says now (a local chart may leave out its version)."""
        own = chart.chart in ("", self.chart or chart.name)
        return own and self.source == chart.source_text and chart.version in ("", self.version)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(
            source=_text(data, "source"),
            version=_text(data, "version"),
            sha256=Digest.parse(_text(data, "sha256")),
            size=_size(data),
            provenance=Digest.parse(_text(data, "provenance")) if "provenance" in data else None,
            chart=_text(data, "chart") if "chart" in data else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; no `provenance` and no `chart` where there is none."""
        data = {"source": self.source, "version": self.version, "sha256": str(self.sha256), "size": self.size}
        optional = {"provenance": str(self.provenance or ""), "chart": self.chart}
        return data | {key: value for key, value in optional.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePin:
    """A file's sha256 and size in bytes."""

    source: str
    sha256: Digest
    size: int

    def fits(self, file: FileSpec) -> bool:
        """Whether the pin was made for what the spec says now."""
        return self.source == file.source_text and file.sha256 in (None, self.sha256)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(source=_text(data, "source"), sha256=Digest.parse(_text(data, "sha256")), size=_size(data))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"source": self.source, "sha256": str(self.sha256), "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All pins, by the names that the spec gives."""

    images: Mapping[str, ImagePin] = field(default_factory=dict)
    charts: Mapping[str, ChartPin] = field(default_factory=dict)
    files: Mapping[str, FilePin] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The lock at `path`; an absent file is an empty lock, one that can't be understood a LockError."""
        with storage_errors("read the lock file", path):
            try:
                text = read_small(path)
            except FileNotFoundError:
                return cls()
        try:
            return cls.from_dict(strict_json.loads(text))
        except FormatError as err:
            raise LockError(f"{path}: {err.what}", hint=err.hint or _REMAKE) from err
        except ValueError as err:
            raise LockError(f"{path} is not JSON: {err}", hint=_REMAKE) from err

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """The exact inverse of to_dict; anything else is a FormatError."""
        if not isinstance(data, dict) or "version" not in data:
            raise FormatError("this is no lock file: it has no version")
        if data["version"] != VERSION:
            raise FormatError(
                f"the lock file has version {data['version']!r}, expected {VERSION}",
                hint="another version of this program wrote it: use that one, or delete it and run `doit lock`",
            )
        return cls(
            images=_pins(data, "images", ImagePin.from_dict),
            charts=_pins(data, "charts", ChartPin.from_dict),
            files=_pins(data, "files", FilePin.from_dict),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "version": VERSION,
            "images": {name: pin.to_dict() for name, pin in self.images.items()},
            "charts": {name: pin.to_dict() for name, pin in self.charts.items()},
            "files": {name: pin.to_dict() for name, pin in self.files.items()},
        }

    def with_image(self, name: str, pin: ImagePin) -> Self:
        """The same lock with this image's pin set."""
        return replace(self, images={**self.images, name: pin})

    def with_chart(self, name: str, pin: ChartPin) -> Self:
        """The same lock with this chart's pin set."""
        return replace(self, charts={**self.charts, name: pin})

    def with_file(self, name: str, pin: FilePin) -> Self:
        """The same lock with this file's pin set."""
        return replace(self, files={**self.files, name: pin})

    def restricted_to(self, *, images: Collection[str], charts: Collection[str], files: Collection[str]) -> Self:
        """The same lock without the pins of names that are not listed."""
        return replace(
            self,
            images={name: pin for name, pin in self.images.items() if name in images},
            charts={name: pin for name, pin in self.charts.items() if name in charts},
            files={name: pin for name, pin in self.files.items() if name in files},
        )

    def write(self, path: Path) -> bool:
        """Write the lock whole or not at all, and not when the file says the same already; returns whether it wrote."""
        data = strict_json.readable(self.to_dict())
        with storage_errors("write the lock file", path):
            if path.is_file() and path.read_bytes() == data:
                return False
            write_bytes(path, data)
        return True


def _pins(data: Mapping[str, Any], kind: str, read: Callable[[Mapping[str, Any]], _Pin]) -> dict[str, _Pin]:
    pins = data.get(kind, {})
    if not isinstance(pins, dict):
        raise FormatError(f"{kind!r} of the lock file is not an object")
    result = {}
    for name, pin in pins.items():
        if not isinstance(pin, dict):
            raise FormatError(f"the pin of {name!r} in {kind!r} is not an object")
        try:
            result[name] = read(pin)
        except FormatError as err:
            raise FormatError(f"the pin of {name!r} in {kind!r} is damaged: {err.what}") from err
    return result


def _objects(data: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    items = data.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FormatError(f"{key} is {items!r}, expected a list of objects")
    return items


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise FormatError(f"{key} is {value!r}, expected text")
    return value


def _size(data: Mapping[str, Any]) -> int:
    size = data.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise FormatError(f"size is {size!r}, expected a number of bytes")
    return size
