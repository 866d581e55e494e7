"""Values files as single settings, whoever wrote them."""

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError
from schema.syntax.problems import Problems
from schema.values.file import read_values
from schema.values.flat import HIDDEN, flat_values, shown_values


def flat(text: str) -> dict[str, str]:
    spec: dict[str, Any] = {"install": {"releases": [{"values": ["v.yaml"]}, {"values": ["v.yaml"]}]}}
    return dict(flat_values(spec, lambda name: {"install/v.yaml": text.encode()}[name]))


def test_settings_by_their_place() -> None:
    assert flat("a: {b: 1, c: [x, {d: true}]}\nempty: {}\nnone:\nhost: '${site.host}'\nday: 2024-01-02\n") == {
        "v.yaml: a.b": "1",
        "v.yaml: a.c[0]": '"x"',
        "v.yaml: a.c[1].d": "true",
        "v.yaml: empty": "{}",
        "v.yaml: none": "null",
        "v.yaml: host": '"${site.host}"',
        "v.yaml: day": '"2024-01-02"',
    }


def test_a_secret_that_is_written_out_is_not_repeated() -> None:
    found = flat("db: {password: hunter2, adminToken: '', api_key: '${secret.x}', user: me}\n")
    assert found["v.yaml: db.password"] == HIDDEN
    assert found["v.yaml: db.api_key"] == '"${secret.x}"'
    assert found["v.yaml: db.user"] == '"me"'
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("spec", [{}, {"install": {}}, {"install": {"releases": [{}]}}], ids=str)
def test_a_bundle_without_values(spec: dict[str, Any]) -> None:
    assert flat_values(spec, lambda _: b"") == {}


def test_files_that_are_named_with_more() -> None:
    spec = {"install": {"releases": [{"values": [{"file": "v.yaml", "under": "x", "when": ""}, "v.yaml"]}]}}
    assert flat_values(spec, lambda name: {"install/v.yaml": b"a: 1"}[name]) == {"v.yaml: a": "1"}


def test_an_empty_file() -> None:
    assert flat("") == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: [", id="syntax"),
        pytest.param("a: &a [*a]\n", id="an alias of itself"),
        pytest.param(
            "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)), id="a bomb"
        ),
        pytest.param("a: " + "[" * 500, id="depth"),
    ],
)
def test_files_that_cannot_be_read(text: str) -> None:
    with pytest.raises(FormatError, match=r"values file 'v\.yaml' can't be read"):
        flat(text)


def test_a_file_as_it_is_shown_to_people(tmp_path: Path) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("db: {password: hunter2, url: '${env.URL}'}\nreplicas: 3\n")
    file = read_values(path, "v.yaml", Problems("v.yaml"))
    assert file
    assert list(shown_values(file)) == [f"db.password: {HIDDEN}", 'db.url: "${env.URL}"', "replicas: 3"]
