"""The words that users read: no phrase of our own where the field has a term."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.places import ROOT

# Each with what to write instead.
BANNED = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"nothing is wrong to be seen": "no problems found",
    r"\b[Aa]ll is well\b": "expected output: none",
    r"in a circle": "circular reference",
    r"no kind of": "unsupported",
    r"\bis not good\b": "verification failed",
    r"without a word": "no error message",
    r"as their checksums say": "all checksums match",
    r"\bwhoever approves\b": "the approver",
    r"\blacks\b": "is missing, has no",
    r"\bcarry it (over|back)\b": "transfer it, bring it back",
    r"\bthe Engine\b(?! API)": "the Docker daemon",
    r"told by:": "source:",
    r"packed anew": "recompressed, digest changed",
    r"pins moved": "updated",
    r"\bkin\b": "derivatives",
}
# Only messages: a page may tell a story.
IN_MESSAGES = {**BANNED, r"\btold\b": "reported"}
WINGS = ("bundle", "clients", "schema", "tasks")
PAGES = sorted(
    [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("zenml-pro/*.md")]
)


def banned(text: str, phrases: dict[str, str] = BANNED) -> list[str]:
    """What of a text is banned, each with what to write instead."""
    return [
        f"{found[0]!r}: write {better}" for pattern, better in phrases.items() for found in re.finditer(pattern, text)
    ]


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The texts with blanks in a module besides docstrings: what may reach a user."""
    tree = ast.parse(source)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if " " in text and id(node) not in documents:
                yield node.lineno, text


MODULES = sorted(path for wing in WINGS for path in (ROOT / wing).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_messages(path: Path) -> None:
    found = {line: words for line, text in messages(path.read_text()) if (words := banned(text, IN_MESSAGES))}
    assert found == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages(path: Path) -> None:
    found = {
        number: words
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (words := banned(line))
    }
    assert found == {}


def descriptions(data: Any) -> Iterator[str]:
    """Every description and title of a schema."""
    if isinstance(data, dict):
        yield from (value for key, value in data.items() if key in ("description", "title") and isinstance(value, str))
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from descriptions(each)


@pytest.mark.parametrize("path", sorted((ROOT / "schema").rglob("*.json")), ids=lambda path: path.stem)
def test_schemas(path: Path) -> None:
    texts = list(descriptions(json.loads(path.read_text())))
    assert texts
    assert [words for text in texts if (words := banned(text, IN_MESSAGES))] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("mend these, then run on", 1),
        ("it lacks a key; whoever approves it", 2),
        ("start the Engine", 1),
        ("the Engine API answers, the Docker daemon runs; recommended", 0),
    ],
)
def test_banned_phrases_are_found(text: str, count: int) -> None:
    assert len(banned(text)) == count


def test_messages_are_found() -> None:
    source = '"""A doc that lacks."""\ndef f(x):\n    """And one."""\n    raise E(f"{x} lacks y", hint="no")\n'
    assert list(messages(source)) == [(4, " lacks y")]
