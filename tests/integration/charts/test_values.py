"""Our reading and merging of values against the official helms'. Skipped where they are not built."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundle.charts.package import package_chart
from schema.syntax.problems import Problems
from schema.values.chart import ChartValues
from schema.values.file import ValuesFile, read_values
from schema.values.rendered import rendered_file
from schema.values.unknown_keys import unknown_keys
from schema.values.values import resolve
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError

SCALARS = """\
a: [1, 1.10, "1.10", true, yes, Yes, off, y, N, "y", ~, null, 0123, 0o17, 0x1F, 0b11, 1_000, 1e3, "1e3", -1.5e-3, 08]
b: [12:30, "12:30", 2024-12-25, 2024-12-25 10:00:00, 1.2.3, v1, e3, .5, 5., +1, -0, '', "\\u00e4", ä]
c: |
  several
  lines
d: >-
  folded
  text
e: &anchor {x: 1}
f: {<<: *anchor, w: 2}
"""
FILES = [
    "kept: 1\ngone: null\nm: {a: 1, k: {x: 1, w: [1, 2]}}\nl: [1, 2]\nt: text\nu: {a: 1}\nsub: {own: null, port: 1}\n",
    "m: {b: 2, k: {w: [3], z: null}}\nl: [3]\nt: {now: map}\nu: text\nback: {a: 1}\n",
    "back: null\nempty: {}\nglobal: {site: x}\n",
]
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
    "values.yaml": "gone: default\nm: {k: {z: default, d: 1}, c: 3}\nback: {b: 2}\nempty: {d: 1}\nkept: 0\n",
    "templates/all.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  all: {{ .Values | toJson | quote }}\n"
    ),
    "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    "charts/sub/values.yaml": "own: default\nport: 80\n",
}


@pytest.fixture(params=[3, 4], ids=["helm 3", "helm 4"])
def helm(request: pytest.FixtureRequest) -> Path:
    try:
        return asset(f"helm{request.param}")
    except PartError as err:
        pytest.skip(str(err))


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        path = tmp_path / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "demo"


def seen(helm: Path, chart: Path, *files: Path) -> Any:
    """The values that the chart's templates see."""
    options = [word for file in files for word in ("-f", str(file))]
    done = subprocess.run([helm, "template", "x", chart, *options], check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("  all:"))
    return json.loads(json.loads(line.partition(":")[2]))


def read(paths: list[Path]) -> list[ValuesFile]:
    found = []
    for path in paths:
        problems = Problems(path.name)
        file = read_values(path, path.name, problems)
        problems.raise_all()
        assert file
        found.append(file)
    return found


@pytest.mark.parametrize(
    "texts", [[SCALARS], FILES, list(reversed(FILES)), [""]], ids=["scalars", "files", "r", "empty"]
)
def test_the_rendered_file_means_what_the_files_mean(helm: Path, chart: Path, tmp_path: Path, texts: list[str]) -> None:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    values = resolve(read(paths), lambda name: pytest.fail(str(name)), subject="test")
    with rendered_file(values.data) as rendered:
        assert seen(helm, chart, rendered) == seen(helm, chart, *paths)


def test_helm_ignores_silently_what_we_report(helm: Path, chart: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("kept: 1\nkpet: 2\nsub: {prt: 1, port: 2}\n")
    assert seen(helm, chart, path)["kpet"] == 2
    values = resolve(read([path]), lambda name: pytest.fail(str(name)), subject="test")
    known = ChartValues.read(package_chart(chart, name="demo", subject="chart 'demo'"), subject="chart 'demo'")
    assert [str(key) for key in unknown_keys(values, known)] == [
        "v.yaml:2: the chart has no value 'kpet'; did you mean 'kept'?",
        "v.yaml:3: the chart has no value 'sub.prt'; did you mean 'port'?",
    ]
