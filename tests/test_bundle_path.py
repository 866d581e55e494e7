"""The rule of the receiving half, by reading it: where the bundle lies is known to few, who only have it checked."""

import ast
from collections.abc import Iterator

import pytest

from tests.fixtures.places import ROOT

# Whom the path of the bundle is given to, by module. All of them read it by bundle/, which compares, or look at its
# place only; none gives it to a program, or opens a file below it. (`adopt` takes what was made by hand, outside.)
ALLOWED = {
    "tasks/cli/setup.py": {"open_project"},
    "tasks/commands/adopt.py": {"_execute", "_summary"},
    "tasks/commands/review/approve.py": {"approvals_path", "read_approvals", "receiver.carried.trust", "verify"},
    "tasks/commands/publish.py": {"ArtifactSource", "approvals_path", "open_bundle", "read_approvals"},
    "tasks/commands/review/report.py": {
        "_media",
        "is_signed",
        "last_before",
        "open_bundle",
        "receiver.carried.path.resolve",
        "receiver.carried.trust",
        "signer_of",
        "signers_of",
        "verify",
    },
    "tasks/install/verify.py": {"==", "_bundles", "is"},
    "tasks/rehearsal/rehearse.py": {"_execute", "_rehearse"},
    "tasks/rehearsal/site.py": {"receiver.carried.trust"},
    "tasks/rehearsal/verdict.py": {"carried.trust", "is_signed", "signer_of", "verify"},
    "tasks/runtime/project.py": {"is"},
}
HALF = (
    "tasks/site",
    "tasks/transfer",
    "tasks/install",
    "tasks/commands",
    "tasks/rehearsal",
    "tasks/runtime",
    "tasks/cli",
    "schema/site",
)
OWNER = "tasks/site/carried.py"


def modules() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for place in HALF for path in (ROOT / place).rglob("*.py"))


def uses(source: str) -> Iterator[str]:
    """Where a module takes the path of the bundle: the call that it is an argument of, else `==`, else the function."""
    yield from _uses(ast.parse(source), "", "")


def _uses(node: ast.AST, function: str, around: str) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        function, around = node.name, node.name
    elif isinstance(node, ast.Call):
        around = ast.unparse(node.func)
    elif isinstance(node, ast.Compare):
        around = "is" if isinstance(node.ops[0], ast.Is | ast.IsNot) else "=="
    elif isinstance(node, ast.stmt):
        around = function
    if isinstance(node, ast.Attribute) and _is_path(node):
        yield around
        return
    for child in ast.iter_child_nodes(node):
        yield from _uses(child, function, around)


def _is_path(node: ast.Attribute) -> bool:
    match node:
        case ast.Attribute(attr="path", value=ast.Attribute(attr="carried") | ast.Name(id="carried")):
            return True
        case ast.Attribute(attr="bundle", value=ast.Attribute(attr="options" | "_options") | ast.Name(id="options")):
            return True
    return False


@pytest.mark.parametrize("module", [name for name in modules() if name != OWNER])
def test_the_path_of_the_bundle_goes_where_it_is_compared(module: str) -> None:
    assert set(uses((ROOT / module).read_text())) <= ALLOWED.get(module, set())


def test_every_exception_is_needed() -> None:
    found = {name: set(uses((ROOT / name).read_text())) for name in modules() if name != OWNER}
    assert {name: places for name, places in found.items() if places} == ALLOWED


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(r):\n  run([r.carried.path / 'x'])", ["run"]),
        ("def f(r):\n  place = r.carried.path\n  open(place / 'x')", ["f"]),
        ("def f(options):\n  return options.bundle.read_bytes()", ["options.bundle.read_bytes"]),
        ("def f(self):\n  if self.options.bundle is None: pass", ["is"]),
        ("def f(r):\n  return r.carried.file('x'), r.carried.bundle.read('y'), r.spec.path", []),
    ],
)
def test_uses_are_found(source: str, found: list[str]) -> None:
    assert list(uses(source)) == found


def test_the_bundle_is_opened_in_few_places() -> None:
    """Another opening could meet another list of checksums: the report and the rehearsal hold theirs to one.

    publish reads what it attaches, and the project at the earlier bundle that `since=` names.
    """
    opening = [name for name in modules() if "open_bundle(" in (ROOT / name).read_text()]
    others = ["tasks/commands/publish.py", "tasks/runtime/project.py"]
    assert opening == sorted([*others, "tasks/commands/review/report.py", "tasks/rehearsal/rehearse.py", OWNER])
