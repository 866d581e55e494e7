"""YAML is read alike with libyaml and, as inside the zipapp, without it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import schema.syntax.document
from schema.syntax.document import Node, parse
from schema.syntax.problems import Problems
from tests.fixtures.made.problems import cases

LOADERS = [pytest.param(yaml.SafeLoader, id="pure"), pytest.param(getattr(yaml, "CSafeLoader", None), id="libyaml")]


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is None:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(schema.syntax.document, "Loader", request.param)


def read(text: str) -> tuple[Node | None, list[str]]:
    problems = Problems("f")
    return parse(text.encode(), problems), [str(problem).removeprefix("f:") for problem in problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: 1", "2:1: YAML: a tab or another character that can't begin a value; indent with spaces"),
        ("a: @hunter2", "1:4: YAML: a tab or another character that can't begin a value; indent with spaces"),
        ('a: "\x07hunter2"', "1:5: a character that YAML does not allow (#x0007)"),
        ("a: 1\n---\nb: hunter2", "2:1: YAML: a second document; keep one document in the file"),
        ("a: !hunter2 x", "1:4: YAML: an unknown tag; quote text that begins with !"),
        ("a: *hunter2", "1:4: YAML: an undefined alias; quote text that begins with *"),
        ("a: 'hunter2", "YAML: found unexpected end of stream; a quote is not closed"),
        ("a: b: hunter2", "1:5: YAML: mapping values are not allowed in this context; quote text that contains ': '"),
        ("a: {b: hunter2", "; check brackets, commas, quotes and indentation here and above"),
        ("a: [b: c, hunter2]]", "; check brackets, commas, quotes and indentation here and above"),
        ("a: |hunter2\n  x", "; check brackets, commas, quotes and indentation here and above"),
        ("a: 2024-13-45", "1:4: YAML: this is read as a date, but month must be in 1..12; quote it"),
        ("[" * 100_000, "1:1: the file is nested too deeply"),
    ],
)
@pytest.mark.usefixtures("loader")
def test_syntax_problems(text: str, problem: str) -> None:
    root, problems = read(text)
    assert root is None
    assert len(problems) == 1
    assert problem in problems[0]
    assert "hunter2" not in problems[0]


@pytest.mark.parametrize("text", [pytest.param(case.values[0], id=case.id) for case in cases()])  # type: ignore[attr-defined]
def test_both_loaders_find_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    for loader in (yaml.SafeLoader, schema.syntax.document.Loader):
        monkeypatch.setattr(schema.syntax.document, "Loader", loader)
        root, problems = read(text)
        found.append((root, problems if root else len(problems)))
    assert found[0] == found[1]


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("\ufeffa: 1\n", encoding="utf-8")
    root = schema.syntax.document.read(tmp_path / "f", Problems("f"))
    assert root
    assert root.plain() == {"a": 1}


@pytest.mark.parametrize("text", ["a: !!bool x", "a: !!timestamp x", f"a: {'9' * 5000}", "a: !!float x", "!!int 0x: 1"])
def test_a_scalar_that_is_not_what_its_form_says(text: str) -> None:
    problems = Problems("x.yaml")
    parse(text.encode(), problems)
    (problem,) = problems
    assert "can't be read" in problem.what or "read as a date" in problem.what
