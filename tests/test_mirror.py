"""Tests mirror modules: that of `clients/http/retry.py` is `tests/clients/http/test_retry.py`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT

WINGS = ("bundle", "clients", "schema", "tasks")
TESTS = ROOT / "tests"

# Modules without a test of their own, each with the reason.
WITHOUT = {
    "bundle/metadata/names.py": "constants",
    "bundle/meter.py": "a Protocol, and one that does nothing",
    "bundle/oci/media_types.py": "constants",
}
# Each is a world of its own: what a user runs, or a real part.
ELSEWHERE = {"benchmarks", "docs", "examples", "fixtures", "fuzz", "integration", "scenarios"}
MOST_ENTRIES = 14  # in a folder of tests, as in bundle/


def modules() -> Iterator[Path]:
    """Every module, relative to the checkout."""
    for wing in WINGS:
        yield from (path.relative_to(ROOT) for path in (ROOT / wing).rglob("*.py") if path.name != "__init__.py")


def unit_tests() -> Iterator[Path]:
    """Every test file of a wing, relative to tests/."""
    for wing in WINGS:
        yield from (path.relative_to(TESTS) for path in (TESTS / wing).rglob("test_*.py"))


def test_of(module: Path) -> Path:
    """Where a module's test lies, relative to tests/; that of `_blob_upload.py` is `test_blob_upload.py`."""
    return module.with_name(f"test_{module.name.lstrip('_')}")


test_of.__test__ = False  # type: ignore[attr-defined]
MODULES = sorted(modules())


def test_every_module_has_its_test() -> None:
    lacking = {str(module) for module in MODULES if not (TESTS / test_of(module)).is_file()}
    assert lacking == WITHOUT.keys(), "write the test, or name the module with its reason in WITHOUT"
    assert all(WITHOUT.values())


def test_every_unit_test_has_its_module() -> None:
    known = {test_of(module) for module in MODULES}
    assert sorted(str(test) for test in unit_tests() if test not in known) == []


def test_no_two_modules_share_a_test() -> None:
    assert len({test_of(module) for module in MODULES}) == len(MODULES)


@pytest.mark.parametrize("test", sorted(unit_tests()), ids=str)
def test_it_has_tests_in_it(test: Path) -> None:
    tree = ast.parse((TESTS / test).read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [name for name in names if name.startswith("test_")]


def test_no_test_imports_another() -> None:
    """What several make things of lies in tests/fixtures/; the fuzz is a program with parts of its own."""
    importing = []
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            own = path.parent.name == "fuzz" and module in ("tests.fuzz", "tests.fuzz.targets")
            if module and module.startswith("tests.") and not module.startswith("tests.fixtures") and not own:
                importing.append(f"{path.relative_to(ROOT)}: {module}")
    assert importing == []


def test_folders_are_those_of_the_code_or_known() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*WINGS, *ELSEWHERE}
    for wing in WINGS:
        for folder in (path for path in (TESTS / wing).rglob("*") if path.is_dir() and path.name != "__pycache__"):
            assert (ROOT / folder.relative_to(TESTS)).is_dir(), folder


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in TESTS.rglob("*.py")} - {TESTS}),
    ids=lambda path: path.relative_to(TESTS).as_posix(),
)
def test_a_folder_has_few_entries(folder: Path) -> None:
    entries = [path.name for path in folder.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES
