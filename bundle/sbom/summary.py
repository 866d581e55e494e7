"""What an SBOM says in short: how many packages, under which licences, in which versions (CycloneDX 1.x JSON)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.errors import FormatError
from bundle.formats import strict_json

SOURCE = "airgap:sbom:source"  # a property of the metadata: who looked at the image
NOT_READ = "airgap:sbom:not-read"  # a property of the metadata, for each thing that could not be read
_PACKAGES = frozenset({"library", "framework", "application"})


def sbom_path(image: str) -> str:
    """Where an image's SBOM lies in the bundle."""
    return f"sbom/{image}.cdx.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomSummary:
    """The packages of one SBOM, counted. One that several platforms of an image have in one version counts once.

    `types` has the number of packages by their purl's type (`deb`, `pypi`, ...; `other` without a purl), `licences`
    by SPDX identifier, expression or name: a package under two of them counts for both, one under none that is known
    for `unlicensed`. `versions` has each package's versions by its purl without version and qualifiers. `not_read` is
    what of the image could not be read, in words; `source` who looked at it (`layers`, `syft`, `attestation`; empty in
    an SBOM that is not ours).
    """

    types: Mapping[str, int]
    licences: Mapping[str, int]
    unlicensed: int
    versions: Mapping[str, tuple[str, ...]]
    source: str
    not_read: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of packages."""
        return sum(self.types.values())

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the bytes of an SBOM file; FormatError when they are no CycloneDX JSON."""
        try:
            data = strict_json.loads(raw)
        except ValueError as err:
            raise FormatError(f"the SBOM is not JSON: {err}") from err
        if not isinstance(data, dict) or data.get("bomFormat") != "CycloneDX":
            raise FormatError("the SBOM is no CycloneDX document")
        packages = {(_name(each), _version(each)): each for each in _components(data)}
        licences = [_licences(each) for each in packages.values()]
        versions: dict[str, set[str]] = {}
        for name, version in packages:
            versions.setdefault(name, set()).add(version)
        properties = list(_properties(data))
        return cls(
            types=_counted(_type(each) for each in packages.values()),
            licences=_counted(name for names in licences for name in names),
            unlicensed=sum(not names for names in licences),
            versions={name: tuple(sorted(found)) for name, found in sorted(versions.items())},
            source=next((value for name, value in properties if name == SOURCE), ""),
            not_read=tuple(value for name, value in properties if name == NOT_READ),
        )


def _counted(names: Iterator[str]) -> dict[str, int]:
    """How often each occurs: the most frequent first, equal ones by name."""
    return dict(sorted(Counter(names).items(), key=lambda each: (-each[1], each[0])))


def _components(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every package, also those inside of other components; files and systems are none."""
    for each in _objects(data, "components"):
        if each.get("type") in _PACKAGES:
            yield each
        yield from _components(each)


def _objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = data.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _properties(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metadata = data.get("metadata")
    for each in _objects(metadata, "properties") if isinstance(metadata, dict) else ():
        yield str(each.get("name", "")), str(each.get("value", ""))


def _purl(component: Mapping[str, Any]) -> str:
    return str(component.get("purl") or "")


def _type(component: Mapping[str, Any]) -> str:
    return _purl(component).removeprefix("pkg:").partition("/")[0] or "other"


def _name(component: Mapping[str, Any]) -> str:
    """The purl without version, qualifiers and subpath: only an `@` of the version is not encoded in it."""
    purl = _purl(component).partition("#")[0].partition("?")[0]
    return purl.rpartition("@")[0] or purl or str(component.get("name", ""))


def _version(component: Mapping[str, Any]) -> str:
    return str(component.get("version") or "")


def _licences(component: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for each in _objects(component, "licenses"):
        licence = each.get("license")
        named = licence.get("id") or licence.get("name") if isinstance(licence, dict) else each.get("expression")
        if named:
            found.append(str(named))
    return tuple(dict.fromkeys(found))


NO_LICENCE = "none that is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceCount:
    """How many packages have a licence, in which images. A package counts in each image that it is in."""

    licence: str
    packages: int
    images: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"licence": self.licence, "packages": self.packages, "images": list(self.images)}


def licence_counts(sboms: Mapping[str, SbomSummary]) -> tuple[LicenceCount, ...]:
    """The licences in the SBOMs of images, the most frequent first; packages without one are counted too."""
    packages: Counter[str] = Counter()
    images: dict[str, list[str]] = defaultdict(list)
    for image, sbom in sboms.items():
        for licence, count in (
            {**sbom.licences, NO_LICENCE: sbom.unlicensed} if sbom.unlicensed else sbom.licences
        ).items():
            packages[licence] += count
            images[licence].append(image)
    counts = [
        LicenceCount(licence=licence, packages=count, images=tuple(images[licence]))
        for licence, count in packages.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.packages, count.licence)))
