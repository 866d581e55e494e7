"""SBOMs that came with an image: in attestations of in-toto, and as they are; CycloneDX 1.x or SPDX 2.x JSON.

Known are BuildKit's attestation manifests, and what cosign and others attach: in-toto statements, plain or in an
envelope (DSSE, alone or in a Sigstore bundle), and bare documents. Who signed them is not asked here.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from bundle.sbom.documents import from_cyclonedx, from_spdx
from bundle.sbom.inventory import Inventory
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest

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
        data = json.loads(raw or b"null")
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
