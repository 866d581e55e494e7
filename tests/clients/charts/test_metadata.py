"""What a packaged chart says of itself, and of the charts that it needs."""

import gzip
from collections.abc import Mapping

import pytest

from bundle.errors import FormatError
from clients.charts.metadata import ChartMetadata, read_metadata
from tests.fixtures.images.layers import tar_of

SUBJECT = "chart 'web'"
CHART = "name: web\nversion: 1.10\n"


def packaged(files: Mapping[str, str | bytes]) -> bytes:
    return gzip.compress(tar_of({f"web/{name}": content for name, content in files.items()}), mtime=0)


def test_a_version_stays_the_text_it_is() -> None:
    found = read_metadata(packaged({"Chart.yaml": CHART}), subject=SUBJECT)
    metadata, missing = found.metadata, found.missing
    assert metadata == ChartMetadata(name="web", version="1.10")
    assert missing == ()


NEEDS = f"{CHART}dependencies: [{{name: db, version: 1.0, repository: 'https://c.x'}}, {{name: cache}}]\n"
DB = "name: db\nversion: 1.0\n"


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, ("cache", "db")),
        ({"charts/db/Chart.yaml": DB}, ("cache",)),
        ({"charts/anything/Chart.yaml": DB}, ("cache",)),
        ({"charts/db-1.0.tgz": packaged({"Chart.yaml": DB})}, ("cache",)),
        ({"charts/db/charts/cache/Chart.yaml": "name: cache\nversion: 1\n", "charts/db/Chart.yaml": DB}, ("cache",)),
        ({"charts/_db/Chart.yaml": DB}, ("cache", "db")),
        ({"charts/.db.tgz": b"x"}, ("cache", "db")),
    ],
    ids=["none", "directory", "another name", "packed", "below another", "helm passes over _", "and over dots"],
)
def test_dependencies_that_are_not_packaged_with_it(files: Mapping[str, str | bytes], missing: tuple[str, ...]) -> None:
    assert read_metadata(packaged({"Chart.yaml": NEEDS, **files}), subject=SUBJECT).missing == missing


def test_older_charts_list_them_in_a_file_of_its_own() -> None:
    files = {"Chart.yaml": CHART, "requirements.yaml": "dependencies: [{name: db}, {alias: x}, y]\n"}
    assert read_metadata(packaged(files), subject=SUBJECT).missing == ("db",)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"values.yaml": ""}, "the archive holds no Chart.yaml"),
        ({"Chart.yaml": "name: web\n"}, "Chart.yaml states no name or no version"),
        ({"Chart.yaml": "name: [web]\nversion: 1\n"}, "Chart.yaml states no name or no version"),
        ({"Chart.yaml": "name: ''\nversion: 1\n"}, "Chart.yaml states no name or no version"),
        ({"Chart.yaml": "- web\n"}, "Chart.yaml is not a mapping"),
        ({"Chart.yaml": "a: [\n"}, "Chart.yaml is not YAML: while parsing"),
        ({"Chart.yaml": CHART, "requirements.yaml": "a: ["}, "requirements.yaml is not YAML"),
        (
            {"Chart.yaml": CHART, "charts/db/Chart.yaml": "name: db\n"},
            "charts/db/Chart.yaml: Chart.yaml states no",
        ),
        ({"Chart.yaml": CHART, "charts/db.tgz": packaged({"values.yaml": ""})}, "charts/db.tgz: Chart.yaml is not a"),
    ],
)
def test_what_is_no_chart(files: Mapping[str, str | bytes], told: str) -> None:
    with pytest.raises(FormatError, match=f"^{SUBJECT}: ") as caught:
        read_metadata(packaged(files), subject=SUBJECT)
    assert told in caught.value.what
