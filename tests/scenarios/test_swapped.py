"""What was verified is what runs: files of a signed bundle that are swapped while or after it is checked."""

import hashlib
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from bundle.archive.reader import fingerprint
from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.signed_site import (
    SWAPPING,
    WATCHING,
    SignedBundle,
    SignedSite,
    carried_to,
    make_signed,
    resum,
    script,
)
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.parts.fake_cluster import helm_script
from tests.fixtures.places import others_can
from tests.fixtures.servers.listeners import listening, silence

# Every kind of file that an install uses, and what an attacker would put there.
EVIL = {
    "install/action.sh": script("EVIL", "action"),
    "install/check.sh": script("EVIL", "check"),
    "install/dump.sh": script("EVIL", "dump"),
    "install/values.yaml": "word: EVIL\n",
    "install/ca.crt": trustme.CA().cert_pem.bytes().decode(),
    "charts/app-1.0.0.tgz": "EVIL",
    "files/helm": helm_script("EVIL"),
    "files/mytool": script("EVIL", "mytool"),
    "airgap.json": "{}",
    "manifest.json": "{}",
    "SHA256SUMS": "",
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with throwaway_registry(tmp_path_factory.mktemp("registry") / "data") as (_, host):
        yield host


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedBundle]:
    authority = trustme.CA()
    context = trustme_context(authority)
    with listening(silence, context=context) as port:
        yield make_signed(tmp_path_factory.mktemp("made"), authority.cert_pem.bytes(), f"127.0.0.1:{port}")


def trustme_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def site(made: SignedBundle, registry: str, tmp_path: Path) -> SignedSite:
    return carried_to(tmp_path, made, registry)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whom backups are encrypted to."""
    place = tmp_path_factory.mktemp("backup")
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=b", "-days", "9"]
    subprocess.run([*argv, "-keyout", place / "b.key", "-out", place / "b.crt"], check=True, capture_output=True)
    return place / "b.crt"


def swapped(site: SignedSite, name: str, *words: str, trust: bool = True) -> Ran:
    """Run a command, with a file of the bundle swapped right after it was first read."""
    target, other = site.bundle / name, site.place / "other"
    other.write_text(EVIL[name])
    other.chmod(0o755)
    ran = site.run(*words, trust=trust, under=SWAPPING, env={"SWAP_TARGET": str(target), "SWAP_WITH": str(other)})
    assert target.read_text(errors="replace") == EVIL[name], "it was never read, so nothing was shown"
    return ran


def only_genuine(site: SignedSite, made: SignedBundle, ran: Ran, name: str) -> None:
    """Nothing of the attacker's was used: it went well, or it was refused by the name of the file."""
    assert "EVIL" not in site.words()
    assert site.charts() <= {hashlib.sha256((made.directory / "charts/app-1.0.0.tgz").read_bytes()).hexdigest()}
    if ran.code:
        assert ran.code == 1
        named = {f"damaged: {name}", f"{name!r} is damaged", f"is not over this {name}", f"{name} was changed while"}
        assert any(each in ran.err for each in named), ran.err


def test_an_install_uses_all_of_them(site: SignedSite, made: SignedBundle) -> None:
    """So that the tests below are about something."""
    site.installed()
    assert site.words() == {"genuine"}
    assert {line.partition(" ")[2] for line in site.ran} == {"action", "check", "mytool"}
    assert len(site.charts()) == 1
    assert not any(Path(each["path"]).is_relative_to(site.bundle) for each in site.cluster.given())


@pytest.mark.parametrize("name", EVIL)
def test_swapped_while_it_installs(site: SignedSite, made: SignedBundle, name: str) -> None:
    ran = swapped(site, name, "install")
    only_genuine(site, made, ran, name)


@pytest.mark.parametrize("name", ["SHA256SUMS", "install/check.sh"])
def test_swapped_where_nobody_asks_for_a_signature(site: SignedSite, made: SignedBundle, name: str) -> None:
    """What is verified is the list that the steps were taken from, signed or not."""
    ran = swapped(site, name, "install", trust=False)
    only_genuine(site, made, ran, name)
    assert ran.code == 1
    assert name != "SHA256SUMS" or "SHA256SUMS was changed while the bundle is in use: expected sha256:" in ran.err


@pytest.mark.parametrize("command", [["install"], ["backup"], ["plan", "install"]], ids=" ".join)
def test_only_what_compares_opens_the_bundle(site: SignedSite, certificate: Path, command: list[str]) -> None:
    """No other module opens a path in it or beside it, and no program is given one, or started there."""
    if command == ["backup"]:
        site.installed()
    log = site.place / "watched.log"
    words = [*command, f"key={certificate}", f"out={site.place / 'out'}"]
    ran = site.run(*words, under=WATCHING, env={"WATCH": str(log), "WATCHED": str(site.bundle)})
    assert ran.code == 0, ran.err
    found = {tuple(line.split("\t")) for line in log.read_text().splitlines()}
    reading = {("open", f"bundle/{name}.py") for name in ("storage/volume", "archive/verify", "storage/tree")}
    reading.add(("open", "bundle/signing/approvals.py"))  # signatures over the list, beside the bundle
    assert found <= reading
    assert ("open", "bundle/storage/volume.py") in found


@pytest.mark.parametrize("command", [["backup"], ["plan", "install"]], ids=" ".join)
@pytest.mark.parametrize("name", [name for name in EVIL if name not in ("charts/app-1.0.0.tgz",)])
def test_swapped_while_another_command_runs(
    site: SignedSite, made: SignedBundle, certificate: Path, name: str, command: list[str]
) -> None:
    site.installed()
    shutil.rmtree(site.state / "carried")
    ran = swapped(site, name, *command, f"key={certificate}", f"out={site.place / 'out'}")
    only_genuine(site, made, ran, name)


def unseen(site: SignedSite, name: str) -> None:
    """Other bytes in a file of the bundle, on a medium that keeps no account: they look as those that were verified."""
    target, before = site.bundle / name, str(fingerprint(site.bundle))
    target.write_text(EVIL[name])
    for noted in (site.installation / "doit.journal", site.installation / "whole.json"):
        assert before in noted.read_text()
        noted.write_text(noted.read_text().replace(before, str(fingerprint(site.bundle))))


@pytest.mark.parametrize("copies", ["kept", "gone"])
@pytest.mark.parametrize("name", EVIL)
def test_swapped_between_two_days(site: SignedSite, made: SignedBundle, name: str, copies: str) -> None:
    """Day 1: all is verified, and the images pushed. Day 2: verify is up to date by what the file system tells."""
    assert site.run("preflight").code == 0
    first = site.run("push")
    assert first.code == 0, first.err
    unseen(site, name)
    if copies == "gone":
        shutil.rmtree(site.state / "carried")
    ran = site.run("install")
    if name == "SHA256SUMS":
        assert "is not over this SHA256SUMS" in ran.err
        return
    only_genuine(site, made, ran, name)
    used = name not in ("install/dump.sh", "airgap.json", "manifest.json")
    if copies == "kept" and used:
        assert ran.code == 0, ran.err
    elif used or name.endswith("json"):
        assert ran.code == 1


@pytest.mark.parametrize("form", ["directory", "archive"])
@pytest.mark.parametrize("command", ["backup", "diagnose", "rollback", "uninstall"])
def test_a_plain_edit_is_found_by_what_never_verifies(
    site: SignedSite, made: SignedBundle, certificate: Path, command: str, form: str
) -> None:
    site.installed()
    before = site.ran
    if form == "directory":
        (site.bundle / "install/dump.sh").write_text(EVIL["install/dump.sh"])
        bundle = site.bundle
    else:
        data, good = made.archive.read_bytes(), (made.directory / "install/dump.sh").read_bytes()
        assert data.count(good) == 1
        bundle = site.place / "carried/app-1.0.tar"
        bundle.write_bytes(data.replace(good, good.replace(b"genuine", b"EVIL   ")))
        shutil.copy(f"{made.archive}.sha256", f"{bundle}.sha256")
    shutil.rmtree(site.state / "carried")
    ran = site.run(command, f"key={certificate}", *(["--yes"] if command == "uninstall" else []), bundle=bundle)
    assert ran.code == 1
    assert "'install/dump.sh' is damaged: expected sha256:" in ran.err
    assert site.ran == before


def test_a_backup_runs_what_was_signed(site: SignedSite, certificate: Path) -> None:
    site.installed()
    ran = site.run("backup", f"key={certificate}", f"out={site.place / 'out'}")
    assert ran.code == 0, ran.err
    assert site.ran[-1] == "genuine dump"


@pytest.mark.parametrize("name", ["install/check.sh", "files/helm"])
def test_a_planted_copy_is_not_used(site: SignedSite, made: SignedBundle, name: str) -> None:
    """Whoever could write to the state once, be it for a moment."""
    assert site.run("preflight").code == 0
    (place,) = (path for path in (site.state / "carried").iterdir() if path.is_dir())
    (place / name.replace("files/", "tools/")).write_text(EVIL[name])
    site.installed()
    assert site.words() == {"genuine"}


def test_a_tool_is_found_by_its_bare_name(site: SignedSite) -> None:
    assert site.run("preflight").code == 0
    assert "genuine mytool" in site.ran


@pytest.mark.parametrize("umask", [0o000, 0o002])
def test_the_state_is_ours_alone(site: SignedSite, umask: int) -> None:
    before = os.umask(umask)
    try:
        site.installed()
    finally:
        os.umask(before)
    assert site.state.stat().st_mode & 0o777 == 0o700
    assert others_can(site.state) == []
    site.state.chmod(0o777)
    for command in ("install", "verify", "backup"):
        ran = site.run(command)
        assert ran.code == 3
        assert f"others can write to directory '{site.state}': its mode is 0777, expected 0700" in ran.err
        assert f"next: chmod -R go-w {site.state}" in ran.err


def test_rehearse_runs_the_program_that_the_list_names(site: SignedSite, made: SignedBundle) -> None:
    mark = site.place / "PWNED"
    (site.bundle / "airgap.pyz").write_text(f"open({str(mark)!r}, 'w')\n")
    workbench = made.directory.parents[1]
    words = [f"bundle={site.bundle}", f"trust={site.place / 'site/signers'}", f"state={site.place / 'rehearsed'}"]
    ran = Workbench(place=workbench, env=dict(site.cluster.env)).doit("rehearse", *words)
    assert ran.code == 1
    assert "'airgap.pyz' is damaged: expected sha256:" in ran.err
    assert not mark.exists()
    assert "proven" not in ran.out


def test_what_a_rehearsal_reports_as_proven_is_not_the_bundles_own_word(site: SignedSite, made: SignedBundle) -> None:
    """A program that says yes to everything, in a bundle that is damaged: the list names it, nobody asked for trust."""
    (site.bundle / "airgap.pyz").write_text("print('verify  all checksums match')\n")
    resum(site.bundle)
    (site.bundle / "charts/app-1.0.0.tgz").write_text("EVIL")
    words = [f"bundle={site.bundle}", f"state={site.place / 'rehearsed'}"]
    ran = Workbench(place=made.directory.parents[1], env=dict(site.cluster.env)).doit("rehearse", *words)
    assert ran.code == 1
    assert "damaged: charts/app-1.0.0.tgz" in ran.out
    assert "whole and undamaged" not in ran.out
    found = json.loads((site.place / "rehearsed/rehearsal.json").read_text())
    assert not any("whole" in each for each in found["proven"])
