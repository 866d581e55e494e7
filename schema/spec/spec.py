"""The resolved spec: what one airgap.yaml says, with every default explicit and every value parsed.

`to_dict` is what the bundle carries as airgap.json: the words of airgap.yaml, paths relative to the spec file. It holds
no secret, because secrets are only ever named in a spec, and no path of the machine that made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

from bundle.errors import FormatError
from bundle.formats.json_path import ImageField
from bundle.oci.locations import HostSettings
from bundle.oci.platform import Choice, parse_choice, platform_text
from bundle.oci.reference import Reference
from schema.spec.contents import ChartSpec, DerivedImageSpec, FileSpec, ImageSpec
from schema.spec.install import InstallSpec
from schema.spec.names import check_names, check_paths
from schema.spec.settings import SettingSpec
from schema.syntax.notation import optional_path, path_text

VERSION = 1
ARCHIVE_ONLY = "only"

Layout = Literal["oci", "docker-archive"]
EngineKind = Literal["none", "docker"]
"""Whether images move through a Docker Engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySpec:
    """Fields besides the well-known ones."""

    fields: tuple[ImageField, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(fields=tuple(ImageField.from_dict(item) for item in data["fields"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"fields": [item.to_dict() for item in self.fields]}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSpec:
    """How the bundle is signed: `key` is a private key's file, or the public one of a key in an agent or a token."""

    key: Path
    key_text: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(key=base / Path(data["key"]).expanduser(), key_text=data["key"])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, as the spec says it."""
        return {"key": self.key_text}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSpec:
    """What is made: `platform` None keeps all platforms of an index; `split` is the size of a part in bytes.

    `directory` is False where an archive is all that is kept; `sign` is None for a bundle that nobody signs.
    """

    name: str
    version: str
    layout: Layout
    platform: Choice
    archive: bool
    directory: bool
    split: int | None
    require_proof: bool
    sign: SignSpec | None
    sbom: bool
    report: bool

    @property
    def directory_name(self) -> str:
        """`<name>-<version>`, also the stem of the archive's name."""
        return f"{self.name}-{self.version}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            name=data["name"],
            version=data["version"],
            layout=cast("Layout", data["layout"]),
            platform=parse_choice(data["platform"]),
            archive=data["archive"] is not False,
            directory=data["archive"] != ARCHIVE_ONLY,
            split=data["split"],
            require_proof=data["require_proof"],
            sign=SignSpec.from_dict(data["sign"], base) if data["sign"] else None,
            sbom=data["sbom"],
            report=data["report"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `split` in bytes or null."""
        return {
            "name": self.name,
            "version": self.version,
            "layout": self.layout,
            "platform": platform_text(self.platform),
            "archive": self.archive if self.directory else ARCHIVE_ONLY,
            "split": self.split,
            "require_proof": self.require_proof,
            "sign": self.sign.to_dict() if self.sign else None,
            "sbom": self.sbom,
            "report": self.report,
        }


CHARTS = "charts"  # where charts are pushed below a registry's prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySpec:
    """The internal registry: `prefix` as the cluster names it, `push` as the installing machine does (often the same).

    `charts` is the path below it that charts are pushed to (`.` for none), empty where they are not.
    """

    prefix: str
    push: str
    charts: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(prefix=data["prefix"], push=data["push"], charts=data["charts"])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"prefix": self.prefix, "push": self.push, "charts": self.charts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One airgap.yaml, resolved; `path` is that file, and relative paths were relative to its directory.

    `images` are carried, `derived` are made of them inside. `settings` are what a site decides.
    """

    path: Path
    version: int
    bundle: BundleSpec
    registry: RegistrySpec
    hosts: Mapping[str, HostSettings]
    images: tuple[ImageSpec, ...]
    derived: tuple[DerivedImageSpec, ...]
    charts: tuple[ChartSpec, ...]
    files: tuple[FileSpec, ...]
    discovery: DiscoverySpec
    install: InstallSpec
    engine: EngineKind = "none"
    settings: tuple[SettingSpec, ...] = ()

    @property
    def targets(self) -> tuple[Reference, ...]:
        """What all images are called inside, those that are made there included."""
        return (*(image.target for image in self.images), *(image.target for image in self.derived))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, path: Path) -> Self:
        """The exact inverse of to_dict, for the same `path`; needs neither YAML nor JSON Schema.

        Another format version, or data that is no resolved spec, is a FormatError.
        """
        if not isinstance(data, Mapping):
            raise FormatError(f"this is no resolved spec: expected an object, found {type(data).__name__}")
        if data.get("version") != VERSION:
            raise FormatError(
                f"resolved spec has version {data.get('version')!r}, expected {VERSION}",
                hint="use the airgap.pyz that lies in the same bundle",
            )
        base = path.parent
        try:
            check_names(data)
            check_paths(data)
            return cls(
                path=path,
                version=data["version"],
                bundle=BundleSpec.from_dict(data["bundle"], base),
                registry=RegistrySpec.from_dict(data["registry"]),
                hosts={host: _host_from_dict(settings, base) for host, settings in data["registries"].items()},
                images=tuple(ImageSpec.from_dict(item, base) for item in data["images"] if "base" not in item),
                derived=tuple(DerivedImageSpec.from_dict(item) for item in data["images"] if "base" in item),
                charts=tuple(ChartSpec.from_dict(item, base) for item in data["charts"]),
                files=tuple(FileSpec.from_dict(item, base) for item in data["files"]),
                discovery=DiscoverySpec.from_dict(data["discovery"]),
                install=InstallSpec.from_dict(data["install"], base),
                engine=cast("EngineKind", data["engine"]),
                settings=tuple(SettingSpec.from_dict(name, item) for name, item in data.get("site", {}).items()),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as err:
            raise FormatError(f"this is no resolved spec: {type(err).__name__} at {err}") from err

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data in the words of airgap.yaml, the same for the same spec in whatever directory."""
        base = self.path.parent
        return {
            "version": self.version,
            "bundle": self.bundle.to_dict(),
            "registry": self.registry.to_dict(),
            "registries": {host: _host_to_dict(settings, base) for host, settings in self.hosts.items()},
            "images": [*(each.to_dict(base) for each in self.images), *(each.to_dict() for each in self.derived)],
            "charts": [chart.to_dict(base) for chart in self.charts],
            "files": [file.to_dict() for file in self.files],
            "discovery": self.discovery.to_dict(),
            "install": self.install.to_dict(base),
            "engine": self.engine,
            "site": {each.name: each.to_dict() for each in self.settings},
        }


def _host_from_dict(data: Mapping[str, Any], base: Path) -> HostSettings:
    return HostSettings(
        ca=optional_path(data["ca"], base),
        client_cert=optional_path(data["client_cert"], base),
        client_key=optional_path(data["client_key"], base),
        plain_http=data["plain_http"],
        mirror=data["mirror"],
    )


def _host_to_dict(settings: HostSettings, base: Path) -> dict[str, Any]:
    return {
        "ca": path_text(settings.ca, base),
        "client_cert": path_text(settings.client_cert, base),
        "client_key": path_text(settings.client_key, base),
        "plain_http": settings.plain_http,
        "mirror": settings.mirror,
    }
