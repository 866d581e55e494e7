"""What --from takes."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.charts.package import package_chart
from bundle.errors import AirgapError
from bundle.meter import SilentMeter
from schema.loading.load import load
from tasks.start.sources import Asked, read_source
from tests.fixtures.places import CHARTS, ROOT

DRAFTS = ROOT / "tests" / "fixtures" / "drafts"


class Newest:
    """A chart repository that knows one version."""

    def newest(self, url: str, *, name: str) -> str:
        return "3.2.1"


def read(text: str, target: Path, **given: str) -> Any:
    asked = Asked(text=text, directory=ROOT, **given)
    return read_source(asked, target, Newest, SilentMeter())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("lists/rancher.txt", "lists"),
        ("compose/built.yaml", "shop"),
        ("hauler/quickstart.yaml", "hauler"),
        ("zarf/dos-games.yaml", "dos-games"),
    ],
)
def test_files_by_their_contents(path: str, name: str, tmp_path: Path) -> None:
    assert read(str(DRAFTS / path), tmp_path).name == name


@pytest.mark.parametrize("path", sorted(DRAFTS.glob("[!c]*/*.*")) + sorted(DRAFTS.glob("compose/*")), ids=str)
def test_each_file_becomes_a_spec_that_loads(path: Path, tmp_path: Path) -> None:
    """Twenty files as people posted them, where nothing that they name lies beside them."""
    draft = read(str(path), tmp_path)
    draft.files = [replace(file, sha256=file.sha256 or "0" * 64) for file in draft.files]
    for name, text in {"airgap.yaml": draft.text("x.json"), **draft.values}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    spec = load(tmp_path / "airgap.yaml", env={})
    assert spec.images or spec.charts or spec.files or draft.left_out
    assert all(item.reason for item in draft.left_out)


def test_what_a_file_names_and_is_not_there(tmp_path: Path) -> None:
    draft = read(str(DRAFTS / "hauler" / "paths.yaml"), tmp_path)
    assert (draft.charts, draft.releases, draft.files) == ([], [], [])
    assert {item.what for item in draft.left_out} >= {"chart shop", "chart web", "file readme.md"}


def test_a_chart_directory(tmp_path: Path) -> None:
    draft = read(str(CHARTS / "web"), tmp_path / "project")
    (chart,) = draft.charts
    assert (tmp_path / "project" / chart.source).resolve() == CHARTS / "web"
    assert [(each.chart, each.values) for each in draft.releases] == [(chart.name, (f"values/{chart.name}.yaml",))]


def test_a_packaged_chart(tmp_path: Path) -> None:
    package = tmp_path / "web-1.0.0.tgz"
    package.write_bytes(package_chart(CHARTS / "web", name="web", subject="web"))
    draft = read(str(package), tmp_path / "project")
    assert draft.charts[0].source == "../web-1.0.0.tgz"


@pytest.mark.parametrize(
    ("text", "given", "entry"),
    [
        ("oci://ghcr.io/x/web:1.2.3", {}, ("web", "oci://ghcr.io/x/web", "1.2.3")),
        ("oci://ghcr.io/x/web:1.2.3_b1", {}, ("web", "oci://ghcr.io/x/web", "1.2.3+b1")),
        ("oci://ghcr.io/x/web", {"version": "1.0.0"}, ("web", "oci://ghcr.io/x/web", "1.0.0")),
        ("https://charts.example.com", {"chart": "web"}, ("web", "https://charts.example.com", "3.2.1")),
        (
            "https://charts.example.com",
            {"chart": "web", "version": "1.0.0"},
            ("web", "https://charts.example.com", "1.0.0"),
        ),
    ],
)
def test_a_chart_elsewhere(text: str, given: dict[str, str], entry: tuple[str, str, str], tmp_path: Path) -> None:
    (chart,) = read(text, tmp_path, **given).charts
    assert (chart.name, chart.source, chart.version) == entry


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "oci://ghcr.io/x/web",
            "names no version of the chart\n  next: name its version: --from oci://ghcr.io/x/web:V",
        ),
        (
            "https://charts.example.com",
            "which chart of it?\n  next: init --from https://charts.example.com --chart NAME",
        ),
        ("nowhere.txt", "there is no such file"),
        ("tests", "the directory holds no Chart.yaml"),
        ("airgap.yaml", "is none of the files that init reads"),
    ],
)
def test_what_it_can_not_take(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(AirgapError) as caught:
        read(text, tmp_path)
    assert said in str(caught.value)


def test_paths_and_values_files_move_along(tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(CHARTS / "web", package / "chart")
    (package / "values.yaml").write_text("replicas: 2\n")
    shutil.copyfile(DRAFTS / "zarf" / "podinfo.yaml", package / "zarf.yaml")
    draft = read(str(package / "zarf.yaml"), tmp_path / "project")
    assert draft.charts[0].source == "../package/chart"
    assert draft.releases[0].values == ("values/values.yaml",)
    assert draft.values["values/values.yaml"] == "replicas: 2\n"
