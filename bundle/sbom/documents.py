"""SBOMs that others made, read for their packages: CycloneDX 1.x JSON and SPDX 2.x JSON.

Taken are names, versions, purls and licences; hashes, files and relations are not.
"""

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, unquote

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.oci.digest import Digest
from bundle.sbom._licences import named
from bundle.sbom.inventory import Inventory, merged
from bundle.sbom.package import Package, System
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest

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


_MAX_DOCUMENT = 64 * 1024**2  # bytes; memory takes several times as much
_READERS = {"CycloneDX": from_cyclonedx, "SPDX": from_spdx}
_STATEMENT = "https://in-toto.io/Statement/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What the best of the documents says, and the digest of its blob; `refused` says which can't be used, and why."""

    inventory: Inventory | None
    document: Digest | None
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    kind: Literal["CycloneDX", "SPDX"]
    data: Mapping[str, Any]
    blob: Digest


def read_attested(store: BlobStore, manifests: Sequence[Manifest], subjects: Collection[Digest]) -> Attested:
    """The SBOM among what was attached to an image, CycloneDX before SPDX, and the first of several.

    An attestation must be about one of `subjects`: the image's manifest, or an index that lists it.
    """
    refused: list[str] = []
    documents = [each for manifest in manifests for each in _documents(store, manifest, subjects, refused)]
    for document in sorted(documents, key=lambda each: list(_READERS).index(each.kind)):
        try:
            inventory = _READERS[document.kind](document.data)
        except FormatError as err:
            refused.append(f"the SBOM {document.blob} that came with the image: {err.what}")
        else:
            return Attested(inventory=inventory, document=document.blob, refused=tuple(refused))
    return Attested(inventory=None, document=None, refused=tuple(refused))


def _documents(
    store: BlobStore, manifest: Manifest, subjects: Collection[Digest], refused: list[str]
) -> Iterator[_Document]:
    for layer in () if manifest.is_index else manifest.layers:
        raw = store.get(layer.digest) if layer.size <= _MAX_DOCUMENT else None
        statement = _unwrapped(_json(raw))
        if statement and str(statement.get("_type", "")).startswith(_STATEMENT):
            document = _predicate(statement)
            if document and not _is_about(statement, subjects):
                refused.append(f"the SBOM {layer.digest} that came with the image: it is about another image")
                continue
        else:
            document = statement
        if document and document.get("bomFormat") == "CycloneDX":
            yield _Document(kind="CycloneDX", data=document, blob=layer.digest)
        elif document and "spdxVersion" in document:
            yield _Document(kind="SPDX", data=document, blob=layer.digest)


def _json(raw: bytes | None) -> Mapping[str, Any] | None:
    try:
        data = strict_json.loads(raw or b"null")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _unwrapped(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What an envelope holds; anything else as it is."""
    envelope = data.get("dsseEnvelope", data) if data else None
    payload = envelope.get("payload") if isinstance(envelope, dict) else None
    if not isinstance(payload, str):
        return data
    try:
        return _json(base64.b64decode(payload, validate=True))
    except ValueError:
        return None


def _predicate(statement: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The predicate; cosign once put the document into its `Data`, as text or as it is."""
    predicate = statement.get("predicate")
    inner = predicate.get("Data", predicate) if isinstance(predicate, dict) else None
    found = _json(inner.encode()) if isinstance(inner, str) else inner
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _is_about(statement: Mapping[str, Any], subjects: Collection[Digest]) -> bool:
    """Whether one of the statement's subjects is the image."""
    wanted = {(each.algorithm, each.hex) for each in subjects}
    listed = statement.get("subject")
    named = [each.get("digest") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return any(
        (name, value) in wanted for digest in named if isinstance(digest, dict) for name, value in digest.items()
    )
