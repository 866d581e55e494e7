"""Public keys: which are read, and what is said of the others."""

import base64
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from bundle.errors import FormatError, StorageError
from clients.cosign import CosignKey
from tests.fixtures.made.cosign_objects import new_key, public_pem, sign, write_public

SUBJECT = "image 'app'"
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
