"""Signing and checking by the real ssh-keygen, and what is said where it can't."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle.errors import MissingToolError, ProgramError
from bundle.signing.signers import Signers
from bundle.signing.ssh_signature import SshSignature
from bundle.signing.trust import SignedData
from clients.programs.ssh_keygen import SshKeygen
from tests.fixtures.parts.ssh_keys import Key, agent, make_key


@pytest.fixture
def message(tmp_path: Path) -> Path:
    (tmp_path / "SHA256SUMS").write_bytes(b"sums\n")
    return tmp_path / "SHA256SUMS"


def sign(message: Path, key: Path, **env: str) -> bytes:
    keygen = SshKeygen({"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": "", **env})
    return keygen.sign(message, key, place=message.parent, interactive=False, say=lambda _: None)


def accepts(armored: bytes, message: bytes, key: Key, options: str = "") -> bool:
    signers = Signers.parse(key.line("release@example.com", options).encode(), label="signers")
    signature = SshSignature.parse(armored)
    signer = signers.find(signature.key, datetime.now(UTC), subject="bundle 'x'")
    data = SignedData(signature=signature, armored=armored, message=message, signer=signer)
    return SshKeygen({"PATH": "/usr/bin:/bin"}).accepts(data, signers)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_is_signed_is_accepted_and_nothing_else(message: Path, kind: str) -> None:
    key = make_key(message.parent / "keys/key", kind=kind)
    made = sign(message, key.path)
    assert accepts(made, b"sums\n", key)
    assert not accepts(made, b"sums", key)
    assert sorted(path.name for path in message.parent.iterdir()) == ["SHA256SUMS", "keys"], "nothing is left"


def test_a_key_of_an_agent(message: Path) -> None:
    key = make_key(message.parent / "keys/key")
    with agent(message.parent, key) as env:
        key.path.unlink()
        assert accepts(sign(message, key.public, **env), b"sums\n", key)


def test_who_can_not_sign_is_told_what_to_do(message: Path) -> None:
    key, locked = make_key(message.parent / "keys/key"), make_key(message.parent / "keys/locked", passphrase="secret")
    with pytest.raises(ProgramError, match="there is no key '/nowhere'") as caught:
        sign(message, Path("/nowhere"))
    assert "bundle.sign.key" in caught.value.hint
    with pytest.raises(ProgramError, match="has a passphrase, and there is no terminal to ask for it") as caught:
        sign(message, locked.path)
    assert f"ssh-add {locked.path}" in caught.value.hint
    key.path.unlink()
    with pytest.raises(ProgramError, match="ssh-keygen made no signature") as caught:
        sign(message, key.public)
    assert "start ssh-agent, and ssh-add key" in caught.value.hint


def test_without_it(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="ssh-keygen") as caught:
        SshKeygen({"PATH": str(tmp_path)})
    assert "8.2 or later" in caught.value.hint


def test_one_that_is_too_old_is_no_judge(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(message.parent / "keys/key")
    made = sign(message, key.path)
    old = message.parent / "ssh-keygen"
    old.write_text("#!/bin/sh\necho 'unknown option -- Y' >&2\nexit 1\n")
    old.chmod(0o755)
    monkeypatch.setattr("clients.programs.ssh_keygen.find_program", lambda *_, **__: old)
    with pytest.raises(MissingToolError, match=r"is older than OpenSSH 8\.2"):
        accepts(made, b"sums\n", key)
