"""What is imported is declared, what is declared is imported, and the lock pins all of it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fixtures.places import ROOT

OURS = {"bundle", "clients", "schema", "tasks", "tests", "benchmarks", "dodo"}
PROGRAM = ("bundle", "clients", "schema", "tasks", "dodo.py")
# Who may import what: the program its dependencies, the tests those of the extra `test` too.
SCOPES = {**dict.fromkeys(PROGRAM, ""), "tests": "test", "benchmarks": "test", "dev.py": "dev"}
PLUGINS = {"pytest-cov", "pytest-xdist"}  # pytest's: options of its command line, not imported
PROGRAMS = {"build", "hatchling", "uv"}  # run, not imported: they make and install the distribution
LOCK = "requirements.lock"
NEWER = {"compression"}  # Python's own from 3.14 on
SHARED = {"backports": "backports-zstd"}  # a namespace of many distributions; not installed from 3.14 on


def declared(extra: str) -> dict[str, Requirement]:
    """The dependencies by name; with an `extra`, those of the extra alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


def packages(source: str) -> set[str]:
    """The top packages, neither ours nor Python's own, that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - OURS - sys.stdlib_module_names - NEWER


def imported(places: Iterable[str]) -> set[str]:
    """The distributions that the modules of these files and folders import."""
    files = [path for place in places for path in ([ROOT / place] if place.endswith(".py") else python(place))]
    return distributions(set().union(*(packages(path.read_text()) for path in files)))


def python(folder: str) -> Iterator[Path]:
    """The modules of a folder."""
    return (ROOT / folder).rglob("*.py")


def distributions(names: Iterable[str]) -> set[str]:
    """The distributions of packages, by what is installed; a package that is not stands for itself."""
    known = metadata.packages_distributions()
    return {SHARED.get(name) or canonicalize_name(known.get(name, [name])[0]) for name in names}


def pins(text: str) -> dict[str, tuple[str, list[str]]]:
    """Of a lock: the version and the hashes of each distribution."""
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    found = (re.match(r"([\w.-]+)(?:\[[\w.,-]+\])?==(\S+)", entry) for entry in entries)
    return {
        canonicalize_name(pin[1]): (pin[2], re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry))
        for pin, entry in zip(found, entries, strict=True)
        if pin
    }


@pytest.mark.parametrize("place", SCOPES)
def test_every_import_is_declared(place: str) -> None:
    assert (
        imported([place]) - declared("").keys() - (declared(SCOPES[place]).keys() if SCOPES[place] else set()) == set()
    )


def test_imports_are_found() -> None:
    source = "import os, yaml.nodes\nfrom bundle import x\ndef f():\n  from packageurl import PackageURL\n"
    assert packages(source) == {"yaml", "packageurl"}
    assert distributions({"yaml", "packageurl", "nobodys"}) == {"pyyaml", "packageurl-python", "nobodys"}


def test_every_dependency_is_imported() -> None:
    assert declared("").keys() - imported(PROGRAM) == set()
    assert declared("test").keys() - imported(["tests", "benchmarks"]) == PLUGINS | PROGRAMS


@pytest.mark.parametrize("extra", ["", "test", "dev"])
def test_every_requirement_has_a_floor(extra: str) -> None:
    floors = {name: [each.operator for each in wanted.specifier] for name, wanted in declared(extra).items()}
    assert {name for name, operators in floors.items() if ">=" not in operators} == set()


@pytest.mark.parametrize("extra", ["", "test", "dev"])
def test_the_lock_has_what_is_declared(extra: str) -> None:
    locked = pins((ROOT / LOCK).read_text())
    wrong = {
        name: locked.get(name)
        for name, wanted in declared(extra).items()
        if name not in locked or not wanted.specifier.contains(locked[name][0])
    }
    assert wrong == {}, "write it anew: doit -f dev.py pins"


def test_the_lock_names_hashes_and_no_host() -> None:
    text = (ROOT / LOCK).read_text()
    assert "://" not in text
    assert re.findall(r"^ *-(?!-hash=sha256:).*", text, re.M) == []
    assert [name for name, (_, hashes) in pins(text).items() if not hashes] == []
    assert len(pins(text)) == len(re.findall(r"^\w", text, re.M)) > len(declared("")) + len(declared("test"))


def test_pins_are_read() -> None:
    one, two = "1" * 64, "2" * 64
    first = f"a.b==1.2 ; python_version < '4' \\\n    --hash=sha256:{one} \\\n    --hash=sha256:{two}\n    # via c\n"
    text = f"{first}c[d,e-f]==3\n"
    assert pins(text) == {"a-b": ("1.2", [one, two]), "c": ("3", [])}
