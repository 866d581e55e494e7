"""What refers to an image: found in layouts, named where it travels, put together with what others attached."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.images.layout import INDEX, OCI_LAYOUT, blob_name
from bundle.images.layout_source import LayoutSource
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.storage.tree import DirectoryTree
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import Manifest
from bundle.transfer.referrers import (
    Referrer,
    attached_to,
    attachments,
    find_referrers,
    list_bytes,
    list_tag,
    merged_list,
    named_roots,
)
from tests.fixtures.images.cosign_objects import Artifact, bundled, new_key, referring, simple
from tests.fixtures.images.images import image, layer

KEY = new_key()
IMAGE = image(layer("app", 100))
DIGEST = IMAGE.descriptor.digest
OLDER, PRESENT = simple(KEY, DIGEST), bundled(KEY, DIGEST)
SBOM = referring(DIGEST, "application/spdx+json", b"a list of packages")
SIGNED_SBOM = referring(SBOM.descriptor.digest, "application/vnd.example.signature", b"of the list")
NAME = "org.opencontainers.image.ref.name"


def referrer(made: Artifact, tag: str) -> Referrer:
    found = made.descriptor
    return Referrer(tag=tag, digest=found.digest, media_type=found.media_type, size=found.size)


def write(place: Path, *entries: tuple[Artifact | bytes, Mapping[str, str]]) -> LayoutSource:
    """A layout with the image, and these manifests (or an index's bytes) with their annotations in index.json."""
    blobs = {**IMAGE.blobs, DIGEST: IMAGE.raw}
    listed = [{**IMAGE.descriptor.to_dict(), "annotations": {NAME: "example.com/app:1"}}]
    for made, annotations in entries:
        raw = made if isinstance(made, bytes) else made.raw
        kind = media_types.OCI_INDEX if isinstance(made, bytes) else media_types.OCI_MANIFEST
        described = Descriptor(media_type=kind, digest=Digest.of(raw), size=len(raw), annotations=dict(annotations))
        listed.append(described.to_dict())
        blobs |= {described.digest: raw} if isinstance(made, bytes) else {described.digest: raw, **made.blobs}
    for digest, data in blobs.items():
        path = place / blob_name(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (place / OCI_LAYOUT).write_text('{"imageLayoutVersion": "1.0.0"}')
    (place / INDEX).write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return LayoutSource(DirectoryTree(place), "", "image 'app'")


def find(source: LayoutSource) -> tuple[Referrer, ...]:
    return find_referrers(source, [DIGEST], subject="image 'app'")


# Finding, in layouts.


def test_nothing_refers_to_it(tmp_path: Path) -> None:
    assert find(write(tmp_path)) == ()


@pytest.mark.parametrize("name", ["{}", "example.com/app:{}", "other:{}"])
@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom"])
def test_cosigns_tags(tmp_path: Path, name: str, suffix: str) -> None:
    tag = f"{list_tag(DIGEST)}{suffix}"
    assert find(write(tmp_path, (OLDER, {NAME: name.format(tag)}))) == (referrer(OLDER, tag),)


def test_what_cosign_saves(tmp_path: Path) -> None:
    """No names, but kinds."""
    source = write(tmp_path, (OLDER, {"kind": "dev.cosignproject.cosign/sigs"}))
    index = json.loads((tmp_path / INDEX).read_text())
    index["manifests"][0]["annotations"] = {"kind": "dev.cosignproject.cosign/image"}
    (tmp_path / INDEX).write_text(json.dumps(index))
    assert source.resolve().digest == DIGEST
    assert find(source) == (referrer(OLDER, f"{list_tag(DIGEST)}.sig"),)


def test_manifests_with_a_subject_and_what_refers_to_those(tmp_path: Path) -> None:
    source = write(tmp_path, (PRESENT, {}), (SBOM, {}), (SIGNED_SBOM, {}))
    wanted = [
        referrer(PRESENT, list_tag(DIGEST)),
        referrer(SBOM, list_tag(DIGEST)),
        referrer(SIGNED_SBOM, list_tag(SBOM.descriptor.digest)),
    ]
    assert find(source) == tuple(sorted(wanted))


def test_a_list_with_a_tag(tmp_path: Path) -> None:
    raw = list_bytes([Manifest.parse(SBOM.raw)])
    source = write(tmp_path, (raw, {NAME: f"example.com/app:{list_tag(DIGEST)}"}))
    assert find(source) == (referrer(SBOM, list_tag(DIGEST)),)


def test_what_is_attached_is_no_image_of_the_layout(tmp_path: Path) -> None:
    raw = list_bytes([Manifest.parse(SBOM.raw)])
    tag = list_tag(DIGEST)
    source = write(tmp_path, (OLDER, {NAME: f"{tag}.sig"}), (raw, {NAME: f"example.com/app:{tag}"}))
    assert source.resolve().digest == DIGEST


def test_more_than_anybody_can_want(tmp_path: Path) -> None:
    entries = [
        {"mediaType": media_types.OCI_MANIFEST, "digest": str(Digest.of(b"%d" % number)), "size": 1}
        for number in range(1001)
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()
    with pytest.raises(SourceError, match="image 'app': more than 1000 artifacts refer to it"):
        find(write(tmp_path, (raw, {NAME: list_tag(DIGEST)})))


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    raw = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}'
    with pytest.raises(SourceError, match=r"image 'app': the list of its referrers .*has no 'manifests'"):
        find(write(tmp_path, (raw, {NAME: list_tag(DIGEST)})))


# What of it travels, and how it is named.


def test_only_what_belongs_to_what_travels() -> None:
    index = Digest.of(b"index")
    of_index = referrer(simple(KEY, index), f"{list_tag(index)}.sig")
    own = [
        referrer(OLDER, f"{list_tag(DIGEST)}.sig"),
        referrer(SBOM, list_tag(DIGEST)),
        referrer(SIGNED_SBOM, list_tag(SBOM.descriptor.digest)),
    ]
    assert attached_to([*own, of_index], [DIGEST]) == tuple(sorted(own))
    assert attached_to([*own, of_index], [index]) == (of_index,)
    assert attached_to([*own, of_index], []) == ()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "cache")
    for made in (OLDER, PRESENT, SBOM):
        store.put(made.raw)
    return store


def test_lists_are_made_and_cosigns_tags_kept(store: BlobStore) -> None:
    tag = list_tag(DIGEST)
    wanted = [referrer(OLDER, f"{tag}.sig"), referrer(SBOM, tag), referrer(PRESENT, tag)]
    roots = named_roots(store, wanted)
    assert roots == named_roots(store, list(reversed(wanted)))
    assert roots[f"{tag}.sig"] == OLDER.descriptor
    raw = list_bytes([Manifest.parse(PRESENT.raw), Manifest.parse(SBOM.raw)])
    assert (roots[tag].digest, roots[tag].size) == (Digest.of(raw), len(raw))
    entries = {each["digest"]: each for each in json.loads(raw)["manifests"]}
    assert entries[str(SBOM.descriptor.digest)] == {
        **SBOM.descriptor.to_dict(),
        "artifactType": "application/spdx+json",
        "annotations": {"made": "by a test"},
    }
    told = {each.tag: each for each in attachments(store, wanted)}
    assert told[f"{tag}.sig"].artifacts == {OLDER.descriptor.digest: "application/vnd.dev.cosign.simplesigning.v1+json"}
    assert set(told[tag].artifacts.values()) == {
        "application/spdx+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
    assert told[tag].size == len(raw) + sum(
        len(data) for made in (PRESENT, SBOM) for data in (made.raw, *made.blobs.values())
    )


def test_what_names_another_subject_is_not_listed(store: BlobStore) -> None:
    """A list can name anything; a registry with the referrers API would never show it."""
    other = referrer(OLDER, list_tag(DIGEST))
    assert named_roots(store, [other]) == {}
    assert attachments(store, [other]) == ()


def test_a_manifest_that_the_cache_lost(store: BlobStore) -> None:
    store.path(SBOM.descriptor.digest).unlink()
    with pytest.raises(IntegrityError, match=f"no good copy of {SBOM.descriptor.digest}"):
        named_roots(store, [referrer(SBOM, list_tag(DIGEST))])


def test_a_merged_list_keeps_what_was_there() -> None:
    old = json.loads(list_bytes([Manifest.parse(SBOM.raw)]))
    old["manifests"][0]["annotations"] = {"kept": "as it was"}
    old["annotations"] = {"of": "the list"}
    raw = json.dumps(old).encode()
    new = Manifest.parse(list_bytes([Manifest.parse(SBOM.raw), Manifest.parse(PRESENT.raw)]))
    merged = json.loads(merged_list(Manifest.parse(raw), new))
    assert merged["annotations"] == {"of": "the list"}
    assert [each.get("annotations") for each in merged["manifests"]] == [{"kept": "as it was"}, {"made": "by a test"}]


# As data.


def test_referrers_and_attachments_come_back_as_they_were() -> None:
    kept = referrer(OLDER, f"{list_tag(DIGEST)}.sig")
    assert Referrer.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    named = Attachment(
        tag=list_tag(DIGEST), digest=DIGEST, media_type=media_types.OCI_INDEX, size=7, artifacts={DIGEST: "a/type"}
    )
    assert Attachment.from_dict(json.loads(json.dumps(named.to_dict()))) == named
    assert named.subject == DIGEST
    assert named.is_list


@pytest.mark.parametrize(
    "change",
    [{"tag": None}, {"digest": "md5:1"}, {"media_type": 1}, {"size": -1}, {"size": True}],
    ids=["no tag", "digest", "media type", "negative", "no number"],
)
def test_what_is_no_referrer(change: Mapping[str, object]) -> None:
    data = {**referrer(OLDER, f"{list_tag(DIGEST)}.sig").to_dict(), **change}
    with pytest.raises(FormatError):
        Referrer.from_dict(data)
    with pytest.raises(FormatError):
        Attachment.from_dict({**data, "artifacts": {}})
