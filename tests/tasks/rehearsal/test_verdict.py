"""The rehearsing program's own check of a bundle: what is known of it then, and what is not."""

import shutil
from pathlib import Path

import pytest

from bundle.errors import BundleError, TrustError
from bundle.meter import SilentMeter
from tasks.rehearsal.verdict import Verdict, judge_carried
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.benches.workbench import bundled, make
from tests.fixtures.parts.ssh_keys import Key, make_key

ENV = {"PATH": "/usr/bin:/bin"}


def judged(bundle: Path, state: Path, **given: str) -> Verdict:
    return judge_carried(receiving(bundle, state, env=ENV, **given).carried, SilentMeter())


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    return bundled(make(tmp_path_factory.mktemp("signed") / "project", bundle={"sign": {"key": str(key.path)}})).bundle


def test_a_whole_one_that_nobody_signed(carried_bundle: Path, tmp_path: Path) -> None:
    verdict = judged(carried_bundle, tmp_path / "state")
    assert str(verdict).startswith(f"{verdict.report.files} files, ")
    assert verdict.report.files > 10
    assert list(verdict.proven()) == [
        "the carried bundle is whole and undamaged, by the check of this program, not of its own"
    ]
    assert list(verdict.not_proven()) == []


def test_one_that_is_signed_by_whom_is_known(signed: Path, tmp_path: Path, key: Key) -> None:
    signers = key.signers(tmp_path / "signers")
    verdict = judged(signed, tmp_path / "state", trust=str(signers))
    _, told = verdict.proven()
    assert told.startswith("it is signed by release@example.com (")
    assert told.endswith(f"whom {signers} lists")
    assert list(verdict.not_proven()) == []


def test_one_that_is_signed_by_nobody_knows_whom(signed: Path, tmp_path: Path) -> None:
    verdict = judged(signed, tmp_path / "state")
    assert len(list(verdict.proven())) == 1
    (told,) = verdict.not_proven()
    assert "trust=FILE" in told


def test_one_that_another_signed(signed: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other").signers(tmp_path / "signers")
    with pytest.raises(TrustError):
        judged(signed, tmp_path / "state", trust=str(other))


def test_a_damaged_one(carried_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(carried_bundle, tmp_path / "app"))
    (bundle / "files/note.txt").write_text("another\n")
    (bundle / "extra").touch()
    with pytest.raises(BundleError) as caught:
        judged(bundle, tmp_path / "state")
    assert len(caught.value.problems) == 2
    assert any("files/note.txt" in each for each in caught.value.problems)
