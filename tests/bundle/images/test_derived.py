"""An image made of another by one more layer: what is in it, what it is called, and that it is the same each time."""

import io
import json
import re
import tarfile
from typing import Any

import pytest
import trustme

from bundle.errors import SourceError
from bundle.formats.x509 import parse_authorities
from bundle.images.derived import DerivedImage, DerivedSource, derive_image
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.transfer.image import Manifest
from tests.fixtures.images.images import AMD64, ARM64, Image, Index, image, index
from tests.fixtures.images.system_images import ALPINE, DEBIAN, OLD, RED_HAT, Files, Held, layer_of, system

CA_PEM = trustme.CA().cert_pem.bytes().decode()
CA = parse_authorities(CA_PEM)
NEW = CA[0].pem
ANCHOR = f"airgap-{CA[0].digest.hex[:16]}.crt"


def derived(base: Image | Index) -> DerivedImage:
    return derive_image(Held(base), base.descriptor, CA, subject="image 'x'")


def parsed(made: DerivedImage) -> tuple[Manifest, dict[str, Any], dict[str, tarfile.TarInfo], dict[str, bytes]]:
    """The manifest, the config, and the new layer's entries and contents."""
    manifest = Manifest.parse(made.blobs[made.root.digest], media_type=made.root.media_type)
    config = json.loads(made.blobs[manifest.config.digest])
    with tarfile.open(fileobj=io.BytesIO(made.blobs[manifest.layers[-1].digest])) as tar:
        entries = {each.name: each for each in tar}
        files = {name: tar.extractfile(each) for name, each in entries.items() if each.isfile()}
        return manifest, config, entries, {name: file.read() for name, file in files.items() if file}


@pytest.mark.parametrize(
    ("files", "bundle", "anchors"),
    [
        (DEBIAN, "etc/ssl/certs/ca-certificates.crt", "usr/local/share/ca-certificates"),
        (ALPINE, "etc/ssl/certs/ca-certificates.crt", "usr/local/share/ca-certificates"),
        (RED_HAT, "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/pki/ca-trust/source/anchors"),
    ],
    ids=["Debian", "Alpine", "Red Hat"],
)
@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker"])
def test_certificates_are_added_to_the_systems_bundle(files: Files, bundle: str, anchors: str, docker: bool) -> None:
    base = system(files, {"app": b"program"}, docker=docker)
    manifest, config, _, contents = parsed(derived(base))
    assert contents == {bundle: (OLD + NEW).encode(), f"{anchors}/{ANCHOR}": NEW.encode()}
    assert config["config"]["Env"] == [f"REQUESTS_CA_BUNDLE=/{bundle}", f"SSL_CERT_FILE=/{bundle}"]
    was = Manifest.parse(base.raw)
    assert manifest.media_type == was.media_type
    assert manifest.layers[:-1] == was.layers
    assert manifest.layers[-1].media_type == (media_types.DOCKER_LAYER if docker else media_types.OCI_LAYER)
    assert config["rootfs"]["diff_ids"][-1] == str(manifest.layers[-1].digest)
    assert config["history"][-1] == {"created": "2026-01-01T00:00:00Z", "created_by": "airgap: add_ca"}
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 3
    assert config["created"] == "2026-01-01T00:00:00Z"


def test_the_same_base_and_authority_give_the_same_digest() -> None:
    assert derived(system(DEBIAN)) == derived(system(DEBIAN))
    other = parse_authorities(trustme.CA().cert_pem.bytes().decode())
    again = derive_image(Held(system(DEBIAN)), system(DEBIAN).descriptor, other, subject="image 'x'")
    assert again.root.digest != derived(system(DEBIAN)).root.digest


def test_directories_keep_owner_and_mode_as_engines_make_anew_what_a_layer_lacks() -> None:
    base = image(layer_of({**DEBIAN, "etc": None}, mode=0o640, owner=42))
    _, _, entries, _ = parsed(derived(base))
    bundle = entries["etc/ssl/certs/ca-certificates.crt"]
    assert (bundle.mode, bundle.uid, bundle.gid, bundle.mtime) == (0o640, 42, 42, 0)
    assert {name: (each.mode, each.uid) for name, each in entries.items() if each.isdir()} == {
        "etc": (0o755, 42),
        "etc/ssl": (0o755, 0),
        "etc/ssl/certs": (0o755, 42),
        "usr": (0o755, 0),
        "usr/local": (0o755, 0),
        "usr/local/share": (0o755, 0),
        "usr/local/share/ca-certificates": (0o755, 42),
    }
    assert list(entries) == sorted(entries)


def test_variables_of_the_base_are_replaced_and_others_kept() -> None:
    base = system(DEBIAN)
    config = json.loads(base.blobs[Manifest.parse(base.raw).config.digest])
    config["config"]["Env"] = ["PATH=/bin", "SSL_CERT_FILE=/own.pem"]
    raw = json.dumps(config).encode()
    data = json.loads(base.raw)
    data["config"] |= {"digest": str(Digest.of(raw)), "size": len(raw)}
    text = json.dumps(data).encode()
    changed = Image(
        descriptor=Manifest.parse(text).descriptor,
        raw=text,
        blobs={**base.blobs, Digest.of(raw): raw},
        platform=AMD64,
    )
    _, config, _, _ = parsed(derived(changed))
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    assert config["config"]["Env"] == ["PATH=/bin", f"REQUESTS_CA_BUNDLE={bundle}", f"SSL_CERT_FILE={bundle}"]


def test_a_base_without_certificates_gets_a_bundle_and_says_so() -> None:
    made = derived(system({"app": b"program"}))
    _, _, _, contents = parsed(made)
    assert contents == {"etc/ssl/certs/ca-certificates.crt": NEW.encode()}
    assert made.notes == ("its base has no certificates: /etc/ssl/certs/ca-certificates.crt made",)


def test_all_platforms_of_an_index_are_derived_and_attestations_left_out() -> None:
    arm, amd = image(layer_of(ALPINE), platform=ARM64), image(layer_of(DEBIAN), platform=AMD64)
    listed = index(arm, amd)
    data = json.loads(listed.raw)
    data["manifests"].append({**arm.descriptor.to_dict(), "platform": {"os": "unknown", "architecture": "unknown"}})
    raw = json.dumps(data).encode()
    made = derived(Index(descriptor=Manifest.parse(raw).descriptor, raw=raw, images=listed.images))
    top = Manifest.parse(made.blobs[made.root.digest])
    assert [each.platform for each in top.manifests] == [ARM64, AMD64]
    assert all(each.digest in made.blobs for each in top.manifests)
    assert top.manifests[0].digest == derived(arm).root.digest


def test_its_parts_come_from_memory_and_from_the_base() -> None:
    base = system(DEBIAN)
    made = derived(base)
    source = DerivedSource(made, Held(base))
    manifest = Manifest.parse(source.manifest(source.resolve()))
    for part in manifest.children():
        assert part.digest.matches(b"".join(source.read(part, 0)))
        assert b"".join(source.read(part, 5)) == b"".join(source.read(part, 0))[5:]


def test_what_is_no_image_is_refused() -> None:
    base = system(DEBIAN)
    data = json.loads(base.raw)
    data["config"]["mediaType"] = media_types.HELM_CONFIG
    raw = json.dumps(data).encode()
    chart = Image(descriptor=Manifest.parse(raw).descriptor, raw=raw, blobs=base.blobs, platform=AMD64)
    with pytest.raises(
        SourceError, match=re.escape(f"image 'x': its base holds no image but {media_types.HELM_CONFIG}")
    ):
        derived(chart)
