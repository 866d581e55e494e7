"""The table of step groups: those of dodo.py, in its order, with variables that there are."""

import ast

import pytest

from tasks.runtime.groups import GROUPS
from tasks.runtime.variables import VARIABLES
from tests.fixtures.places import ROOT


def test_they_are_the_tasks_of_dodo() -> None:
    tree = ast.parse((ROOT / "dodo.py").read_text())
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    tasks = [name.removeprefix("task_") for name in functions if name != "task_unplanned"]
    assert sorted(GROUPS) == sorted(tasks)


@pytest.mark.parametrize("name", GROUPS)
def test_each_says_what_it_does(name: str) -> None:
    group = GROUPS[name]
    assert all((group.purpose, group.reads, group.writes))
    assert set(group.variables) <= set(VARIABLES)
