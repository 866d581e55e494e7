"""Names of airgap.json, each place of them."""

import copy
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError
from schema.spec.spec import Spec
from tests.fixtures.made.full_spec import FULL, FULL_HEAD, spec

BAD = "../../../home/owned"
PLACES = [
    ("bundle", "name"),
    ("bundle", "version"),
    ("images", 0, "name"),
    ("charts", 0, "name"),
    ("charts", 0, "version"),
    ("charts", 0, "images", 0),
    ("files", 0, "name"),
    ("install", "secrets", 0, "name"),
    ("install", "secrets", 0, "namespaces", 0),
    ("install", "releases", 0, "name"),
    ("install", "releases", 0, "chart"),
    ("install", "releases", 0, "namespace"),
    ("install", "releases", 0, "needs", 0),
    ("install", "releases", 1, "after", 0),
    ("install", "actions", 0, "name"),
]


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    for name in (
        "certs/ca.pem",
        "values/web.yaml",
        "certs/me.pem",
        "certs/me.key",
        "notes.md",
        "chart/Chart.yaml",
        "keys/release",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return spec(tmp_path, FULL, FULL_HEAD, HOST="reg.internal").to_dict()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("bad", [BAD, "a\n", "a\x1b[2K", 7, {"a": 1}], ids=ascii)
def test_every_name_is_held_against_the_schemas_rule(data: dict[str, Any], place: tuple[Any, ...], bad: object) -> None:
    changed = copy.deepcopy(data)
    found: Any = changed
    for key in place[:-1]:
        found = found[key]
    found[place[-1]] = bad
    Spec.from_dict(data, path=Path("/x/airgap.yaml"))
    with pytest.raises(FormatError) as caught:
        Spec.from_dict(changed, path=Path("/x/airgap.yaml"))
    assert caught.value.what.isprintable()


@pytest.mark.parametrize("data", [[], "text", 7, None, {}, {"version": 1}, {"version": 1, "bundle": "text"}])
def test_what_is_no_object_is_told(data: Any) -> None:
    with pytest.raises(FormatError):
        Spec.from_dict(data, path=Path("/x/airgap.yaml"))


PATHS = [
    ("install", "releases", 0, "values", 0, "file"),
    ("install", "releases", 0, "health", 0, "ca"),
    ("install", "checks", 0, "ca"),
]


@pytest.mark.parametrize("place", PATHS, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("bad", ["/etc/shadow", "../../x", "a/../../x", "a\\b", "a\0b", 7])
def test_a_carried_file_lies_below_install(data: dict[str, Any], place: tuple[Any, ...], bad: object) -> None:
    found: Any = data
    for key in place[:-1]:
        found = found[key]
    found[place[-1]] = bad
    with pytest.raises(FormatError, match="expected a path below install/") as caught:
        Spec.from_dict(data, path=Path("/x/airgap.yaml"))
    assert caught.value.what.isprintable()


@pytest.mark.parametrize(
    ("namespace", "is_good"), [("n${item.suffix}", True), ("n${item.suffix}x", False), ("n${item.x}", False)]
)
def test_a_namespace_of_what_is_repeated(data: dict[str, Any], namespace: str, is_good: bool, tmp_path: Path) -> None:
    data["install"]["releases"][0]["namespace"] = namespace
    data["install"]["secrets"][0]["namespaces"] = [namespace]
    if is_good:
        assert Spec.from_dict(data, path=tmp_path / "airgap.yaml")
    else:
        with pytest.raises(FormatError):
            Spec.from_dict(data, path=tmp_path / "airgap.yaml")
