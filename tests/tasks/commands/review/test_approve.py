"""`doit approve`, and a site that wants several signers."""

from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.parts.ssh_keys import Key, make_key


@pytest.fixture
def approver(tmp_path: Path) -> Key:
    return make_key(tmp_path / "keys/approver")


@pytest.fixture
def site(bench: Workbench, tmp_path: Path, approver: Key) -> Path:
    """A site that wants two signers, for a bundle in parts that one has signed."""
    release = make_key(tmp_path / "keys/release")
    bundle = bench.spec["bundle"]
    assert isinstance(bundle, dict)
    bundle |= {"sign": {"key": str(release.path)}, "archive": True, "split": "1MiB"}
    bench.write()
    bundled(bench)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/signers").write_text(release.line() + approver.line("approver@example.com"))
    (tmp_path / "mine/site.yaml").write_text("trust: {signers: signers, require: 2}\n")
    return tmp_path / "mine/site.yaml"


def test_a_bundle_that_two_have_signed(bench: Workbench, site: Path, approver: Key) -> None:
    part = bench.dist / "app-1.0.tar.001"
    for bundle in (bench.bundle, part):
        ran = bench.doit("verify", f"site={site}", f"bundle={bundle}")
        assert ran.code == 1
        assert "has 1 of 2 signatures that the site requires: release@example.com" in ran.err
        assert "next: doit approve key=FILE" in ran.err
    ran = bench.doit("approve", f"key={approver.path}", f"site={site}", f"bundle={part}")
    assert ran.code == 0, ran.err
    assert f"1 approval in {bench.dist / 'app-1.0.approvals'}" in ran.out
    for bundle in (bench.bundle, part):
        ran = bench.doit("verify", f"site={site}", f"bundle={bundle}")
        assert ran.code == 0, ran.err
        assert "signed by release@example.com (" in ran.out
        assert ", approver@example.com (" in ran.out
    again = bench.doit("approve", f"key={approver.path}", f"bundle={bench.bundle}")
    assert "1 approval in" in again.out, "the same key counts once"
    report = bench.doit("report", f"site={site}", f"bundle={bench.bundle}")
    assert "2 of 2 signers" in report.out


def test_what_is_not_approved(bench: Workbench, site: Path, approver: Key, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "keys/stranger")
    bundle = f"bundle={bench.bundle}"
    ran = bench.doit("approve", f"key={stranger.path}", f"site={site}", bundle)
    assert (ran.code, "does not list" in ran.err) == (1, True)
    assert "key= is not given" in bench.doit("approve", bundle).err
    assert "there is no key" in bench.doit("approve", "key=nowhere", bundle).err
    (bench.bundle / "manifest.txt").write_text("other\n")
    ran = bench.doit("approve", f"key={approver.path}", bundle)
    assert ran.code == 1
    assert "damaged: manifest.txt" in ran.err
    assert not list(bench.dist.glob("*.approvals"))
