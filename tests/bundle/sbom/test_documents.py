import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.sbom.documents import Attested, parse_purl, read_attested
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest

IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"other")
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "components": [
        {"type": "operating-system", "name": "debian", "version": "12"},
        {
            "type": "library",
            "name": "tar",
            "version": "1.34",
            "purl": "pkg:deb/debian/tar@1.34%2Bb1?arch=amd64",
            "licenses": [{"license": {"id": "MIT"}}],
            "components": [{"type": "application", "name": "inner", "version": "2"}],
        },
        {"type": "file", "name": "/etc/passwd"},
    ],
}
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {"name": "image", "primaryPackagePurpose": "CONTAINER"},
        {
            "name": "six",
            "versionInfo": "1.16.0",
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "MIT",
            "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe:x"},
                {"referenceType": "purl", "referenceLocator": "pkg:pypi/six@1.16.0"},
            ],
        },
        {"name": "made by hand", "versionInfo": "3"},
    ],
}
FROM_CYCLONEDX = ["pkg:deb/debian/tar@1.34%2Bb1?arch=amd64", "pkg:generic/inner@2"]
FROM_SPDX = ["pkg:generic/made%20by%20hand@3", "pkg:pypi/six@1.16.0"]


def statement(predicate: Any, subject: Digest = IMAGE) -> dict[str, Any]:
    about = [{"name": "x", "digest": {subject.algorithm: subject.hex}}]
    return {"_type": "https://in-toto.io/Statement/v0.1", "subject": about, "predicate": predicate}


def envelope(data: dict[str, Any]) -> dict[str, Any]:
    payload = base64.b64encode(json.dumps(data).encode()).decode()
    return {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []}


def read(tmp_path: Path, *documents: Any) -> Attested:
    """What is read of a manifest with these documents as its layers."""
    store = BlobStore(tmp_path)
    layers = []
    for document in documents:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        layers.append({"mediaType": "application/vnd.in-toto+json", "digest": str(store.put(raw)), "size": len(raw)})
    config = {"mediaType": media_types.OCI_CONFIG, "digest": str(store.put(b"{}")), "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": layers}
    return read_attested(store, [Manifest.parse(json.dumps(manifest).encode())], {IMAGE})


@pytest.mark.parametrize(
    ("document", "purls"),
    [
        pytest.param(statement(SPDX), FROM_SPDX, id="BuildKit"),
        pytest.param(statement(CYCLONEDX), FROM_CYCLONEDX, id="CycloneDX statement"),
        pytest.param(envelope(statement(CYCLONEDX)), FROM_CYCLONEDX, id="cosign's envelope"),
        pytest.param({"dsseEnvelope": envelope(statement(SPDX))}, FROM_SPDX, id="Sigstore bundle"),
        pytest.param(statement({"Data": json.dumps(SPDX)}), FROM_SPDX, id="cosign's old form"),
        pytest.param(CYCLONEDX, FROM_CYCLONEDX, id="bare CycloneDX"),
        pytest.param(SPDX, FROM_SPDX, id="bare SPDX"),
    ],
)
def test_its_packages_are_read(tmp_path: Path, document: Any, purls: list[str]) -> None:
    told = read(tmp_path, {"provenance": 1}, document)
    assert told.inventory
    assert [package.purl for package in told.inventory.packages] == purls
    assert told.document == Digest.of(json.dumps(document).encode())
    assert {licence for package in told.inventory.packages for licence in package.licences} == {"MIT"}
    assert told.refused == ()


def test_cyclonedx_comes_first(tmp_path: Path) -> None:
    told = read(tmp_path, statement(SPDX), statement(CYCLONEDX))
    assert told.document == Digest.of(json.dumps(statement(CYCLONEDX)).encode())


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param(statement(SPDX, OTHER), "about another image", id="another image"),
        pytest.param(envelope(statement(CYCLONEDX, OTHER)), "about another image", id="another image, in an envelope"),
        pytest.param({"spdxVersion": "SPDX-3.0"}, "SPDX-3.0 is not read", id="SPDX 3"),
        pytest.param({"bomFormat": "CycloneDX", "specVersion": "2.0"}, "CycloneDX 2.0 is not read", id="CycloneDX 2"),
    ],
)
def test_what_can_not_be_used_is_told(tmp_path: Path, document: Any, reason: str) -> None:
    told = read(tmp_path, document)
    assert told.inventory is None
    assert [reason in each for each in told.refused] == [True]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param({"payload": "%%%"}, id="no base64"),
        pytest.param(statement({"builder": "x"}), id="provenance"),
        pytest.param(statement("text"), id="no predicate"),
    ],
)
def test_what_is_no_sbom_is_passed_over(tmp_path: Path, document: Any) -> None:
    assert read(tmp_path, document) == Attested(inventory=None, document=None, refused=())


@pytest.mark.parametrize(
    ("purl", "again"),
    [
        ("pkg:npm/%40types/node@20#lib", "pkg:npm/%40types/node@20"),
        ("pkg:golang/github.com/a/b@v1+x?type=module", "pkg:golang/github.com/a/b@v1%2Bx?type=module"),
        ("pkg:deb/debian/x@1:2?arch=amd64&upstream=a%402", "pkg:deb/debian/x@1:2?arch=amd64&upstream=a%402"),
        ("npm/x@1", None),
        ("pkg:npm", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_purl_is_read(purl: str, again: str | None) -> None:
    package = parse_purl(purl)
    assert (package.purl if package else None) == again
