"""Whether an image is signed: what is accepted, and what each refusal says."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from bundle.errors import FormatError, SignatureError, StorageError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.image import Manifest
from clients.cosign import CosignKey, check_signed
from tests.fixtures.images.cosign_objects import (
    Artifact,
    PrivateKey,
    artifact,
    bundled,
    new_key,
    public_pem,
    referring,
    sign,
    simple,
    write_public,
)

SUBJECT = "image 'app' (quay.io/team/app:1)"
IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"other")
KEY, STRANGER = new_key(), new_key()
Make = Callable[[PrivateKey, Digest], Artifact]


def check(artifacts: Sequence[Artifact], key: Path, *, digests: Sequence[Digest] = (IMAGE,)) -> Digest:
    blobs = {digest: data for each in artifacts for digest, data in each.blobs.items()}
    manifests = [Manifest.parse(each.raw) for each in artifacts]
    return check_signed(manifests, lambda layer: blobs[layer.digest], key=key, digests=digests, subject=SUBJECT)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return write_public(KEY, tmp_path / "cosign.pub")


@pytest.mark.parametrize("make", [simple, bundled], ids=["simple signing", "Sigstore bundle"])
@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_a_good_signature(tmp_path: Path, make: Make, kind: str) -> None:
    key = new_key(kind)
    assert check([make(key, IMAGE)], write_public(key, tmp_path / "cosign.pub")) == IMAGE


def test_which_of_several_is_signed(public: Path) -> None:
    assert check([simple(KEY, OTHER)], public, digests=[IMAGE, OTHER]) == OTHER


def test_one_good_one_among_others_is_enough(public: Path) -> None:
    """Anybody who may push to a repository can add what is broken, or signed by somebody else."""
    broken = artifact("application/vnd.dev.sigstore.bundle.v0.3+json", b"{")
    others = [broken, referring(IMAGE, "application/spdx+json"), simple(STRANGER, IMAGE), simple(KEY, OTHER)]
    assert check([*others, bundled(KEY, IMAGE)], public) == IMAGE


def payload_for(digest: Digest) -> bytes:
    (data,) = (data for data in simple(KEY, digest).blobs.values() if b"critical" in data)
    return data


@pytest.mark.parametrize(
    ("artifacts", "message", "hint"),
    [
        pytest.param([], f"no signature of {IMAGE} was found", "ask the publisher", id="none"),
        pytest.param(
            [simple(STRANGER, IMAGE), bundled(STRANGER, IMAGE)],
            f"none of the 2 signatures of {IMAGE} was made with the key cosign.pub",
            "check verify.cosign_key against what the publisher announces",
            id="another key",
        ),
        pytest.param(
            [simple(KEY, OTHER)], f"the key cosign.pub signed {OTHER}, expected {IMAGE}", "another image's", id="other"
        ),
        pytest.param(
            [bundled(KEY, OTHER, subject=IMAGE)], f"signed {OTHER}, expected {IMAGE}", "another image's",
            id="other, in a bundle",
        ),
        pytest.param(
            [simple(KEY, IMAGE, payload=payload_for(IMAGE), signed=payload_for(OTHER))],
            f"none of the 1 signatures of {IMAGE} was made with", "do not use this image", id="payload exchanged",
        ),
        pytest.param(
            [bundled(KEY, IMAGE, predicate="https://slsa.dev/provenance/v1")], "no signature of", "ask", id="attests"
        ),
        pytest.param(
            [simple(KEY, IMAGE, payload=b"no JSON")], "(not readable: the signed payload is not JSON", "ask", id="text"
        ),
        pytest.param([simple(KEY, IMAGE, payload=b"{}")], "'critical' is None, expected dict", "ask", id="no claims"),
        pytest.param(
            [simple(KEY, IMAGE, payload=payload_for(IMAGE).replace(b"cosign container", b"atomic container"))],
            "the key cosign.pub signed nothing that is an image, expected", "another image's", id="no cosign claim",
        ),
        pytest.param(
            [artifact("application/vnd.dev.cosign.simplesigning.v1+json", b"{}")], "no signature of", "ask",
            id="no annotation",
        ),
        pytest.param(
            [
                artifact(
                    "application/vnd.dev.cosign.simplesigning.v1+json", payload_for(IMAGE),
                    annotations={"dev.cosignproject.cosign/signature": "%%%"},
                )
            ],
            "a signature is not base64", "ask", id="no base64",
        ),
        pytest.param(
            [artifact("application/vnd.dev.sigstore.bundle.v0.3+json", b'{"messageSignature": {}}')],
            "'dsseEnvelope' is None", "ask", id="no envelope",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(public: Path, artifacts: Sequence[Artifact], message: str, hint: str) -> None:
    with pytest.raises(SignatureError) as caught:
        check(artifacts, public)
    assert caught.value.what.startswith(f"{SUBJECT}: ")
    assert message in caught.value.what
    assert hint in caught.value.hint


def test_a_tampered_statement_is_not_taken(public: Path) -> None:
    """The envelope's payload is exchanged for one that names the image; the signature is that of another."""
    good, wrong = bundled(KEY, IMAGE), bundled(KEY, OTHER)
    envelopes = [json.loads(next(data for data in each.blobs.values() if b"dsse" in data)) for each in (good, wrong)]
    envelopes[1]["dsseEnvelope"]["payload"] = envelopes[0]["dsseEnvelope"]["payload"]
    forged = referring(IMAGE, "application/vnd.dev.sigstore.bundle.v0.3+json", json.dumps(envelopes[1]).encode())
    with pytest.raises(SignatureError, match="none of the 1 signatures"):
        check([forged], public)


def test_what_is_too_large_is_not_read(public: Path) -> None:
    layer = Descriptor(
        media_type="application/vnd.dev.sigstore.bundle.v0.3+json", digest=Digest.of(b"x"), size=2 * 1024 * 1024
    )
    config = Descriptor(media_type=media_types.OCI_EMPTY, digest=Digest.of(b"{}"), size=2)
    raw = json.dumps({"schemaVersion": 2, "config": config.to_dict(), "layers": [layer.to_dict()]}).encode()
    with pytest.raises(SignatureError, match="a signature has 2097152 bytes, expected at most"):
        check([Artifact(raw=raw, blobs={})], public)


def test_many_digests_are_told_in_short(public: Path) -> None:
    signed = [simple(KEY, Digest.of(str(number).encode())) for number in range(5)]
    with pytest.raises(SignatureError, match="and 2 more, expected"):
        check(signed, public)


def test_the_key_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as caught:
        check([], write_public(STRANGER, tmp_path / "cosign.pub"))
    assert public_pem(STRANGER).decode().splitlines()[1] not in str(caught.value)


PRIVATE = new_key().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_a_key_knows_what_it_signed(tmp_path: Path, kind: str) -> None:
    key = new_key(kind)
    public = CosignKey.read(write_public(key, tmp_path / "cosign.pub"), subject=SUBJECT)
    value = base64.b64decode(sign(key, b"data"))
    assert public.made(value, b"data")
    assert not public.made(value, b"other data")
    assert not public.made(b"", b"data")
    assert not public.made(value[:-1] + bytes([value[-1] ^ 1]), b"data")


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        pytest.param(b"", "is no public key; expected a public key in PEM", "", id="empty"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is no public key", "", id="cut"),
        pytest.param(b"\x30\x59\x30\x13", "is no public key", "", id="DER"),
        pytest.param(PRIVATE, "is a private key", "cosign public-key --key", id="private"),
        pytest.param(
            b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n", "is a private key", "elsewhere", id="cosign.key"
        ),
        pytest.param(
            trustme.CA().cert_pem.bytes(), "is a certificate", "openssl x509 -in cosign.pub -pubkey", id="certificate"
        ),
        pytest.param(public_pem(new_key("P-384")), "is a key of another kind", "", id="P-384"),
        pytest.param(public_pem(new_key("RSA-1024")), "is a key of another kind", "", id="short RSA"),
    ],
)
def test_what_is_no_key(tmp_path: Path, content: bytes, message: str, hint: str) -> None:
    (tmp_path / "cosign.pub").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        CosignKey.read(tmp_path / "cosign.pub", subject=SUBJECT)
    assert caught.value.what.startswith(f"{SUBJECT}: '{tmp_path}/cosign.pub' ")
    assert message in caught.value.what
    assert hint in caught.value.hint
    assert "AAAA" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't read the cosign key of image 'app'"):
        CosignKey.read(tmp_path / "cosign.pub", subject=SUBJECT)
