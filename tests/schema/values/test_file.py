"""Values files as Helm reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import StorageError
from schema.spec.repeat import Instance
from schema.syntax.problems import Problems
from schema.values.file import ValuesFile, read_values


def read(directory: Path, text: str | bytes) -> tuple[ValuesFile | None, list[str]]:
    path = directory / "v.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems("v.yaml")
    found = read_values(path, "v.yaml", problems)
    return found, [str(problem) for problem in problems]


def plain(directory: Path, text: str) -> Any:
    found, problems = read(directory, text)
    assert problems == []
    assert found
    json.dumps(found.root.plain(), allow_nan=False)
    return found.root.plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.10", 1.1),
        ('"1.10"', "1.10"),
        ("true", True),
        ("yes", True),
        ("off", False),
        ("y", True),
        ("N", False),
        ('"y"', "y"),
        ("~", None),
        ("", None),
        ("null", None),
        ("0123", 83),
        ("0o17", 15),
        ('"0o17"', "0o17"),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ('"1e3"', "1e3"),
        ("-1.5e-3", -0.0015),
        ("08", 8.0),
        ("12:30", "12:30"),
        ("1:2.5", "1:2.5"),
        ("2024-12-25", "2024-12-25"),
        ("2024-12-25 10:00:00", "2024-12-25 10:00:00"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        ("e3", "e3"),
        ("'$${x}'", "$${x}"),
    ],
)
def test_scalars(tmp_path: Path, text: str, value: object) -> None:
    found = plain(tmp_path, f"a: {text}\nb: [{text or 'null'}]\n")
    assert repr(found) == repr({"a": value, "b": [value]})


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file_holds_no_values(tmp_path: Path, text: str) -> None:
    assert plain(tmp_path, text) == {}


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    assert plain(tmp_path, "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a\n") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("a: 1\na: 2\n", ["2:1: key 'a' is given twice, first in line 1"], id="key twice"),
        pytest.param("- a\n", ["1:1: the file is a list; expected a mapping"], id="list"),
        pytest.param("text\n", ["1:1: the file is text; expected a mapping"], id="text"),
        pytest.param("'${site.a}': 1\n", ["1:1: a key that holds ${; names are resolved in values only"], id="key"),
        pytest.param("a: .inf\n", ["1:4: .inf can't be given to Helm; write it in quotes"], id="infinity"),
        pytest.param("a: !!binary aGk=\n", ["1:4: aGk= can't be given to Helm; write it in quotes"], id="binary"),
        pytest.param("a: ${site.x\n", ["1:4: a ${ without its }; close it, or write $${ for a plain ${"], id="open"),
        pytest.param(
            "a:\n  - echo ${HOME}\nb: ${sit.x}\ndbPassword: x${HOME}\n",
            [
                "2:5: unknown name ${HOME}; write one of ${vars.…}, ${env.…}",
                "3:4: unknown name ${sit.x}; did you mean ${site.x}?",
                "4:13: a ${...} that is no known name; write one of ${vars.…}, ${env.…}",
            ],
            id="no names",
        ),
        pytest.param("a: [\n", ["2:1: YAML: did not find expected node content"], id="syntax"),
        pytest.param(b"a: \xff\n", ["1:1: the file is not UTF-8 text; save it as UTF-8"], id="not UTF-8"),
    ],
)
def test_problems(tmp_path: Path, text: str | bytes, problems: list[str]) -> None:
    found = read(tmp_path, text)[1]
    assert [problem.removeprefix("v.yaml:")[: len(want)] for problem, want in zip(found, problems, strict=True)] == (
        problems
    )


def test_names_are_found_with_their_place(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "a: x\nb: ['${site.x}/${image.api.tag}', '$${no}']\n")
    assert found
    assert [(node.place.line, str(name)) for node, name in found.names()] == [
        (2, "${site.x}"),
        (2, "${image.api.tag}"),
    ]


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't read values"):
        read_values(tmp_path / "none.yaml", "none.yaml", Problems("none.yaml"))


def test_values_for_one_item_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("a: [{b: '${item.host}', n: 5}]\nc: ${secret.key}\nd: x${item.suffix}\n")
    file = read_values(path, "v.yaml", Problems("v.yaml"))
    assert file
    assert file.of(None) is file
    one = file.of(Instance(place="teams.a", name="a", secrets=frozenset({"key"})))
    assert one.root.plain() == {"a": [{"b": "${site.teams.a.host}", "n": 5}], "c": "${secret.key-a}", "d": "x-a"}
    assert one.of(Instance(place="teams.b", name="b", secrets=frozenset({"key-a"}))) is one, "once"
    assert file.root.plain()["c"] == "${secret.key}"
