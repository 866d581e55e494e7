"""The documents: commands they name exist, links lead somewhere, the map of the house is complete."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fixtures.calls import wrong
from tests.fixtures.places import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "examples/ci/*.yml", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
CALL = re.compile(r"(?<![\w/.-])(doit|(?:python3 (?:-I )?)?\S*airgap\.pyz)((?: [^\s`|;&<>)\\]+)+)")


def code(text: str) -> Iterator[str]:
    """The code of a Markdown text: fenced blocks line by line, and what stands between backticks."""
    for number, part in enumerate(re.split(r"^ *```.*$", text, flags=re.M)):
        if number % 2:
            yield from part.splitlines()
        else:
            yield from (found.replace("\n", " ") for found in re.findall(r"`([^`]+)`", part))
            yield from (line for line in part.splitlines() if line.startswith("    "))


def calls(name: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """The program and the words of each call of ours."""
    for line in code(text) if name.endswith(".md") else text.splitlines():
        for found in CALL.finditer(line.partition(" #")[0] if line.strip()[:1] != "#" else ""):
            yield ("doit" if found[1] == "doit" else "airgap.pyz"), found[2].split()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert {" ".join(words): faults for program, words in calls(name, text) if (faults := wrong(program, words))} == {}


def test_calls_are_found() -> None:
    text = "Say `doit\nbundle`\n```\n$ python3 airgap.pyz plan install | doit lock # no\n```\n\n    doit verify a=b\n"
    assert sorted(calls("x.md", text)) == [
        ("airgap.pyz", ["plan", "install"]),
        ("doit", ["bundle"]),
        ("doit", ["lock"]),
        ("doit", ["verify", "a=b"]),
    ]
    assert list(calls("x.yml", "# doit x\nrun: doit plan bundle $AIRGAP > y")) == [
        ("doit", ["plan", "bundle", "$AIRGAP"])
    ]
    assert sum(len(list(calls(name, (ROOT / name).read_text()))) for name in DOCUMENTS) > 40


@pytest.mark.parametrize(
    ("program", "words", "faults"),
    [
        pytest.param("doit", "bundle spec=x", [], id="task"),
        pytest.param("doit", "push:api", [], id="step"),
        pytest.param("doit", "plan install --exit-code", [], id="command"),
        pytest.param("doit", "bundel", ["bundel"], id="no task"),
        pytest.param("doit", "plan bundel", ["bundel"], id="no task to plan"),
        pytest.param("doit", "bundle sepc=x", ["sepc=x"], id="no variable"),
        pytest.param("doit", "plan bundle --exitcode", ["--exitcode"], id="no option"),
        pytest.param("doit", "-f dev.py lint types", [], id="developers'"),
        pytest.param("doit", "-f dev.py bundle", ["bundle"], id="no developers' task"),
        pytest.param("airgap.pyz", "lock", ["lock"], id="not inside"),
        pytest.param("airgap.pyz", "graph install", [], id="inside"),
    ],
)
def test_wrong_calls_are_found(program: str, words: str, faults: list[str]) -> None:
    assert wrong(program, words.split()) == faults


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".md")])
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def anchors(path: Path) -> set[str]:
    """What a page's headings can be linked by, as GitHub makes it of them; a second one of a name has a number."""
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+)$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    return {f"{slug}-{number}" if number else slug for slug, count in found.items() for number in range(count)}


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".md")])
def test_anchors_exist(name: str) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8"))
    pages = [(path.parent / link if link else path, anchor) for link, anchor in links]
    assert [f"{page.name}#{anchor}" for page, anchor in pages if anchor not in anchors(page)] == []


def test_anchors_are_what_github_makes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`, and three\n\n```yaml\n# four\n```\n## vars and `${...}`\n### Same\n### Same\n", "utf-8"
    )
    assert anchors(page) == {"one-two-and-three", "vars-and-", "same", "same-1"}


def test_the_readme_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\((docs/[\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert links >= {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = ("bundle", "clients", "schema", "tasks")


def test_architecture_names_every_folder() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    table = [line for line in ARCHITECTURE.splitlines() if line.startswith("| `")]
    named = {name for line in table for name in re.findall(r"`([\w/]+)`", line.split("|")[1])}
    assert named == folders - set(PACKAGES)


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:bundle|clients|schema|tasks)/[\w/]+\.py)`", ARCHITECTURE)))
)
def test_architecture_names_modules_that_are_there(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "ci").glob("*.yml")), ids=lambda path: path.stem)
def test_ci_examples_parse(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


HELD = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ATTACKS = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("## Attacks that were tried\n")[2]


@pytest.mark.parametrize(
    "name",
    sorted({name for each in DOCUMENTS for name in HELD.findall((ROOT / each).read_text(encoding="utf-8"))}),
    ids="::".join,
)
def test_tests_that_documents_name_are_there(name: tuple[str, str]) -> None:
    file, function = name
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function.startswith("test_")


def test_every_attack_is_held_by_a_test() -> None:
    rows = [line for line in ATTACKS.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if not HELD.search(row)] == []
    numbers = [row.split(" | ")[0][2:] for row in rows]
    assert [each for each in numbers if each != "held"] == [f"F{number}" for number in range(1, 22)]
    assert numbers.count("held") == 19
