"""Encryption to a certificate, read again by openssl with its key; streams in parts, and programs that fail."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.errors import AirgapError, FormatError, MissingToolError, ProgramError
from clients.programs import openssl as encryption
from clients.programs.openssl import PASSWORD, PrivateKey, Recipient
from tests.fixtures.parts.parts import PartError, program

KINDS = {"RSA": ["rsa:2048"], "EC": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


@pytest.fixture(params=KINDS)
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    try:
        openssl = program("openssl")
    except PartError as err:
        pytest.skip(str(err))
    argv = [openssl, "req", "-x509", "-newkey", *KINDS[request.param], "-nodes", "-days", "10", "-subj", "/CN=backup"]
    argv += ["-keyout", str(tmp_path / "k.key"), "-out", str(tmp_path / "k.crt")]
    subprocess.run(argv, capture_output=True, check=True)
    return tmp_path


def decrypted(keys: Path, path: Path) -> bytes:
    argv = [program("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(path)]
    argv += ["-recip", str(keys / "k.crt"), "-inkey", str(keys / "k.key")]
    return subprocess.run(argv, capture_output=True, check=True).stdout


@pytest.mark.parametrize("data", [b"", b"secret\r\n\x00\xff" * 1000], ids=["empty", "binary"])
def test_what_is_encrypted_is_read_with_the_key_alone(keys: Path, data: bytes) -> None:
    (keys / "x.cms").write_bytes(Recipient.read(keys / "k.crt").encrypt(data))
    assert b"secret" not in (keys / "x.cms").read_bytes()
    assert decrypted(keys, keys / "x.cms") == data


def test_a_stream_becomes_parts_that_give_it_again(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "PART", 300_000)
    chunks = [os.urandom(100_000) for _ in range(7)]
    parts = Recipient.read(keys / "k.crt").stream(iter(chunks), keys, "db")
    assert [path.name for path in parts] == ["db.0001.cms", "db.0002.cms", "db.0003.cms"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in parts)
    assert b"".join(decrypted(keys, path) for path in parts) == b"".join(chunks)


def test_a_stream_that_breaks_off_is_an_error(keys: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise ProgramError("the dump failed")

    with pytest.raises(ProgramError, match="the dump failed"):
        Recipient.read(keys / "k.crt").stream(broken(), keys, "db")


@pytest.mark.parametrize("keys", ["RSA"], indirect=True)
def test_who_can_not_be_encrypted_to_is_told_before_anything_is_written(keys: Path) -> None:
    with pytest.raises(FormatError, match="there is a private key in it"):
        Recipient.read(keys / "k.key")
    with pytest.raises(MissingToolError, match="openssl is not installed"):
        Recipient.read(keys / "k.crt", search="/nonexistent")
    argv = [program("openssl"), "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x"]
    argv += ["-keyout", str(keys / "ed.key"), "-out", str(keys / "ed.crt")]
    subprocess.run(argv, capture_output=True, check=True)
    with pytest.raises(AirgapError, match=r"openssl can't encrypt to .*ed\.crt"):
        Recipient.read(keys / "ed.crt")


def test_a_program_that_stops_reading_is_a_failure_whatever_its_code(tmp_path: Path) -> None:
    openssl = tmp_path / "openssl"
    openssl.write_text("#!/bin/sh\nhead -c 10 >/dev/null\n")
    openssl.chmod(0o755)
    recipient = Recipient(path=tmp_path / "k.crt", openssl=openssl)
    with pytest.raises(ProgramError, match="openssl can't encrypt to"):
        recipient.stream(iter([b"x" * 100_000] * 20), tmp_path, "db")


def test_encryption_that_is_broken_off_leaves_no_program(tmp_path: Path) -> None:
    openssl = tmp_path / "openssl"
    openssl.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/number\ncat >/dev/null; exec sleep 1000\n")
    openssl.chmod(0o755)

    def broken() -> Iterator[bytes]:
        yield b"some"
        while not (tmp_path / "number").exists() or not (tmp_path / "number").read_text():
            time.sleep(0.01)
        raise ProgramError("the dump failed")

    with pytest.raises(ProgramError, match="the dump failed"):
        Recipient(path=tmp_path / "k.crt", openssl=openssl).stream(broken(), tmp_path, "db")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "number").read_text()), 0)


def read_by(key: Path, part: Path, **env: str) -> bytes:
    return b"".join(PrivateKey.at(key).stream(part, env={**os.environ, **env}))


def test_a_private_key_alone_reads_what_was_encrypted_to_its_certificate(keys: Path) -> None:
    data = os.urandom(3_000_000)
    (part,) = Recipient.read(keys / "k.crt").stream(iter([data]), keys, "db")
    assert read_by(keys / "k.key", part) == data


def test_a_passphrase_comes_from_the_environment(keys: Path) -> None:
    (part,) = Recipient.read(keys / "k.crt").stream(iter([b"data"]), keys, "db")
    locked = keys / "locked.key"
    argv = [program("openssl"), "pkey", "-in", str(keys / "k.key"), "-aes256", "-passout", "pass:hush-hush"]
    subprocess.run([*argv, "-out", str(locked)], check=True)
    assert read_by(locked, part, **{PASSWORD: "hush-hush"}) == b"data"
    with pytest.raises(ProgramError, match="does not decrypt it") as caught:
        read_by(locked, part, **{PASSWORD: "wrong-one"})
    assert "wrong-one" not in str(caught.value)


def test_a_wrong_key_gives_no_noise(keys: Path) -> None:
    (part,) = Recipient.read(keys / "k.crt").stream(iter([b"data" * 100_000]), keys, "db")
    for kind, newkey in KINDS.items():
        other = keys / f"other-{kind}.key"
        argv = [program("openssl"), "req", "-x509", "-newkey", *newkey, "-nodes", "-subj", "/CN=x", "-out", "/dev/null"]
        subprocess.run([*argv, "-keyout", str(other)], capture_output=True, check=True)
        chunks = PrivateKey.at(other).stream(part, env=os.environ)
        with pytest.raises(ProgramError, match="does not decrypt it"):
            assert next(chunks) is None


def test_what_is_no_private_key(keys: Path) -> None:
    with pytest.raises(FormatError, match="holds no private key"):
        PrivateKey.at(keys / "k.crt")
    with pytest.raises(AirgapError, match="read the private key"):
        PrivateKey.at(keys / "gone.key")
