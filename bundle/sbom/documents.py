"""SBOMs that others made, read for their packages: CycloneDX 1.x JSON and SPDX 2.x JSON.

Taken are names, versions, purls and licences; hashes, files and relations are not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from bundle.errors import FormatError
from bundle.sbom._licences import named
from bundle.sbom.inventory import Inventory, merged
from bundle.sbom.package import Package
from bundle.sbom.zz_system import System

_PACKAGES = frozenset({"library", "framework", "application"})
_NO_PACKAGES = frozenset({"CONTAINER", "OPERATING-SYSTEM", "FILE", "ARCHIVE", "SOURCE"})  # SPDX's purposes
_IMAGES = frozenset({"oci", "docker"})


def from_cyclonedx(data: Mapping[str, Any]) -> Inventory:
    """The packages of a CycloneDX document. FormatError for a version other than 1.x."""
    version = str(data.get("specVersion"))
    if not version.startswith("1."):
        raise FormatError(f"CycloneDX {version} is not read here")
    components = list(_components(data))
    systems = [each for each in components if each.get("type") == "operating-system" and each.get("name")]
    system = System()
    if systems:
        id_, number = _text(systems[0], "name"), _text(systems[0], "version")
        system = System(id=id_, version=number, title=f"{id_} {number}".strip())
    packages = (_package(each, _licences(each)) for each in components if each.get("type") in _PACKAGES)
    return Inventory(packages=merged(each for each in packages if each), system=system, not_read=())


def from_spdx(data: Mapping[str, Any]) -> Inventory:
    """The packages of an SPDX document. FormatError for a version other than 2.x."""
    version = str(data.get("spdxVersion"))
    if not version.startswith("SPDX-2."):
        raise FormatError(f"{version} is not read here")
    packages = (_from_spdx(each) for each in _objects(data, "packages"))
    return Inventory(packages=merged(each for each in packages if each), system=System(), not_read=())


def parse_purl(purl: str, licences: Sequence[str] = ()) -> Package | None:
    """A package by its purl; None for what is none."""
    scheme, colon, rest = purl.partition(":")
    path, _, qualifiers = rest.partition("#")[0].partition("?")
    *directories, last = path.strip("/").split("/")
    name, _, version = last.rpartition("@") if "@" in last else (last, "", "")
    if scheme != "pkg" or not colon or not directories or not name:
        return None
    kind, *namespace = directories
    return Package(
        type=kind.lower(),
        namespace="/".join(unquote(part) for part in namespace),
        name=unquote(name),
        version=unquote(version),
        qualifiers=dict(parse_qsl(qualifiers.replace("+", "%2B"))),
        licences=tuple(licences),
    )


def _package(component: Mapping[str, Any], licences: Sequence[str]) -> Package | None:
    name, version = _text(component, "name"), _text(component, "version")
    found = parse_purl(_text(component, "purl"), licences)
    if found and found.type in _IMAGES:
        return None
    if found or not name:
        return found
    return Package(type="generic", name=name, version=version, licences=tuple(licences))


def _components(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in _objects(data, "components"):
        yield each
        yield from _components(each)


def _licences(component: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for each in _objects(component, "licenses"):
        licence = each.get("license")
        found += named(
            licence.get("id") or licence.get("name") if isinstance(licence, dict) else each.get("expression")
        )
    return tuple(dict.fromkeys(found))


def _from_spdx(package: Mapping[str, Any]) -> Package | None:
    if package.get("primaryPackagePurpose") in _NO_PACKAGES:
        return None
    purls = [
        _text(each, "referenceLocator")
        for each in _objects(package, "externalRefs")
        if each.get("referenceType") == "purl"
    ]
    licences = named(package.get("licenseConcluded")) or named(package.get("licenseDeclared"))
    about = {
        "name": package.get("name"),
        "version": package.get("versionInfo"),
        "purl": purls[0] if purls else "",
    }
    return _package(about, licences)


def _objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = data.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
