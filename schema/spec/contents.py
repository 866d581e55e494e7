"""What crosses: images, charts and files, as the spec has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from bundle.oci.locations import ChartLocation, ImageLocation, parse_chart, parse_image
from bundle.oci.platform import Choice, parse_choice, platform_text
from bundle.oci.reference import Reference
from schema.syntax import template
from schema.syntax.notation import optional_path, path_text

REQUIRE = "require"  # of `referrers`


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """One image: where it comes from and the full name that it gets inside; `platform` None keeps all platforms.

    `referrers` says whether signatures and what else refers to it travel too; what can't be asked for or had of them is
    an error where they are required. It must be signed with `cosign_key`, a file with a public key, where there is one.
    """

    name: str
    source: ImageLocation
    source_text: str
    target: Reference
    platform: Choice
    referrers: bool = True
    cosign_key: Path | None = None
    require_referrers: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            name=data["name"],
            source=parse_image(data["source"], base),
            source_text=data["source"],
            target=Reference.parse(data["target"]),
            platform=parse_choice(data["platform"]),
            referrers=data["referrers"] is not False,
            require_referrers=data["referrers"] == REQUIRE,
            cosign_key=optional_path(data["verify"]["cosign_key"], base),
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data; paths relative to `base`."""
        return {
            "name": self.name,
            "source": self.source_text,
            "target": str(self.target),
            "platform": platform_text(self.platform),
            "referrers": REQUIRE if self.require_referrers else self.referrers,
            "verify": {"cosign_key": path_text(self.cosign_key, base)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSpec:
    """One chart. `version` is exact, and empty only for a local chart that takes what its Chart.yaml says.

    `chart` is what its Chart.yaml must call it; empty where a registry or a path decides, or it is `name`.
    `images` are the names of the images whose tag is this version. It must be signed with a key of `keyring`, a file
    with GPG public keys, where there is one.
    """

    name: str
    source: ChartLocation
    source_text: str
    version: str
    images: tuple[str, ...]
    keyring: Path | None = None
    chart: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            name=data["name"],
            source=parse_chart(data["source"], base),
            source_text=data["source"],
            version=data["version"],
            images=tuple(data["images"]),
            keyring=optional_path(data["verify"]["keyring"], base),
            chart=data["chart"],
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data; paths relative to `base`."""
        return {
            "name": self.name,
            "source": self.source_text,
            "version": self.version,
            "chart": self.chart,
            "images": list(self.images),
            "verify": {"keyring": path_text(self.keyring, base)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """One file, from an http(s) address (text, always with a sha256) or a path; a `tool` is on install's PATH."""

    name: str
    source: str | Path
    source_text: str
    sha256: Digest | None
    tool: bool

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            name=data["name"],
            source=parse_file_source(data["source"], base),
            source_text=data["source"],
            sha256=Digest.parse(f"sha256:{data['sha256']}") if data["sha256"] else None,
            tool=data["tool"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `sha256` in hex or null."""
        return {
            "name": self.name,
            "source": self.source_text,
            "sha256": self.sha256.hex if self.sha256 else None,
            "tool": self.tool,
        }


def parse_file_source(text: str, base: Path) -> str | Path:
    """Read a file's `source`: an http(s) address stays text, a path is relative to `base`."""
    if text.startswith(("https://", "http://")):
        return text
    if "://" in text:
        raise FormatError(f"{text!r} is not a file source", hint="write https://..., http://... or a path")
    return base / text


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedImageSpec:
    """One derived image: `base` is the name of the image it is made of, `target` its full name inside.

    `add_ca` is a template. Without names it is the path of a file with certificates, which travels; else it stands for
    the certificates themselves, or for the path of a file beside the site file.
    """

    name: str
    base: str
    add_ca: str
    target: Reference

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(name=data["name"], base=data["base"], add_ca=data["add_ca"], target=Reference.parse(data["target"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"name": self.name, "base": self.base, "add_ca": self.add_ca, "target": str(self.target)}

    def carried_file(self, directory: Path) -> Path | None:
        """The file that travels, its path relative to the spec's directory; None for what only the site has."""
        pieces = template.parse(self.add_ca)
        return None if template.names(pieces) else directory / str(pieces[0])
