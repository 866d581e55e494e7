"""Signatures as ssh-keygen writes them, whole and broken."""

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.signing.ssh_signature import PublicKey, SshSignature
from tests.fixtures.parts.ssh_keys import Key, make_key

MESSAGE = b"0123  a file\n"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256"), ("-O", "hashalg=sha512")], ids=str)
def test_what_ssh_keygen_signs(key: Key, options: tuple[str, ...]) -> None:
    signature = SshSignature.parse(key.sign(MESSAGE, options=options))
    assert (signature.namespace, signature.hash) == ("airgap-bundle", options[1][8:] if options else "sha512")
    assert signature.key == PublicKey.decode(key.public.read_text().split()[1])
    assert signature.verify(MESSAGE)
    assert not signature.verify(MESSAGE + b"\n")


def test_the_namespace_is_signed_too(key: Key) -> None:
    raw = _unarmored(key.sign(MESSAGE, namespace="file"))
    assert SshSignature.parse(_armored(raw)).verify(MESSAGE)
    assert not SshSignature.parse(_armored(raw.replace(b"\x04file", b"\x04fill"))).verify(MESSAGE)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_kinds_are_read_and_not_judged(tmp_path: Path, kind: str) -> None:
    signature = SshSignature.parse(make_key(tmp_path / "key", kind=kind).sign(MESSAGE))
    assert not signature.is_ed25519
    assert not signature.verify(MESSAGE)


def _unarmored(armored: bytes) -> bytes:
    return base64.b64decode(b"".join(armored.split(b"\n")[1:-2]))


def _armored(raw: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(raw) + b"\n-----END SSH SIGNATURE-----\n"


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda armored: _armored(_unarmored(armored).replace(old, new, 1))


def _huge(raw: bytes) -> bytes:
    return raw[:10] + struct.pack(">I", 2**32 - 1) + raw[14:]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda _: b"", "does not stand between", id="empty"),
        pytest.param(lambda a: a[:-5], "does not stand between", id="cut off"),
        pytest.param(lambda a: a + a, "not base64", id="two of them"),
        pytest.param(lambda a: b"\n" + a, "does not stand between", id="something before"),
        pytest.param(lambda a: a.replace(b"\n", "\né".encode(), 1), "not ASCII", id="not ascii"),
        pytest.param(lambda a: a.replace(b"SSH SIGNATURE", b"PGP SIGNATURE"), "does not stand between", id="pgp"),
        pytest.param(lambda a: a.replace(b"\nU", b"\n!U", 1), "not base64", id="not base64"),
        pytest.param(_replaced(b"SSHSIG", b"SSHSIK"), "does not begin with SSHSIG", id="magic"),
        pytest.param(_replaced(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2"), "has version 2, expected 1", id="version"),
        pytest.param(_replaced(b"\6sha512", b"\6sha384"), "over the hash 'sha384'", id="hash"),
        pytest.param(_replaced(b"\6sha512", b"\6sha51\xff"), "hash is not ASCII", id="hash no text"),
        pytest.param(lambda a: _armored(_unarmored(a)[:-1]), "cut off in its signature", id="short"),
        pytest.param(lambda a: _armored(_unarmored(a) + b"x"), "has 1 bytes behind its end", id="long"),
        pytest.param(lambda a: _armored(_huge(_unarmored(a))), "cut off in its public key", id="huge length"),
        pytest.param(lambda a: _armored(_unarmored(a)[:9]), "cut off in its version", id="nothing in it"),
    ],
)
def test_what_is_none(key: Key, change: Callable[[bytes], bytes], what: str) -> None:
    armored = key.sign(MESSAGE)
    assert change(armored) != armored
    with pytest.raises(FormatError, match=what):
        SshSignature.parse(change(armored))


def test_windows_line_ends_are_fine(key: Key) -> None:
    assert SshSignature.parse(key.sign(MESSAGE).replace(b"\n", b"\r\n")).verify(MESSAGE)


@pytest.mark.parametrize(
    "change",
    [
        _replaced(b"\0\0\0\x40", b"\0\0\0\x3f"),
        _replaced(b"\0\0\0\x53\0\0\0\x0bssh-ed25519", b"\0\0\0\x53\0\0\0\x0bssh-ed25518"),
    ],
    ids=["a byte less", "another algorithm"],
)
def test_a_value_of_another_form_is_over_nothing(key: Key, change: Callable[[bytes], bytes]) -> None:
    assert not SshSignature.parse(change(key.sign(MESSAGE))).verify(MESSAGE)
