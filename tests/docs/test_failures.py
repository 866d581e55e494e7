"""The page on pods that fail shows each fate that is tried on a real node, in the words that are told."""

import re

from tests.fixtures.fates import FAILING, HEALING, Fate, filled
from tests.fixtures.places import ROOT

PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
HOSTS = {
    "registry": "registry.internal:5000", "guarded": "private.internal:5000", "unknown": "other.internal:5000",
    "hung": "slow.internal:5000", "late": "late.internal:5000", "username": "pull",
}  # fmt: skip


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of the table below a heading, by the first one."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {cells[0]: [cell.replace("<br>", "\n") for cell in cells[1:]] for cells in lines[1:]}


def words(fate: Fate) -> str:
    return fate.name.replace("-", " ")


def test_each_way_to_fail_is_shown_as_it_is_told() -> None:
    shown = rows("What is told")
    assert list(shown) == [words(fate) for fate in FAILING]
    for fate in FAILING:
        said, step, seconds = shown[words(fate)]
        assert re.search(filled(fate.says, HOSTS), said), fate.name
        assert re.search(filled(fate.next, HOSTS), step), fate.name
        assert int(seconds) > 0


def test_each_way_to_heal_is_named() -> None:
    assert list(rows("What heals")) == [words(fate) for fate in HEALING]
