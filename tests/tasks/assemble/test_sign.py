import json
import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Ran, Workbench, make
from tests.fixtures.parts.ssh_keys import Key, agent, make_key, verify_by_hand
from tests.fixtures.places import ROOT

SIGNATURE = "SHA256SUMS.sig"


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return make_key(tmp_path / "keys/release")


@pytest.fixture
def bench(tmp_path: Path, key: Key) -> Workbench:
    return make(tmp_path / "project", bundle={"sign": {"key": "../keys/release"}})


def bundled(bench: Workbench) -> Ran:
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return ran


def signs_with(bench: Workbench, key: Path | str, **more: object) -> None:
    bundle = {"name": "app", "version": "1.0", "sign": {"key": str(key)}, **more}
    bench.write({**bench.spec, "bundle": bundle})


def rename(bench: Workbench, target: str) -> None:
    """Give the first image another name inside, which changes the manifest."""
    images = bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = target
    bench.write()


def by_hand(bench: Workbench, key: Key) -> None:
    """The commands of manifest.txt say that all is well."""
    done = verify_by_hand(bench.bundle, key.signers(bench.place / "allowed_signers"))
    assert done.returncode == 0, done.stderr
    assert 'Good "airgap-bundle" signature for release@example.com' in done.stdout


def test_standard_tools_check_it(bench: Workbench, key: Key) -> None:
    ran = bundled(bench)
    assert "sign" in ran.steps
    by_hand(bench, key)
    assert SIGNATURE not in (bench.bundle / "SHA256SUMS").read_text()
    text = (bench.bundle / "manifest.txt").read_text()
    assert "ssh-keygen -Y verify -f allowed_signers -I IDENTITY -n airgap-bundle -s SHA256SUMS.sig < SHA256SUMS" in text
    assert "a changed bundle may have a changed airgap.pyz too" in text
    assert json.loads((bench.bundle / "manifest.json").read_text())["signed"] is True


def test_again_only_when_the_sums_or_the_key_change(bench: Workbench, key: Key) -> None:
    bundled(bench)
    assert bundled(bench).steps == []
    key.path.touch()
    assert bundled(bench).steps == ["directory", "sign"]
    rename(bench, "one:1.1")
    assert "sign" in bundled(bench).steps
    (bench.work / "tree" / SIGNATURE).unlink()
    assert "sign" in bundled(bench).steps
    by_hand(bench, key)


def test_a_run_with_nothing_to_do_starts_no_program(bench: Workbench) -> None:
    bundled(bench)
    _, seen = bench.watched("bundle")
    assert seen == []


def test_another_key_signs_anew(bench: Workbench, tmp_path: Path) -> None:
    bundled(bench)
    other = make_key(tmp_path / "keys/other")
    signs_with(bench, other.path)
    assert "sign" in bundled(bench).steps
    by_hand(bench, other)


def test_without_sign_the_signature_goes(bench: Workbench) -> None:
    bundled(bench)
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0"}})
    bundled(bench)
    assert not list(bench.dist.rglob(SIGNATURE))
    assert bench.doit("verify").code == 0


def test_the_archive_carries_it(bench: Workbench, key: Key) -> None:
    signs_with(bench, key.path, split="1MiB")
    bundled(bench)
    place = bench.place / "unpacked"
    place.mkdir()
    subprocess.run(f"cat {bench.dist}/app-1.0.tar.0* | tar -xf - -C {place}", shell=True, check=True)
    assert (place / "app-1.0" / SIGNATURE).read_bytes() == (bench.bundle / SIGNATURE).read_bytes()


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_every_kind_of_key(bench: Workbench, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / f"keys/{kind}", kind=kind)
    signs_with(bench, key.path)
    bundled(bench)
    by_hand(bench, key)
    ran = bench.doit("verify", f"trust={key.signers(tmp_path / 'signers')}")
    assert ran.code == 0, ran.err
    assert "signed by release@example.com (" in ran.out


def test_a_line_that_is_passed_over_is_told(bench: Workbench, key: Key, tmp_path: Path) -> None:
    signs_with(bench, key.path)
    bundled(bench)
    signers = key.signers(tmp_path / "signers")
    assert "passed over" not in bench.doit("verify", f"trust={signers}").out
    signers.write_text(f"someone ssh-rsa\n{signers.read_text()}")
    ran = bench.doit("verify", f"trust={signers}")
    assert ran.code == 0, ran.err
    assert f"{signers}, line 1: expected: principals, options, type and base64 of a key: passed over" in ran.out


def test_a_key_of_an_agent(bench: Workbench, key: Key, tmp_path: Path) -> None:
    with agent(tmp_path, key) as env:
        key.path.unlink()
        bench.env |= env
        signs_with(bench, "../keys/release.pub")
        bundled(bench)
    by_hand(bench, key)


@pytest.mark.parametrize("kind", ["no agent", "another key"])
def test_a_key_that_the_agent_lacks(bench: Workbench, key: Key, tmp_path: Path, kind: str) -> None:
    key.path.unlink()
    signs_with(bench, "../keys/release.pub")
    bench.env["SSH_AUTH_SOCK"] = ""
    if kind == "no agent":
        ran = bench.doit("bundle")
    else:
        with agent(tmp_path, make_key(tmp_path / "keys/other")) as env:
            bench.env |= env
            ran = bench.doit("bundle")
    assert ran.code == 1
    assert ran.err.count("FAILED") == 1, ran.err
    assert "FAILED sign: ssh-keygen made no signature" in ran.err
    assert "is in no agent: start ssh-agent, and ssh-add release" in ran.err
    assert not bench.bundle.exists()


def test_a_passphrase_without_a_terminal(bench: Workbench, tmp_path: Path) -> None:
    key = make_key(tmp_path / "keys/locked", passphrase="correct horse")
    signs_with(bench, key.path)
    ran = bench.doit("bundle")
    assert (ran.code, ran.err.count("FAILED")) == (1, 1), ran.err
    assert "locked' has a passphrase, and there is no terminal to ask for it" in ran.err
    assert f"next: load it before: ssh-add {key.path}; and name its public key: sign: {{key: locked.pub}}" in ran.err


@pytest.mark.parametrize(("typed", "code"), [("correct horse", 0), ("wrong", 1)])
def test_a_passphrase_is_asked_for_at_the_terminal(bench: Workbench, tmp_path: Path, typed: str, code: int) -> None:
    key = make_key(tmp_path / "keys/locked", passphrase="correct horse")
    signs_with(bench, key.path)
    words, env = bench.command("bundle")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "doit", *words], {**env, "TERM": "xterm"})
    seen, deadline = "", time.monotonic() + 60
    while "passphrase" not in seen and time.monotonic() < deadline:
        seen += os.read(terminal, 4096).decode(errors="replace")
    os.write(terminal, f"{typed}\n".encode())
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data.decode(errors="replace")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == code, seen
    assert typed not in seen
    if code:
        assert "run again, and give the key's passphrase" in seen
    else:
        by_hand(bench, key)


def test_no_key_and_no_ssh_keygen(bench: Workbench, key: Key, tmp_path: Path) -> None:
    bundled(bench)
    before = bench.files()
    (tmp_path / "bin").mkdir()
    bench.env["PATH"] = str(tmp_path / "bin")
    rename(bench, "one:1.1")
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "FAILED sign: ssh-keygen is not installed" in ran.err
    assert "next: install OpenSSH's client" in ran.err
    bench.env["PATH"] = os.environ["PATH"]
    key.path.unlink()
    ran = bench.doit("bundle")
    assert (ran.code, ran.err.count("FAILED")) == (1, 1)
    assert f"FAILED sign: there is no key '{bench.place}/../keys/release'" in ran.err
    assert bench.files() == before, "the last good bundle stays"


def test_what_is_no_key(bench: Workbench, key: Key) -> None:
    key.path.write_text("no key\n")
    ran = bench.doit("bundle")
    assert (ran.code, ran.err.count("FAILED")) == (1, 1)
    assert "FAILED sign: ssh-keygen made no signature with" in ran.err


@pytest.mark.parametrize(
    ("sign", "what"),
    [
        ({}, "'sign' is missing 'key'"),
        ({"key": ""}, "the path of a key file"),
        ({"key": "x", "keys": "y"}, "unknown key 'keys'; did you mean 'key'?"),
        ("release", "'sign'"),
    ],
)
def test_a_wrong_spec(bench: Workbench, sign: object, what: str) -> None:
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0", "sign": sign}})
    ran = bench.doit("list")
    assert ran.code == 3
    assert what in ran.err


def test_same_lock_date_and_key_give_the_same_bytes(tmp_path: Path) -> None:
    key = make_key(tmp_path / "a/keys/release")
    shutil.copytree(tmp_path / "a/keys", tmp_path / "b/keys")
    files = []
    for name in ("a", "b"):
        bench = make(tmp_path / name / "project", bundle={"sign": {"key": "../keys/release"}})
        bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
        bundled(bench)
        files.append(bench.files())
    assert files[0] == files[1]
    assert f"app-1.0/{SIGNATURE}" in files[0]
    assert str(key.path).encode() not in b"".join(files[0].values())
