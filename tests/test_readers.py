"""One reader for each kind of outside text: only named modules call Python's own and PyYAML's."""

import ast
from collections import Counter

import pytest

from tests.fixtures.places import ROOT

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
    for wing in ("bundle", "schema", "clients", "tasks")
    for path in sorted((ROOT / wing).rglob("*.py"))
    if path.name != "__init__.py"
}

JSON = {
    "bundle.formats.strict_json": 4,
    "clients.sbom.cyclonedx": 1,  # what a library of ours wrote a moment ago, of any length
}
YAML = {
    "bundle.formats.node_budget": 3,  # whoever reads documents does it by this
    "clients.charts._index": 1,  # events only, one after the other: no aliases, no tree, a bound on depth
    "schema.syntax.plain": 1,  # nodes, of what was read by the above before
    "schema.syntax.document": 1,  # with the place of each node, and bounds of its own
}
NUMBERS = {  # int() and float() of what may be text
    "bundle.formats.numbers": 1,
    "bundle.formats.tag_scheme": 5,  # runs of at most 18 ASCII digits
    "bundle.formats.versions": 3,  # as above
    "bundle.formats.json_path": 1,  # as above
    "bundle.oci.platform": 4,  # at most three
    "bundle.archive.parts": 1,  # three
    "bundle.storage.files": 1,
    "bundle.storage.marks": 2,  # of digests
    "bundle.storage.scratch": 1,  # of a file's name, beside isascii()
    "bundle.storage.tar_reader": 3,  # eight bytes of digits, and at most 19
    "bundle.sbom._rpm": 1,  # of bytes, by struct
    "clients.engine.engine": 2,  # nine digits
    "clients.preflight.objects.refusals": 1,  # nine digits
    "clients.preflight._endpoints": 1,  # read by number() the line before
    "clients.http.retry": 1,  # of urllib3, whose errors are caught
    "clients.cluster.manifests": 1,  # of a float that is whole
    "clients.programs._child": 2,  # of our own child
    "clients.sandbox._node_cgroups": 1,  # names that we made
    "clients.sandbox._node_machine": 1,  # /proc
    "clients.sandbox._loopback_registry": 1,  # base 16, which is read in linear time, from a client of the rehearsal
    "schema.values.file": 2,  # base 8, and a float that must be finite
    "schema.syntax.notation": 2,  # at most 18 ASCII digits
    "tasks.assemble.packages": 1,  # versions of installed packages
    "bundle.errors": 1,  # three octal digits
}
OUR_OWN = {  # int() of an enum, a bool, a float that we computed
    "bundle.report._picture",
    "bundle.report.manifest_text",
    "clients.charts._index",
    "clients.preflight.tls",
    "clients.sbom.zstd",
    "tasks.assemble.pack",
    "tasks.cli.info",
    "tasks.cli.program",
    "tasks.cli.run",
    "tasks.commands.installed.backups.backup",
    "tasks.runtime.console",
}
DIGITS = {  # beside isascii()
    "bundle.formats.numbers",
    "bundle.report._version_order",
    "bundle.storage.scratch",
    "bundle.storage.tar_reader",
}
FIRST_BYTE = {"clients.preflight.databases"}  # bytes.isdigit is ASCII
NOT_READ = {"pickle", "marshal", "shelve", "xml", "plistlib", "csv", "configparser", "zipfile"}
READ_ONCE = {
    "tasks.assemble.compiled": {"marshal"},  # written only
    "tasks.assemble.packages": {"tomllib"},  # our own pyproject.toml
    "tasks.assemble.zipapp": {"zipfile"},  # written only
    "tasks.commands.installed.day2": {"zipfile"},  # written only
}


def calls(source: str, *names: str) -> int:
    """How often a module calls, or hands on, one of these names (`f`, or `module.f`)."""
    found = 0
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if f"{module}.{name}" in names:
                found += 1
            case ast.Call(func=ast.Name(id=name)) if name in names:
                found += 1
            case ast.Call(func=function, args=arguments) if not _is_about_types(function):
                found += sum(isinstance(each, ast.Name) and each.id in names for each in arguments)
    return found


def _is_about_types(function: ast.expr) -> bool:
    return getattr(function, "id", getattr(function, "attr", "")) in ("isinstance", "cast", "typed")


def counted(*names: str) -> dict[str, int]:
    return {name: count for name, text in SOURCES.items() if (count := calls(text, *names))}


def test_one_reader_of_json() -> None:
    assert counted("json.load", "json.loads", "json.JSONDecoder") == JSON


def test_few_readers_of_yaml() -> None:
    loading = ("load", "load_all", "safe_load", "safe_load_all", "full_load", "unsafe_load", "compose", "parse", "scan")
    assert counted(*(f"yaml.{name}" for name in (*loading, "compose_all")), "Loader") == YAML


def test_numbers_of_others_are_read_in_one_way() -> None:
    found = {name: count for name, count in counted("int", "float").items() if name not in OUR_OWN}
    assert found == NUMBERS


def test_digits_of_other_scripts_are_none() -> None:
    found = {
        name
        for name, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr in ("isdigit", "isdecimal", "isnumeric")
    }
    assert found == DIGITS | FIRST_BYTE


@pytest.mark.parametrize("name", SOURCES)
def test_readers_that_are_not_used(name: str) -> None:
    imported = Counter(
        (each.name if isinstance(node, ast.Import) else str(node.module)).partition(".")[0]
        for node in ast.walk(ast.parse(SOURCES[name]))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in node.names
    )
    assert (imported.keys() & (NOT_READ | {"tomllib"})) <= READ_ONCE.get(name, set())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("import json\njson.loads(x)", 1, id="a call"),
        pytest.param("read = json.loads", 1, id="by another name"),
        pytest.param("int(x)", 1, id="a builtin"),
        pytest.param("map(int, x)", 1, id="a builtin that is handed on"),
        pytest.param("isinstance(x, int)\nx: int = 1", 0, id="a type test"),
        pytest.param("json.dumps(x)\nx.loads(y)", 0, id="fine"),
    ],
)
def test_calls_are_found(source: str, found: int) -> None:
    assert calls(source, "json.loads", "int") == found
