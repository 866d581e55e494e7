"""The shape of the house: one-way imports, rooms without circles, one place that prints, modules that stay small."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT

PACKAGES = ("bundle", "schema", "clients", "tasks")

OURS = {
    "bundle": set[str](),
    "schema": {"bundle"},
    "clients": {"bundle"},
    "tasks": {"bundle", "schema", "clients"},
    "dodo": {"tasks"},
}
THIRD_PARTY = {
    "bundle": {"squarify"},  # crosses the gap inside the zipapp: nothing but Python, and the report's picture
    "schema": {"yaml", "jsonschema"},
    # Connected side only: cyclonedx and packageurl write SBOMs, cryptography checks publishers' signatures,
    # backports (of compression.zstd, which Python has from 3.14 on) unpacks layers, oras lists tags and attaches.
    "clients": {
        "urllib3",
        "docker",
        "oras",
        "requests",
        "sh",
        "yaml",
        "cyclonedx",
        "packageurl",
        "cryptography",
        "backports",
        "compression",
    },
    "tasks": {"doit", "rich"},
    "dodo": set[str](),
}
PRINTING = "tasks.runtime.console"
STARTING = "clients.programs._child"
RECEIVING = ("tasks.site.", "tasks.transfer.", "tasks.install.")
SENDING = ("tasks.collect", "tasks.proof", "tasks.assemble")
MEANINGLESS = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
LONGEST = 300  # lines
MOST_ENTRIES = 12  # of a folder; its `__init__` does not count
WING_ENTRIES = {"bundle": 14}


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    paths = [*(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), *ROOT.glob("dodo.py")]
    return {_dotted(path): path for path in sorted(paths)}


def folders() -> dict[str, Path]:
    """Every folder of ours by its dotted name."""
    return {name: path.parent for name, path in modules().items() if path.name == "__init__.py"}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it; for `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden_imports(name: str, source: str) -> list[str]:
    """The packages that module `name` may not import but does."""
    top = name.partition(".")[0]
    allowed = {top, *OURS[top], *THIRD_PARTY[top], *sys.stdlib_module_names}
    return sorted({found.partition(".")[0] for found in imported(source)} - allowed)


def printing(source: str) -> list[int]:
    """The lines that write to the terminal: print(), or anything that takes sys.stdout or sys.stderr."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                lines.append(node.lineno)
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"):
                lines.append(node.lineno)
            case ast.ImportFrom(module="sys") if any(alias.name in ("stdout", "stderr") for alias in node.names):
                lines.append(node.lineno)
    return lines


def starting(source: str) -> list[int]:
    """The lines that start programs, or could: imports of what does, and the calls of os that do."""
    starters = {"subprocess", "_posixsubprocess", "sh", "pty", "multiprocessing", "pexpect"}
    calls = re.compile(r"os\.(fork\w*|exec\w+|spawn\w+|posix_spawn\w*|system|popen)|asyncio\.create_subprocess_\w+")
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if starters & {alias.name.partition(".")[0] for alias in names}:
                lines.append(node.lineno)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in starters:
                lines.append(node.lineno)
            case ast.ImportFrom(module=str(module), names=names) if any(
                calls.fullmatch(f"{module}.{alias.name}") for alias in names
            ):
                lines.append(node.lineno)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if calls.fullmatch(f"{name}.{attribute}"):
                lines.append(node.lineno)
    return lines


def cycle(sources: Mapping[str, str]) -> list[str]:
    """The modules of one import cycle, or nothing."""
    graph = {name: {found for found in imported(text) if found in sources} - {name} for name, text in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        return list(err.args[1])
    return []


def arrows(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which folder imports which, by the modules in them."""
    found: dict[str, set[str]] = {}
    for name, text in sources.items():
        here = name.rpartition(".")[0]
        others = {other.rpartition(".")[0] for other in imported(text) if other in sources} - {here}
        found.setdefault(here, set()).update(others)
    return found


def borrowed(name: str, sources: Mapping[str, str]) -> list[str]:
    """What a module takes of another folder although its name begins with an underscore."""
    here = name.rpartition(".")[0]
    found = []
    for other in set(imported(sources[name])):
        module = other if other in sources else other.rpartition(".")[0]
        private = any(part.startswith("_") and not part.startswith("__") for part in other.split("."))
        if private and module in sources and module.rpartition(".")[0] != here:
            found.append(other)
    return sorted(found)


def test_there_are_modules() -> None:
    assert {"bundle.oci.digest", "bundle", "tasks"} <= modules().keys()


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name: str) -> None:
    assert forbidden_imports(name, modules()[name].read_text()) == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        pytest.param("bundle.x", "import urllib3.util", ["urllib3"], id="bundle knows only Python"),
        pytest.param("bundle.x", "def f():\n  import clients.registry", ["clients"], id="also inside functions"),
        pytest.param("clients.x", "from schema import spec", ["schema"], id="clients not schema"),
        pytest.param(
            "schema.x", "from clients.registry import RegistryRepository", ["clients"], id="schema not clients"
        ),
        pytest.param("clients.x", "import tasks", ["tasks"], id="clients not tasks"),
        pytest.param("tasks.x", "import dodo", ["dodo"], id="tasks not dodo"),
        pytest.param("tasks.x", "import urllib3", ["urllib3"], id="tasks not HTTP"),
        pytest.param("dodo", "import bundle.oci.digest", ["bundle"], id="dodo only tasks"),
        pytest.param(
            "tasks.x", "import os, doit\nfrom bundle.oci.digest import Digest\nimport schema.spec", [], id="fine"
        ),
    ],
)
def test_forbidden_imports_are_found(name: str, source: str, found: list[str]) -> None:
    assert forbidden_imports(name, source) == found


def test_no_cycles() -> None:
    assert cycle({name: path.read_text() for name, path in modules().items()}) == []


def test_cycles_are_found() -> None:
    sources = {"bundle.a": "from bundle import b", "bundle.b": "def f():\n  from bundle.a import g", "bundle.c": ""}
    assert set(cycle(sources)) == {"bundle.a", "bundle.b"}


SOURCES = {name: path.read_text() for name, path in modules().items() if path.name != "__init__.py"}


def test_no_circle_between_folders() -> None:
    try:
        TopologicalSorter(arrows(SOURCES)).prepare()
    except CycleError as err:
        pytest.fail(f"folders import each other: {' <- '.join(err.args[1])}")


def test_circles_between_folders_are_found() -> None:
    sources = {"a.x.one": "import a.y.two", "a.y.two": "from a.x import three", "a.x.three": ""}
    assert arrows(sources) == {"a.x": {"a.y"}, "a.y": {"a.x"}}


@pytest.mark.parametrize("name", SOURCES)
def test_a_name_with_an_underscore_is_used_in_its_folder_only(name: str) -> None:
    assert borrowed(name, SOURCES) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("from bundle.a._one import x", ["bundle.a._one", "bundle.a._one.x"], id="a module"),
        pytest.param("from bundle.a import _one", ["bundle.a._one"], id="a module by its folder"),
        pytest.param("def f():\n  from bundle.a.two import _x", ["bundle.a.two._x"], id="a name"),
        pytest.param("from bundle.b import _own", [], id="its own folder"),
        pytest.param("from __future__ import annotations\nfrom bundle.a.two import x", [], id="fine"),
    ],
)
def test_borrowed_names_are_found(source: str, found: list[str]) -> None:
    sources = {"bundle.b.here": source, "bundle.b._own": "", "bundle.a._one": "", "bundle.a.two": ""}
    assert borrowed("bundle.b.here", sources) == found


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith(RECEIVING)])
def test_the_receiving_half_knows_nothing_of_the_sending_half(name: str) -> None:
    assert [other for other in imported(SOURCES[name]) if other.startswith(SENDING)] == []


@pytest.mark.parametrize("name", folders())
def test_a_folder_is_one_docstring_and_few_entries(name: str) -> None:
    place = folders()[name]
    (only,) = ast.parse((place / "__init__.py").read_text()).body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)
    assert "\n" not in only.value.value
    entries = {path.name for path in place.iterdir()} - {"__init__.py", "__pycache__"}
    assert len(entries) <= WING_ENTRIES.get(name, MOST_ENTRIES)


def test_one_class_name_for_one_thing() -> None:
    found: dict[str, list[str]] = {}
    for name, text in SOURCES.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name)
    assert {kind: places for kind, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("name", [name for name in modules() if name != PRINTING])
def test_one_place_prints(name: str) -> None:
    assert printing(modules()[name].read_text()) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        pytest.param("import os\nprint(1)", [2], id="print"),
        pytest.param("import sys\nsys.stderr.write('')", [2], id="stream"),
        pytest.param("from sys import stdout", [1], id="stream by name"),
        pytest.param("import sys\nsys.exit(1)\nfile.print()", [], id="fine"),
    ],
)
def test_printing_is_found(source: str, lines: list[int]) -> None:
    assert printing(source) == lines


@pytest.mark.parametrize("name", [name for name in modules() if name != STARTING])
def test_one_place_starts_programs(name: str) -> None:
    assert starting(modules()[name].read_text()) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        pytest.param("import os\nimport subprocess", [2], id="subprocess"),
        pytest.param("def f():\n  from subprocess import run", [2], id="inside a function"),
        pytest.param("import sh.contrib", [1], id="sh"),
        pytest.param("import os\nos.fork()", [2], id="fork"),
        pytest.param("import os\nx = os.execvp", [2], id="exec"),
        pytest.param("from os import posix_spawn as start", [1], id="spawn by name"),
        pytest.param("import os\nos.system('ls')", [2], id="a shell"),
        pytest.param("if TYPE_CHECKING:\n  from sh import RunningCommand", [2], id="its types"),
        pytest.param("import os, shutil\nos.kill(1, 2)\nfile.system()\nimport shlex", [], id="fine"),
    ],
)
def test_starting_is_found(source: str, lines: list[int]) -> None:
    assert starting(source) == lines


def test_the_one_place_starts_programs() -> None:
    assert starting(modules()[STARTING].read_text())


@pytest.mark.parametrize("name", modules())
def test_modules_are_small_and_named_for_what_they_hold(name: str) -> None:
    assert name.rpartition(".")[2] not in MEANINGLESS
    assert len(modules()[name].read_text().splitlines()) <= LONGEST


FOR_STEPS = {
    "bundle.archive.archive",
    "bundle.metadata.base",
    "bundle.archive._completeness",
    "bundle.images.derived",
    "bundle.metadata.manifest",
    "bundle.archive.reader",
    "bundle.transfer.push",
    "bundle.metadata.receipt",
    "bundle.signing.trust",
    "bundle.archive.verify",
    "cryptography",
    "cyclonedx",
    "docker",
    "requests",
    "rich",
    "sh",
    "tasks.site.destination",
    "tasks.site.repositories",
    "urllib3",
}


def test_a_list_of_the_tasks_imports_nothing_that_only_steps_need(tmp_path: Path) -> None:
    program = (
        "import json, runpy, sys\n"
        "try: runpy.run_module('doit', run_name='__main__', alter_sys=True)\n"
        "finally: open(sys.argv[-1].partition('=')[2] + '/modules', 'w').write(json.dumps(sorted(sys.modules)))"
    )
    spec = ROOT / "examples" / "hello" / "airgap.yaml"
    subprocess.run(
        [sys.executable, "-c", program, "list", f"spec={spec}", f"state={tmp_path / 'state'}", f"out={tmp_path}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    loaded = set(json.loads((tmp_path / "modules").read_text()))
    assert {"tasks.site.receiver", "tasks.assemble.manifest", "schema.loading.load"} <= loaded
    assert loaded & (FOR_STEPS | {name for name in loaded if name.startswith("clients")}) == set()
