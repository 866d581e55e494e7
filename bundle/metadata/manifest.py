"""`manifest.json`: what a bundle holds, for programs (schema/manifest.schema.json)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.formats.fields import Fields, require_unique, time_text
from bundle.metadata.delta import Delta
from bundle.metadata.entries import ChartEntry, FileEntry, ProofEntry
from bundle.metadata.names import MANIFEST
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Choice, Platform, parse_choice, platform_text
from bundle.oci.reference import Reference
from bundle.transfer.attachment import Attachment

FORMAT_VERSION = 1

Layout = Literal["oci", "docker-archive"]
_LAYOUTS: tuple[Layout, ...] = ("oci", "docker-archive")
# What says how and when a bundle was made and checked, and not what is in it: two bundles of one content have one id.
_OUTSIDE_ID = frozenset({"id", "created", "tool", "archive", "proof", "signed", "carries"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """One image: `reference` is its internal name; `size` the bytes of its manifests and blobs together.

    `platform` is None for all platforms of an index. `file` is its own archive, empty in layout `oci`, and `archives`
    are those of its further platforms; `sbom` is the list of its packages, empty when none was made. `blobs` are all
    its configs and layers with their sizes, be they in this bundle or left out of it (bundle/delta.py). `attachments`
    are signatures and what else travels with it, always all of them; `unknown_referrers` says why it is not known
    whether there are more. `cosign_key` is the sha256 of the file with the public key that its signature was checked
    with. Of an image out of a Docker Engine, `config` is the digest of its config, and `upstream` the digest that was
    pulled, if it was.
    """

    name: str
    source: str
    reference: Reference
    digest: Digest
    media_type: str
    size: int
    platform: Choice
    file: str = ""
    sbom: str = ""
    blobs: Mapping[Digest, int] = field(default_factory=dict, hash=False)
    attachments: tuple[Attachment, ...] = ()
    cosign_key: Digest | None = None
    upstream: Digest | None = None
    config: Digest | None = None
    unknown_referrers: str = ""
    archives: Mapping[Platform, str] = field(default_factory=dict, hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `images`."""
        fields = Fields(data=data, subject=MANIFEST)
        return cls(
            name=fields.name("name"),
            source=fields.text("source"),
            reference=Reference.parse(fields.text("ref")),
            digest=Digest.parse(fields.text("digest")),
            media_type=fields.text("media_type"),
            size=fields.size("size"),
            platform=read_platform(fields),
            file=fields.path("file") if "file" in fields else "",
            sbom=fields.path("sbom") if "sbom" in fields else "",
            blobs=fields.sizes("blobs"),
            attachments=fields.each("attachments", Attachment.from_dict) if "attachments" in fields else (),
            cosign_key=fields.digest("cosign_key") if "cosign_key" in fields else None,
            upstream=fields.digest("upstream") if "upstream" in fields else None,
            config=fields.digest("config") if "config" in fields else None,
            unknown_referrers=fields.text("unknown_referrers") if "unknown_referrers" in fields else "",
            archives=_archives(fields.object("archives")) if "archives" in fields else {},
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
            "platform": platform_text(self.platform),
            "blobs": {str(digest): size for digest, size in sorted(self.blobs.items())},
        }
        digests = {"cosign_key": self.cosign_key, "upstream": self.upstream, "config": self.config}
        optional: dict[str, Any] = {key: str(digest or "") for key, digest in digests.items()}
        optional |= {"file": self.file, "sbom": self.sbom, "attachments": [each.to_dict() for each in self.attachments]}
        optional["unknown_referrers"] = self.unknown_referrers
        optional["archives"] = {str(platform): file for platform, file in sorted(self.archives.items())}
        return data | {key: value for key, value in optional.items() if value}

    @property
    def files(self) -> tuple[str, ...]:
        """Its archives, that of what an engine takes by itself first; none in layout `oci`."""
        return (self.file, *self.archives.values()) if self.file else ()

    @property
    def root(self) -> Descriptor:
        """The image's manifest or index, its own size not stated (0)."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedEntry:
    """An image that install makes of the image `base`, by adding the certificates of `add_ca`, as the spec says."""

    name: str
    base: str
    add_ca: str
    reference: Reference

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one entry of `derived`."""
        fields = Fields(data=data, subject=MANIFEST)
        return cls(
            name=fields.name("name"),
            base=fields.name("base"),
            add_ca=fields.text("add_ca"),
            reference=Reference.parse(fields.text("ref")),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {"name": self.name, "base": self.base, "add_ca": self.add_ca, "ref": str(self.reference)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """A bundle's content. `created` is UTC in whole seconds, `tool` the version that made it.

    `platform` is None for all; `registries` are the URLs that must be reachable on the far side; `split` is the
    largest size of a part in bytes, None for an archive in one piece; `delta` is what it leaves out, None where it
    holds everything; `signed` says that there must be a signature beside the list of checksums; `carries` has the
    versions of the packages in `airgap.pyz` by their names, and is empty in a bundle from before that was stated.
    """

    name: str
    version: str
    created: datetime
    tool: str
    layout: Layout
    platform: Choice
    images: tuple[ImageEntry, ...] = ()
    charts: tuple[ChartEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()
    registries: tuple[str, ...] = ()
    archive: bool = False
    split: int | None = None
    proof: tuple[ProofEntry, ...] = ()
    delta: Delta | None = None
    derived: tuple[DerivedEntry, ...] = ()
    signed: bool = False
    carries: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def stem(self) -> str:
        """The name of the bundle's directory, and of its archive without `.tar`; a delta has one of its own."""
        since = f"-since-{self.delta.base.version}" if self.delta else ""
        return f"{self.name}-{self.version}{since}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a manifest, its format version first; FormatError when it is unknown or the content not well-formed."""
        version = data.get("format")
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise FormatError(
                f"{MANIFEST} has format {version!r}, this program reads format {FORMAT_VERSION}",
                hint="use the airgap.pyz that lies in the bundle, or a newer release of this program",
            )
        fields = Fields(data=data, subject=MANIFEST)
        archive = fields.object("archive") if data.get("archive") is not None else None
        manifest = cls(
            name=fields.name("name"),
            version=fields.name("version", "version"),
            created=fields.time("created"),
            tool=fields.text("tool"),
            layout=_layout(fields),
            platform=read_platform(fields),
            images=fields.each("images", ImageEntry.from_dict),
            charts=fields.each("charts", ChartEntry.from_dict),
            files=fields.each("files", FileEntry.from_dict),
            registries=fields.texts("registries"),
            archive=archive is not None,
            split=archive.size("split") if archive and archive.data.get("split") is not None else None,
            proof=fields.each("proof", ProofEntry.from_dict),
            delta=Delta.from_dict(fields.typed("delta", dict)) if "delta" in fields else None,
            derived=fields.each("derived", DerivedEntry.from_dict) if "derived" in fields else (),
            signed=fields.typed("signed", bool),
            carries=_texts_by_name(fields.object("carries")) if "carries" in fields else {},
        )
        manifest._check_names()
        if data.get("id") != str(manifest.id):
            raise FormatError(f"{MANIFEST} has id {data.get('id')!r}, but its content has {str(manifest.id)!r}")
        return manifest

    def _check_names(self) -> None:
        inside = [(image.name, str(image.reference)) for image in self.images]
        inside += [(image.name, str(image.reference)) for image in self.derived]
        images = [file for image in self.images for file in image.files]
        require_unique(MANIFEST, "images named", [name for name, _ in inside])
        require_unique(MANIFEST, "images with the reference", [reference for _, reference in inside])
        require_unique(MANIFEST, "charts named", [chart.name for chart in self.charts])
        require_unique(MANIFEST, "files named", [file.name for file in self.files])
        files = [*images, *(chart.file for chart in self.charts), *(file.file for file in self.files)]
        require_unique(MANIFEST, "entries with the file", files)

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        return {**self._content(), "id": str(self.id)}

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the bytes of a manifest.json; FormatError when they are not one."""
        return cls.from_dict(Fields.decode(raw, MANIFEST).data)

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        return strict_json.readable(self.to_dict())

    def lacks(self, image: ImageEntry) -> dict[Digest, int]:
        """The blobs of an image that this bundle leaves out, with their sizes."""
        left_out = self.delta.blobs if self.delta else {}
        return {digest: size for digest, size in image.blobs.items() if digest in left_out}

    @property
    def id(self) -> Digest:
        """The digest over what the bundle holds: two bundles of the same content have the same."""
        content = {key: value for key, value in self._content().items() if key not in _OUTSIDE_ID}
        return Digest.of(strict_json.canonical(content, escaped=True))

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "name": self.name,
            "version": self.version,
            "created": time_text(self.created),
            "tool": self.tool,
            "layout": self.layout,
            "platform": platform_text(self.platform),
            "images": [image.to_dict() for image in self.images],
            "charts": [chart.to_dict() for chart in self.charts],
            "files": [file.to_dict() for file in self.files],
            "registries": list(self.registries),
            "archive": {"split": self.split} if self.archive else None,
            "proof": [entry.to_dict() for entry in self.proof],
            "signed": self.signed,
        }
        made = {"derived": [image.to_dict() for image in self.derived]} if self.derived else {}
        delta = {"delta": self.delta.to_dict()} if self.delta else {}
        carries = {"carries": dict(sorted(self.carries.items()))} if self.carries else {}
        return {**content, **made, **delta, **carries}


def read_platform(fields: Fields) -> Choice:
    """The inverse of platform_text, from the member `platform`."""
    return parse_choice(fields.text("platform"))


def _archives(fields: Fields) -> dict[Platform, str]:
    return {Platform.parse(name): fields.path(name) for name in fields.data}


def _texts_by_name(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name) for name in fields.data}


def _layout(fields: Fields) -> Layout:
    for layout in _LAYOUTS:
        if fields.data.get("layout") == layout:
            return layout
    raise FormatError(f"{MANIFEST}: 'layout' is {fields.data.get('layout')!r}, expected one of {', '.join(_LAYOUTS)}")
