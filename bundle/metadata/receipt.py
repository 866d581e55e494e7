"""`receipt.json`: what is inside, as an installation left it; carried back, later bundles are made against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.formats.fields import Fields, time_text
from bundle.metadata.manifest import read_platform
from bundle.oci.digest import Digest
from bundle.oci.platform import Choice, platform_text
from bundle.oci.reference import Reference

FORMAT_VERSION = 1
RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedImage:
    """One image inside: the name that the cluster pulls it by, and its configs and layers with their sizes."""

    name: str
    reference: Reference
    digest: Digest
    blobs: Mapping[Digest, int] = field(hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `images`."""
        fields = Fields(data=data, subject=RECEIPT)
        return cls(
            name=fields.name("name"),
            reference=Reference.parse(fields.text("ref")),
            digest=fields.digest("digest"),
            blobs=fields.sizes("blobs"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {
            "name": self.name,
            "ref": str(self.reference),
            "digest": str(self.digest),
            "blobs": {str(digest): size for digest, size in sorted(self.blobs.items())},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedChart:
    """One chart as it was carried."""

    name: str
    version: str
    digest: Digest

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `charts`."""
        fields = Fields(data=data, subject=RECEIPT)
        return cls(name=fields.name("name"), version=fields.name("version", "version"), digest=fields.sha256("sha256"))

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"name": self.name, "version": self.version, "sha256": self.digest.hex}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRelease:
    """One release, its revision when the receipt was written, and its chart with the version (`web-1.0.0`)."""

    name: str
    namespace: str
    revision: int
    chart: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `releases`."""
        fields = Fields(data=data, subject=RECEIPT)
        return cls(
            name=fields.name("name", "release"),
            namespace=fields.name("namespace", "label"),
            revision=fields.typed("revision", int),
            chart=fields.name("chart", "version"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"name": self.name, "namespace": self.namespace, "revision": self.revision, "chart": self.chart}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSecret:
    """A secret that an installation made, by its name; `generated` when what it holds was made inside."""

    name: str
    namespace: str
    generated: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `secrets`."""
        fields = Fields(data=data, subject=RECEIPT)
        return cls(
            name=fields.text("name"),
            namespace=fields.name("namespace", "label"),
            generated=fields.typed("generated", bool),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"name": self.name, "namespace": self.namespace, "generated": self.generated}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """What an earlier bundle brought, and the one that is installed now no longer names."""

    releases: tuple[ReceivedRelease, ...] = ()
    secrets: tuple[ReceivedSecret, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.releases or self.secrets)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read `left_over`."""
        fields = Fields(data=data, subject=RECEIPT)
        return cls(
            releases=fields.each("releases", ReceivedRelease.from_dict),
            secrets=fields.each("secrets", ReceivedSecret.from_dict),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {
            "releases": [each.to_dict() for each in self.releases],
            "secrets": [each.to_dict() for each in self.secrets],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is inside. `installed` is UTC in whole seconds, `tool` the version that installed; `name`, `version`, `id`,
    `created` and `platform` (None for all) are those of the bundle. `sums` is the digest of its SHA256SUMS, which was
    signed: `id` names what it holds, `sums` this very build; a receipt of an earlier release has none.
    """

    tool: str
    installed: datetime
    name: str
    version: str
    id: Digest
    created: datetime
    platform: Choice
    sums: Digest | None = None
    images: tuple[ReceivedImage, ...] = ()
    charts: tuple[ReceivedChart, ...] = ()
    releases: tuple[ReceivedRelease, ...] = ()
    secrets: tuple[ReceivedSecret, ...] = ()
    left_over: LeftOver = LeftOver()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a receipt, its format version first; FormatError when it is unknown or the content not well-formed."""
        version = data.get("format")
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise FormatError(
                f"{RECEIPT} has format {version!r}, this program reads format {FORMAT_VERSION}",
                hint="use a newer release of this program",
            )
        fields = Fields(data=data, subject=RECEIPT)
        bundle = fields.object("bundle")
        return cls(
            tool=fields.text("tool"),
            installed=fields.time("installed"),
            name=bundle.name("name"),
            version=bundle.name("version", "version"),
            id=bundle.digest("id"),
            created=bundle.time("created"),
            platform=read_platform(bundle),
            sums=bundle.digest("sums") if "sums" in bundle else None,
            images=fields.each("images", ReceivedImage.from_dict),
            charts=fields.each("charts", ReceivedChart.from_dict),
            releases=fields.each("releases", ReceivedRelease.from_dict),
            secrets=fields.each("secrets", ReceivedSecret.from_dict) if "secrets" in fields else (),
            left_over=LeftOver.from_dict(fields.object("left_over").data) if "left_over" in fields else LeftOver(),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict; what there is none of is left out."""
        secrets = {"secrets": [each.to_dict() for each in self.secrets]} if self.secrets else {}
        left_over = {"left_over": self.left_over.to_dict()} if self.left_over else {}
        sums = {"sums": str(self.sums)} if self.sums else {}
        return {
            "format": FORMAT_VERSION,
            "tool": self.tool,
            "installed": time_text(self.installed),
            "bundle": {
                "name": self.name,
                "version": self.version,
                "id": str(self.id),
                **sums,
                "created": time_text(self.created),
                "platform": platform_text(self.platform),
            },
            "images": [image.to_dict() for image in self.images],
            "charts": [chart.to_dict() for chart in self.charts],
            "releases": [release.to_dict() for release in self.releases],
            **secrets,
            **left_over,
        }

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the bytes of a receipt.json; FormatError when they are not one."""
        return cls.from_dict(Fields.decode(raw, RECEIPT).data)

    def encode(self) -> bytes:
        """The bytes of receipt.json."""
        return strict_json.readable(self.to_dict(), escaped=True)
