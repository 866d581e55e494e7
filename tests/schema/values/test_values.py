"""Resolving and merging the values of a release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, SpecError
from schema.spec.install import ReleaseSpec, ValuesSpec
from schema.syntax.problems import Problems
from schema.syntax.template import Name
from schema.values.file import ValuesFile, read_values
from schema.values.values import Values, counting, key_text, merge, release_values, resolve, without_secrets

KNOWN: Mapping[str, Any] = {
    "site.port": 8080,
    "site.on": True,
    "site.text": "t",
    "site.hosts": ["a", "b"],
    "site.db": {"host": "h", "port": 1},
    "secret.key": "s3cr3t",
    "env.E": "from env",
    "output.a.id": 7,
    "file.f": "content",
}


def lookup(name: Name) -> Any:
    key = f"{name.space}.{name.rest}"
    if key not in KNOWN:
        raise FormatError(f"undefined {name}", hint="define it")
    return KNOWN[key]


def files(directory: Path, *texts: str) -> list[ValuesFile]:
    found = []
    for number, text in enumerate(texts, 1):
        path = directory / f"v{number}.yaml"
        path.write_text(text)
        problems = Problems(path.name)
        file = read_values(path, path.name, problems)
        problems.raise_all()
        assert file
        found.append(file)
    return found


def data(directory: Path, *texts: str) -> Mapping[str, Any]:
    return resolve(files(directory, *texts), lookup, subject="release 'r'").data


def test_the_text_of_a_site_never_becomes_yaml(tmp_path: Path) -> None:
    text = 'x"\n  evil: {a: &a [b]}\n- *a # ${secret.key}\x1b'
    told = {"site.text": text}
    found = resolve(
        files(tmp_path, "a: {b: 'is ${site.text}'}\n"), lambda name: told[str(name)[2:-1]], subject="r"
    ).data
    assert found == {"a": {"b": f"is {text}"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${site.port}", 8080),
        ("'${site.port}'", 8080),
        ("p=${site.port}", "p=8080"),
        ("${site.on}", True),
        ("x${site.on}", "xtrue"),
        ("${site.hosts}", ["a", "b"]),
        ("${site.db}", {"host": "h", "port": 1}),
        ("${output.a.id}", 7),
        ("${secret.key}-${env.E}-${file.f}", "s3cr3t-from env-content"),
        ("$${site.port}", "${site.port}"),
        ("plain", "plain"),
    ],
)
def test_types_are_kept(tmp_path: Path, text: str, value: object) -> None:
    assert data(tmp_path, f"a: {text}\nl:\n- - {text}\nm:\n  n: {text}\n") == {
        "a": value,
        "l": [[value]],
        "m": {"n": value},
    }


@pytest.mark.parametrize(
    ("texts", "merged"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(["a: 1\nb: 1", "b: 2\nc: 3"], {"a": 1, "b": 2, "c": 3}, id="later wins"),
        pytest.param(
            ["m: {a: 1, n: {x: 1}}", "m: {b: 2, n: {y: 2}}"], {"m": {"a": 1, "b": 2, "n": {"x": 1, "y": 2}}}, id="deep"
        ),
        pytest.param(["l: [1, 2]", "l: [3]"], {"l": [3]}, id="lists are replaced"),
        pytest.param(["a: {x: 1}", "a: null"], {"a": None}, id="null stays for Helm"),
        pytest.param(["a: null", "a: {x: 1}"], {"a": {"x": 1}}, id="null and a mapping"),
        pytest.param(["a: {x: 1}", "a: text"], {"a": "text"}, id="mapping and scalar"),
        pytest.param(["a: text", "a: {x: 1}"], {"a": {"x": 1}}, id="scalar and mapping"),
        pytest.param(["a: {x: 1}", "a: {}"], {"a": {"x": 1}}, id="empty mapping changes nothing"),
        pytest.param(
            ["a: {host: own, z: 1}", "a: ${site.db}"], {"a": {"host": "h", "port": 1, "z": 1}}, id="resolved mapping"
        ),
    ],
)
def test_files_are_merged_as_by_helm(tmp_path: Path, texts: list[str], merged: object) -> None:
    assert data(tmp_path, *texts) == merged


def test_files_stay_as_they_were(tmp_path: Path) -> None:
    read = files(tmp_path, "a: {x: 1}", "a: {y: 2}")
    assert resolve(read, lookup, subject="r").data == resolve(read, lookup, subject="r").data == {"a": {"x": 1, "y": 2}}


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    read = files(tmp_path, "a: ${site.x}/${site.y}\nb: ok", "c:\n  - x${site.hosts}\n  - ${env.Z}")
    with pytest.raises(SpecError) as caught:
        resolve(read, lookup, subject="release 'r'")
    assert str(caught.value) == (
        "release 'r' has 4 problems:\n"
        "  v1.yaml:1:4: undefined ${site.x}; define it\n"
        "  v1.yaml:1:4: undefined ${site.y}; define it\n"
        "  v2.yaml:2:5: ${site.hosts} is a list; it can only stand alone, not inside a text\n"
        "  v2.yaml:3:5: undefined ${env.Z}; define it"
    )


def test_places_are_those_of_the_winning_file(tmp_path: Path) -> None:
    values = resolve(files(tmp_path, "a: 1\nm:\n  x: 1\n", "m:\n  y:\n    - {k: 1}\na: 2\n"), lookup, subject="r")
    assert {key_text(path): place for path, place in values.places.items()} == {
        "a": "v2.yaml:4",
        "m": "v2.yaml:2",
        "m.x": "v1.yaml:3",
        "m.y": "v2.yaml:3",
        "m.y[0]": "v2.yaml:3",
        "m.y[0].k": "v2.yaml:3",
    }


def test_values_are_in_no_repr(tmp_path: Path) -> None:
    assert "s3cr3t" not in repr(resolve(files(tmp_path, "a: ${secret.key}"), lookup, subject="r"))


def test_without_secrets(tmp_path: Path) -> None:
    read = files(tmp_path, "a: ${secret.key}${env.NONE}${file.none}${output.none.x}\nb: ${site.text}")
    assert resolve(read, without_secrets(lookup), subject="r").data == {"a": "", "b": "t"}


def test_nothing_merged_is_nothing() -> None:
    assert merge([]) == Values(data={}, places={})


def release(*values: ValuesSpec) -> ReleaseSpec:
    return ReleaseSpec(
        name="r", chart="c", namespace="n", values=values, timeout=1, health=(), ignore_images={}, needs=(), after=()
    )


def test_files_below_a_key_and_only_where_a_fact_is_true(tmp_path: Path) -> None:
    one, two, three = files(tmp_path, "image: a\nserver: {x: 1}\n", "image: b\n", "image: c\n")
    by_path = {Path("1"): one, Path("2"): two, Path("3"): three}
    found = release_values(
        release(
            ValuesSpec(file=Path("1")),
            ValuesSpec(file=Path("2"), under="server", when="${site.on}"),
            ValuesSpec(file=Path("3"), under="server", when="${site.off}"),
        ),
        by_path,
        lambda name: name.rest == "on",
    )
    assert found.data == {"image": "a", "server": {"x": 1, "image": "b"}}
    assert found.places[("server", "image")] == "v2.yaml:1"


@pytest.mark.parametrize(
    ("fact", "taken"),
    [
        pytest.param(True, ["v1.yaml"], id="true"),
        pytest.param(False, [], id="false"),
        pytest.param("switch.site.invalid", ["v1.yaml"], id="a stand-in"),
        pytest.param("yes please", ["v1.yaml"], id="neither: told when it is resolved"),
    ],
)
def test_files_that_count_at_a_site(tmp_path: Path, fact: Any, taken: list[str]) -> None:
    by_path = {Path("1"): files(tmp_path, "a: 1\n")[0]}
    used = release(ValuesSpec(file=Path("1"), when="${site.switch}"))
    assert [file.label for file in counting([used], by_path, lambda _name: fact)] == taken


def test_a_switch_that_is_neither_true_nor_false(tmp_path: Path) -> None:
    by_path = {Path("1"): files(tmp_path, "a: 1\n")[0]}
    with pytest.raises(FormatError, match="expected true or false"):
        release_values(release(ValuesSpec(file=Path("1"), when="${site.s}")), by_path, lambda _name: "on")


def test_a_percent_encoded_password(tmp_path: Path) -> None:
    (file,) = files(tmp_path, "url: mysql://u:${site.pw|urlencode}@h\nalone: ${site.pw|urlencode}\n")
    found = resolve([file], lambda _name: "p@s/s", subject="r").data
    assert found == {"url": "mysql://u:p%40s%2Fs@h", "alone": "p%40s%2Fs"}


def test_collections_as_json(tmp_path: Path) -> None:
    text = "a: ${site.db|json}\nb: x=${site.hosts|json}\n"
    assert data(tmp_path, text) == {"a": '{"host":"h","port":1}', "b": 'x=["a","b"]'}
    with pytest.raises(SpecError, match="can only stand alone"):
        data(tmp_path, "a: ${site.db|urlencode}\n")


def test_overrides_are_merged_last_as_helm_merges(tmp_path: Path) -> None:
    bundled, site = files(
        tmp_path,
        "a: {b: 1, c: {d: 2}}\nl: [1, 2]\ngone: x\nkept: 1\n",
        "a: {c: {d: '${site.x}'}}\nl: [3]\ngone: null\n",
    )
    by_path, one = {Path("1"): bundled}, release(ValuesSpec(file=Path("1")))
    found = release_values(one, by_path, lambda _name: 7, {"r": site})
    assert found.data == {"a": {"b": 1, "c": {"d": 7}}, "l": [3], "gone": None, "kept": 1}
    assert (found.places[("a", "c", "d")], found.places[("kept",)]) == ("v2.yaml:1", "v1.yaml:4")
    assert release_values(one, by_path, lambda _name: 7, {"s": site}).data["l"] == [1, 2], "those of another release"
