"""What a report is made of: a bundle as it lies there, an earlier one, and which that is."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle.archive.reader import open_bundle
from bundle.errors import FormatError, SourceError
from bundle.metadata.manifest import BundleManifest
from bundle.report.model import SUBJECTS
from tasks.assemble.reporting import compose, earlier, last_before, unfinished


def manifest_of(bundle: Path) -> BundleManifest:
    return BundleManifest.decode((bundle / "manifest.json").read_bytes())


def another(carried_bundle: Path, place: Path, version: str, created: str, name: str = "app") -> Path:
    """A directory with the manifest of another bundle; nothing else is in it."""
    place.mkdir()
    time = datetime.fromisoformat(created).replace(tzinfo=UTC)
    manifest = replace(manifest_of(carried_bundle), name=name, version=version, created=time)
    (place / "manifest.json").write_bytes(manifest.encode())
    return place


def test_nothing_is_said_of_what_only_a_finished_one_tells(carried_bundle: Path) -> None:
    results = unfinished(manifest_of(carried_bundle))
    assert results.keys() == set(SUBJECTS)
    assert {results[each].state for each in ("checksums", "signature", "rehearsal", "vulnerabilities")} == {"open"}
    assert results["signature"].summary == "the bundle is not signed"


def test_it_is_made_of_what_the_bundle_holds(carried_bundle: Path) -> None:
    bundle = open_bundle(carried_bundle)
    report = compose(bundle, results=unfinished(bundle.manifest))
    assert report.manifest == bundle.manifest
    assert report.packages.keys() == {"one", "two"}
    assert report.install.keys() == {"install/values.yaml", "install/enroll.sh"}
    assert report.install["install/enroll.sh"].matches((carried_bundle / "install/enroll.sh").read_bytes())
    assert report.changes is None
    assert report.commands


@pytest.mark.parametrize("name", ["", "manifest.json"], ids=["the bundle", "the manifest in it"])
def test_compared_with_itself_nothing_is_new(carried_bundle: Path, name: str) -> None:
    bundle = open_bundle(carried_bundle)
    since = earlier(carried_bundle / name)
    assert since.values is not None, "the whole bundle is read"
    assert since.values["values.yaml: replicas"] == "2"
    report = compose(bundle, results=unfinished(bundle.manifest), since=since)
    assert report.changes
    found = report.changes.to_dict()
    assert not any(found[kind] for kind in ("images", "charts", "files", "values"))


def test_a_paper_alone_tells_less(carried_bundle: Path, tmp_path: Path) -> None:
    shutil.copy(carried_bundle / "manifest.json", tmp_path / "was.json")
    since = earlier(tmp_path / "was.json")
    assert (since.title, since.values, since.packages) == ("app 1.0", None, {})


def test_what_can_not_be_compared_with(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no .* to compare with"):
        earlier(tmp_path / "gone")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(FormatError, match="is too large to tell of a bundle"):
        earlier(tmp_path / "large.json")


def test_the_one_before_is_the_newest_other_version_of_its_name(carried_bundle: Path, tmp_path: Path) -> None:
    now = another(carried_bundle, tmp_path / "app-3", "3", "2026-03-03")
    manifest = manifest_of(now)
    assert last_before(now, manifest) is None
    another(carried_bundle, tmp_path / "app-1", "1", "2026-01-01")
    before = another(carried_bundle, tmp_path / "app-2", "2", "2026-02-02")
    another(carried_bundle, tmp_path / "app-4", "4", "2026-04-04")
    another(carried_bundle, tmp_path / "app-3-again", "3", "2026-03-02")
    another(carried_bundle, tmp_path / "other-2", "2", "2026-03-01", name="other")
    (tmp_path / "notes").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/manifest.json").write_text("{")
    assert last_before(now, manifest) == before
