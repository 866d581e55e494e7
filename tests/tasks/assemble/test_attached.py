"""What is attached to a published bundle: the bundle's own files, checked, and a result of these very files."""

import json
from pathlib import Path

import pytest

from bundle.archive.reader import OpenedBundle, open_bundle
from bundle.errors import IntegrityError
from tasks.assemble.attached import attachable


@pytest.fixture
def opened(carried_bundle: Path) -> OpenedBundle:
    return open_bundle(carried_bundle)


def test_what_the_bundle_has(opened: OpenedBundle, carried_bundle: Path, tmp_path: Path) -> None:
    found = attachable(opened, tmp_path / "none.json", tmp_path)
    for artifact in found.values():
        for name, (path, _) in artifact.files.items():
            assert path.read_bytes() == (carried_bundle / name).read_bytes()
            assert path.is_relative_to(tmp_path)
        assert artifact.annotations["org.opencontainers.image.title"] == opened.manifest.stem
    assert "result of the rehearsal" not in found
    assert list(found["report"].files) == ["report.html", "report.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"bundle": 1}', '{"bundle": {"sums": "sha256:0"}}'])
def test_a_result_that_is_none_of_this_bundle(opened: OpenedBundle, tmp_path: Path, text: str) -> None:
    (tmp_path / "kept.json").write_text(text)
    assert "result of the rehearsal" not in attachable(opened, tmp_path / "kept.json", tmp_path)


def test_the_result_as_it_is_kept(opened: OpenedBundle, tmp_path: Path) -> None:
    kept = tmp_path / "kept/rehearsal.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"bundle": {"sums": str(opened.sums_digest)}}))
    path, _ = attachable(opened, kept, tmp_path)["result of the rehearsal"].files["rehearsal.json"]
    assert path.read_bytes() == kept.read_bytes()


def test_a_damaged_report_is_not_attached(carried_bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "bundle"
    damaged.mkdir()
    for path in carried_bundle.rglob("*"):
        if path.is_file():
            target = damaged / path.relative_to(carried_bundle)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (damaged / "report.html").write_text("other")
    with pytest.raises(IntegrityError, match=r"report\.html"):
        attachable(open_bundle(damaged), tmp_path / "none.json", tmp_path)
