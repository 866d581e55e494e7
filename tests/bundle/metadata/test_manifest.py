import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundle.errors import FormatError
from bundle.metadata.delta import BaseName, Delta
from bundle.metadata.entries import ProofEntry
from bundle.metadata.manifest import BundleManifest, Layout
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from tests.fixtures.images.images import AMD64, ARM64
from tests.fixtures.made.made_bundle import CONTENT, manifest_of, stored
from tests.fixtures.places import ROOT

PROOF = (
    ProofEntry(release="web", proven=True),
    ProofEntry(release="db", proven=False, reason="helm was not at hand"),
)
DELTA = Delta(
    base=BaseName(
        kind="receipt", name="demo", version="1.1", id=Digest.of(b"x"), time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ),
    blobs={Digest.of(b"layer"): ("registry.example.com/api", "registry.example.com/web")},
)
SCHEMA = json.loads((ROOT / "schema/manifest.schema.json").read_text())


@pytest.fixture(params=["oci", "docker-archive"])
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> BundleManifest:
    layout: Layout = request.param
    return manifest_of([stored(BlobStore(tmp_path), name) for name in CONTENT], layout)


def test_it_round_trips(manifest: BundleManifest) -> None:
    assert BundleManifest.decode(manifest.encode()) == manifest
    assert BundleManifest.from_dict(manifest.to_dict()).to_dict() == manifest.to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"archive": False, "split": None},
        {"split": None},
        {"platform": None},
        {"images": (), "charts": (), "files": ()},
        {"proof": PROOF},
        {"delta": DELTA},
        {"carries": {"doit": "0.37.0", "urllib3": "2.7.0"}},
    ],
    ids=["full", "no archive", "archive in one", "all platforms", "empty", "proof", "delta", "carries"],
)
def test_what_is_written_follows_the_schema(manifest: BundleManifest, change: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    changed = replace(manifest, **change)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(changed.encode()))
    assert BundleManifest.decode(changed.encode()) == changed


def test_the_archives_of_further_platforms(tmp_path: Path) -> None:
    manifest = manifest_of([stored(BlobStore(tmp_path), name) for name in CONTENT], "docker-archive")
    first, *rest = manifest.images
    archives = {ARM64: "images/linux-arm64-v8/api.tar", AMD64: "images/linux-amd64/api.tar"}
    changed = replace(manifest, images=(replace(first, archives=archives), *rest))
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(changed.encode()))
    assert BundleManifest.decode(changed.encode()) == changed
    assert changed.images[0].files == (first.file, *archives.values())
    assert changed.id != manifest.id
    twice = replace(manifest, images=(replace(first, archives={ARM64: first.file}), *rest))
    with pytest.raises(FormatError, match=f"entries with the file '{first.file}'"):
        BundleManifest.decode(twice.encode())


def test_the_schema_refuses_what_is_not_one(manifest: BundleManifest) -> None:
    data = manifest.to_dict()
    data["images"][0]["digest"] = "sha256:short"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(data)


def test_every_field_is_described() -> None:
    for name in ("image", "chart", "file", "proof"):
        assert all("description" in field for field in SCHEMA["$defs"][name]["properties"].values())
    assert all("description" in field for field in SCHEMA["properties"].values())


def test_the_id_is_of_the_content_alone(manifest: BundleManifest) -> None:
    later = replace(
        manifest,
        created=datetime(2027, 1, 1, tzinfo=UTC),
        tool="9",
        archive=False,
        split=None,
        proof=PROOF,
        carries={"doit": "1"},
    )
    assert later.id == manifest.id
    assert replace(manifest, images=manifest.images[1:]).id != manifest.id
    assert replace(manifest, delta=DELTA).id != manifest.id, "it holds less"


def test_times_are_written_in_utc(manifest: BundleManifest) -> None:
    berlin = datetime(2026, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert replace(manifest, created=berlin).to_dict()["created"] == "2026-07-01T12:00:00Z"


def _set(*path: str | int, to: object) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(_set("format", to=2), r"format 2.*(?s:.*)airgap\.pyz", id="newer format"),
        pytest.param(_set("format", to=True), "format True", id="format is no number"),
        pytest.param(_set("name", to=7), "'name' is 7, expected str", id="mistyped"),
        pytest.param(_set("version", to="9"), "has id", id="changed content"),
        pytest.param(_set("layout", to="zip"), "'zip', expected one of oci, docker-archive", id="layout"),
        pytest.param(_set("created", to="yesterday"), "expected a time", id="time"),
        pytest.param(_set("images", to={}), "'images'", id="no list"),
        pytest.param(_set("images", to=[1]), "not an object", id="no objects"),
        pytest.param(_set("registries", to=[1]), "not text", id="no texts"),
        pytest.param(_set("proof", to=None), "'proof'", id="no proof"),
        pytest.param(_set("proof", to=[{"release": "a", "proven": 1, "reason": ""}]), "expected bool", id="proof"),
        pytest.param(_set("images", 0, "digest", to="md5:1"), "not a digest", id="digest"),
        pytest.param(_set("images", 0, "size", to=-1), "expected a number of bytes", id="size"),
        pytest.param(_set("charts", 0, "file", to="../../etc/passwd"), "leads out", id="path"),
        pytest.param(_set("files", 0, "tool", to="yes"), "expected bool", id="tool"),
        pytest.param(_set("images", 0, "blobs", to=None), "'blobs' is None", id="no blobs"),
        pytest.param(_set("images", 0, "blobs", to={"x": 1}), "not a digest", id="blob"),
        pytest.param(_set("carries", to=["doit"]), "'carries' is", id="carries"),
        pytest.param(_set("carries", to={"doit": 1}), "'doit' is 1, expected str", id="carried version"),
        pytest.param(_set("delta", to=DELTA.to_dict() | {"base": 1}), "'delta': 'base' is 1", id="base"),
        pytest.param(
            _set("delta", to={"base": {"kind": "rumour"}, "blobs": {}}), "one of receipt, manifest", id="kind"
        ),
        pytest.param(_set("delta", to=DELTA.to_dict() | {"blobs": {"x": []}}), "not a digest", id="left out"),
    ],
)
def test_what_is_not_well_formed_is_refused(manifest: BundleManifest, change: Callable[[Any], None], what: str) -> None:
    data = json.loads(manifest.encode())
    change(data)
    with pytest.raises(FormatError, match=what):
        BundleManifest.decode(json.dumps(data).encode())


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff"])
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError, match=r"manifest\.json is not"):
        BundleManifest.decode(raw)
