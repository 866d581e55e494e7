"""Everything that can be wrong with a spec, and what is said about it."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.loading.load import load
from tests.fixtures.made.problems import TABLE, cases

HEAD = {
    "version": "version: 1",
    "bundle": "bundle: {name: demo, version: '1'}",
    "registry": "registry: {prefix: reg.internal/demo}",
}


def write(directory: Path, text: str) -> Path:
    """A spec of `text` below the usual three lines; those that it has itself are left empty."""
    own = {line.partition(":")[0] for line in text.splitlines()}
    path = directory / "airgap.yaml"
    head = "".join(("" if key in own and text[0] != "-" else line) + "\n" for key, line in HEAD.items())
    path.write_text(head + text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path, env={"HOST": "inside.example"})
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "expected"), cases())
def test_each_problem_is_told_with_its_place(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(write(tmp_path, text)) == [f"airgap.yaml:{line}" for line in expected]


def test_the_table_is_read() -> None:
    assert len(cases()) > 80
    assert "hunter2" not in "".join(line for line in TABLE.read_text().splitlines() if line.startswith("> "))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", "1:1: the file is empty; begin it with `version: 1`", id="empty"),
        pytest.param(b"# nothing\n", "1:1: the file is empty; begin it with `version: 1`", id="only a comment"),
        pytest.param(b"- a\n", "1:1: the spec is a list; expected a mapping", id="list"),
        pytest.param(b"version: 1\n", "1:1: the spec is missing 'bundle' and 'registry'", id="nothing but a version"),
        pytest.param(b"version: 1\nx: \xff\n", "2:1: the file is not UTF-8 text; save it as UTF-8", id="latin-1"),
        pytest.param(
            b'a: 1\nb: "\x07"\n', "2:5: a character that YAML does not allow (#x0007)", id="control character"
        ),
        pytest.param(b"[" * 50_000, "1:1: the file is nested too deeply", id="deep brackets"),
        pytest.param(b"- " * 50_000, "1:1: the file is nested too deeply", id="deep dashes"),
    ],
)
def test_a_file_that_is_no_spec_at_all(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_bytes(content)
    assert problems(path) == [f"airgap.yaml:{expected}"]


def test_aliases_can_not_blow_up(tmp_path: Path) -> None:
    levels = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    path = write(tmp_path, f"vars:\n  l0: &l0 x\n{levels}")
    (problem,) = problems(path)
    assert problem.endswith("YAML: aliases make this file too large")


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["absent", "directory"])
def test_a_missing_spec_says_what_to_do(tmp_path: Path, make: object) -> None:
    path = tmp_path / "airgap.yaml"
    make(path)  # type: ignore[operator]
    with pytest.raises(SpecError) as caught:
        load(path, env={})
    assert (
        str(caught.value)
        == f"there is no spec {str(path)!r}\n  next: start one: doit init; or name another with spec=FILE"
    )


def test_problems_of_all_stages_come_in_one_run_and_by_place(tmp_path: Path) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_text(
        "version: 2\n"
        "bundle: {name: demo}\n"
        "registry: {prefix: reg.internal}\n"
        "images:\n"
        "  - {name: a, source: 'x:${vars.v}', plattform: all}\n"
        "  - {name: a, source: 'h.x/A/b'}\n"
    )
    assert problems(path) == [
        "airgap.yaml:1:10: 'version' is the number 2; expected 1",
        "airgap.yaml:2:9: 'bundle' is missing 'version'",
        "airgap.yaml:5:23: undefined ${vars.v}; expected one that is defined, and none is",
        "airgap.yaml:5:38: unknown key 'plattform'; did you mean 'platform'?",
        "airgap.yaml:6:12: image 'a' is taken, first in line 5; give each its own name",
        "airgap.yaml:6:23: image 'a': 'h.x/A/b' has no valid repository path (at 'A'); repository names are lower case",
    ]


def test_names_of_faulty_parts_count_as_known(tmp_path: Path) -> None:
    text = (
        "images: [{name: a, sauce: 'x:1'}]\n"
        "charts: [{name: c, source: 'oci://h.x/c', version: '1', images: [a]}, {name: d}]\n"
        "install: {releases: [{name: r, chart: d, namespace: m}, {name: q, chart: c, namespace: n, needs: [r]}]}\n"
    )
    assert [problem.partition(" ")[2] for problem in problems(write(tmp_path, text))] == [
        "unknown key 'sauce'; did you mean 'source'?",
        "entry 2 of 'charts' is missing 'source'",
    ]


def test_a_problem_list_ends_in_a_count(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(write(tmp_path, "imges: []\n"), env={})
    assert str(caught.value) == (
        "airgap.yaml has 1 problem:\n  airgap.yaml:4:1: unknown key 'imges'; did you mean 'images'?"
    )
