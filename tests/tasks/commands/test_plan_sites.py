"""What an install would do at each site."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bundle.errors import ProgramError
from clients.programs.process import Completed
from tasks.commands.plan_sites import plan_sites, site_command, table

PLAN: dict[str, Any] = {
    "steps": [{"step": "push:one", "run": True, "reason": "x"}, {"step": "helm:app", "run": False, "reason": ""}],
    "releases": [{"release": "app", "change": "upgrade"}, {"release": "web", "change": "leave"}],
    "bytes_to_send": 2_000_000,
    "refused": "",
    "left_over": {"releases": [{"name": "old"}]},
    "findings": [{"severity": "error"}, {"severity": "warning"}],
    "unknown": [],
}
OPTIONS: Any = SimpleNamespace(jobs=2)


def test_a_row_for_each_site_whatever_comes_of_it() -> None:
    def ask(path: Path) -> Completed:
        if path.stem == "c":
            raise ProgramError("the plan of site 'c' took too long")
        text = json.dumps(PLAN) if path.stem == "a" else json.dumps(PLAN | {"refused": "it is older"})
        if path.stem == "d":
            return Completed(code=3, stdout=b"", stderr="ERROR: d.yaml: unknown setting 'hots'\nand more\n")
        return Completed(code=0, stdout=text.encode(), stderr="")

    plans = plan_sites(OPTIONS, [Path(f"sites/{name}.yaml") for name in "abcd"], ask)
    assert [(each.site, each.due, each.is_bad) for each in plans] == [
        ("a", 1, False), ("b", 1, True), ("c", 0, True), ("d", 0, True),
    ]  # fmt: skip
    _, first, second, third, fourth = table(plans)
    assert first == (
        "a", "1", "upgrade app", "2.0 MB", "no longer in the bundle: old; 1 errors, see plan install site=sites/a.yaml"
    )  # fmt: skip
    assert second[-1].startswith("refused: it is older; ")
    assert third[-1] == "the plan of site 'c' took too long"
    assert fourth[-1] == "d.yaml: unknown setting 'hots'"


@pytest.mark.parametrize(
    "argv",
    [
        ["python3", "airgap.pyz", "plan", "install", "site=all", "--exit-code"],
        ["python3", "airgap.pyz", "--json", "plan", "install", "site=all"],
    ],
)
def test_the_same_command_for_one_site(argv: list[str]) -> None:
    made = site_command(argv, Path("/x/sites/a.yaml"))
    assert made[1:] == ["airgap.pyz", "plan", "install", "site=/x/sites/a.yaml", "--json"]
