"""What a bundle held, as far as one of its papers tells: to be compared with a later one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.receipt import Receipt
from bundle.sbom.summary import SbomSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One item: its version as people say it, and its digest."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A bundle's items by name. What its source does not tell is None: files, values; `packages` has no such image.

    `source` says in words what it was read from. `values` are settings by file and key, none of them a secret.
    """

    name: str
    version: str
    id: str
    source: str
    created: str = ""
    images: Mapping[str, Held]
    charts: Mapping[str, Held]
    files: Mapping[str, Held] | None = None
    packages: Mapping[str, SbomSummary] = field(default_factory=dict)
    values: Mapping[str, str] | None = None

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}"

    @classmethod
    def of_manifest(
        cls,
        manifest: BundleManifest,
        source: str,
        *,
        packages: Mapping[str, SbomSummary] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Self:
        """From a manifest, and what else is known of its bundle."""
        return cls(
            name=manifest.name,
            version=manifest.version,
            id=str(manifest.id),
            source=source,
            created=f"{manifest.created:%Y-%m-%d %H:%M:%S} UTC",
            images={
                each.name: Held(version=str(each.reference.tag), digest=str(each.digest)) for each in manifest.images
            },
            charts={each.name: Held(version=each.version, digest=str(each.digest)) for each in manifest.charts},
            files={each.name: Held(version="", digest=str(each.digest)) for each in manifest.files},
            packages=packages or {},
            values=values,
        )

    @classmethod
    def decode(cls, raw: bytes, source: str) -> Self:
        """From the bytes of a manifest.json, a report.json or a receipt.json; a FormatError when it is none of them."""
        try:
            data = strict_json.loads(raw)
        except ValueError as err:
            raise FormatError(f"{source} is not JSON: {err}", hint=_HINT) from err
        if isinstance(data, dict) and "manifest" in data:
            data = data["manifest"]
        if not isinstance(data, dict):
            raise FormatError(f"{source} tells of no bundle", hint=_HINT)
        try:
            if "bundle" in data:
                return cls.of_receipt(Receipt.from_dict(data), source)
            return cls.of_manifest(BundleManifest.from_dict(data), source)
        except FormatError as err:
            raise FormatError(f"{source}: {err.what.removeprefix(f'{source}: ')}", hint=_HINT) from err

    @classmethod
    def of_receipt(cls, receipt: Receipt, source: str) -> Self:
        """From what an installation left."""
        return cls(
            name=receipt.name,
            version=receipt.version,
            id=str(receipt.id),
            source=source,
            created=f"installed {receipt.installed:%Y-%m-%d %H:%M:%S} UTC",
            images={
                each.name: Held(version=str(each.reference.tag), digest=str(each.digest)) for each in receipt.images
            },
            charts={each.name: Held(version=each.version, digest=str(each.digest)) for each in receipt.charts},
        )


_HINT = "name a bundle, or the manifest.json, report.json or receipt.json of one"
