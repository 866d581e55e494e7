"""Signatures as cosign stores them, as far as they can be read without a key."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.cosign import MAX_SIGNATURE, Signature, signatures
from bundle.transfer.image import Manifest
from tests.fixtures.images.cosign_objects import Artifact, bundled, new_key, referring, simple
from tests.fixtures.images.images import image, index, layer

KEY = new_key()
IMAGE = Digest.of(b"image")


def read(made: Artifact, blobs: Mapping[Digest, bytes] | None = None) -> list[Signature]:
    held = {**made.blobs, **(blobs or {})}
    return list(signatures(Manifest.parse(made.raw), lambda layer: held[layer.digest]))


@pytest.mark.parametrize("make", [simple, bundled], ids=["older", "bundle"])
def test_a_signature_names_what_it_is_for(make: Callable[..., Artifact]) -> None:
    (found,) = read(make(KEY, IMAGE))
    assert found.digests == {str(IMAGE)}
    assert IMAGE.hex.encode() in found.signed
    assert found.value


def test_an_envelope_is_signed_as_dsse_says() -> None:
    (found,) = read(bundled(KEY, IMAGE))
    head, _, payload = found.signed.partition(b" {")
    kind = b"application/vnd.in-toto+json"
    assert head == b"DSSEv1 %d %s %d" % (len(kind), kind, len(payload) + 1)


def test_an_attestation_is_no_signature() -> None:
    assert read(bundled(KEY, IMAGE, predicate="https://slsa.dev/provenance/v1")) == []


@pytest.mark.parametrize("made", [image(layer("app", 10)), index(image(layer("app", 10)))], ids=["image", "index"])
def test_other_manifests_hold_none(made: Any) -> None:
    assert list(signatures(Manifest.parse(made.raw), lambda _: pytest.fail("nothing is to be read"))) == []


def test_other_artifacts_hold_none() -> None:
    assert read(referring(IMAGE, "application/spdx+json")) == []


def test_a_payload_of_another_kind_is_for_nothing() -> None:
    payload = json.dumps({"critical": {"image": {"docker-manifest-digest": str(IMAGE)}, "type": "another"}}).encode()
    (found,) = read(simple(KEY, IMAGE, payload=payload))
    assert found.digests == frozenset()


def _envelope(**change: Any) -> bytes:
    statement = {"predicateType": "https://sigstore.dev/cosign/sign/v1", "subject": [{"digest": {"sha256": IMAGE.hex}}]}
    envelope = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
        "signatures": [{"sig": "c2ln"}],
    }
    return json.dumps({"dsseEnvelope": {**envelope, **change}}).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "the Sigstore bundle is not JSON"),
        (b"{}", "'dsseEnvelope'"),
        (_envelope(payload="!"), "a signature is not base64"),
        (_envelope(payload="e30x"), "the signed statement is not JSON"),
        (_envelope(signatures=[{"sig": "no base64"}]), "a signature is not base64"),
        (_envelope(signatures=[{}]), "'sig'"),
        (_envelope(payloadType=7), "'payloadType'"),
    ],
)
def test_a_bundle_that_is_not_well_formed(content: bytes, told: str) -> None:
    made = bundled(KEY, IMAGE)
    (layer,) = Manifest.parse(made.raw).layers
    with pytest.raises(FormatError, match=told):
        read(made, {layer.digest: content})


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"critical": {"type": "x"}}'])
def test_a_payload_that_is_not_well_formed(content: bytes) -> None:
    with pytest.raises(FormatError):
        read(simple(KEY, IMAGE, payload=content))


def test_what_is_too_large_is_not_read() -> None:
    made = simple(KEY, IMAGE)
    data = json.loads(made.raw)
    data["layers"][0]["size"] = MAX_SIGNATURE + 1

    def refuse(_: Descriptor) -> bytes:
        raise AssertionError("it was read")

    with pytest.raises(FormatError, match=f"expected at most {MAX_SIGNATURE}"):
        list(signatures(Manifest.parse(json.dumps(data).encode()), refuse))
