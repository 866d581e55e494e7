"""The text of `help`."""

import re
from pathlib import Path

import pytest

from tasks.cli.commands import COMMANDS
from tasks.cli.help.overview import AIR_GAPPED, ANYWHERE, CONNECTED, UNLISTED, overview
from tasks.runtime.groups import GROUPS
from tasks.runtime.variables import VARIABLES, Side
from tests.fixtures.benches.workbench import Workbench


def entries(text: str) -> list[str]:
    """The names at the beginning of entries, in their order."""
    return re.findall(r"^  (\w+)=? {1,}\S", text, re.M)


def text(side: Side) -> str:
    return "\n".join(overview("airgap", "1.2.3", side))


def test_every_command_has_its_place() -> None:
    main = {each.name for each in GROUPS.values() if each.main}
    assert {*CONNECTED, *AIR_GAPPED, *ANYWHERE} == (COMMANDS.keys() - UNLISTED) | main


def test_by_side_in_the_order_of_the_work() -> None:
    connected, _, rest = text("connected").partition("Air-gapped side")
    air_gapped = rest.partition("On either side")[0]
    order = [entries(connected).index(name) for name in ("images", "lock", "plan", "bundle", "verify", "publish")]
    assert order == sorted(order)
    order = [entries(air_gapped).index(name) for name in ("fetch", "verify", "preflight", "install", "rollback")]
    assert order == sorted(order)


def test_each_with_its_variables() -> None:
    lines = text("connected").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  lock "))
    assert lines[at + 1].split() == ["spec=", "state=", "jobs="]


def test_variables_are_explained() -> None:
    assert set(VARIABLES) <= set(entries(text("connected").partition("\nVariables\n")[2]))


def test_the_air_gapped_side_shows_its_own() -> None:
    shown = text("air-gapped")
    assert "Connected side" not in shown
    assert {"install", "rollback", "list"} <= set(entries(shown))
    assert {"lock", "rehearse", "schema", "spec", "kubeconfig"} & set(entries(shown)) == set()


@pytest.mark.parametrize("side", ["connected", "air-gapped"])
def test_it_fits_a_terminal(side: Side) -> None:
    assert max(map(len, text(side).splitlines())) <= 100


def test_nothing_of_doits_that_nobody_needs(tmp_path: Path) -> None:
    shown = Workbench(place=tmp_path).doit("help").out
    assert set(re.findall(r"strace|reset-dep|dumpdb|tabcompletion|ignore|pydoit", shown)) == set()
