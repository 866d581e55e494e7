"""The shell commands that a page of docs/zenml-pro shows."""

import re
import textwrap

from tests.fixtures.places import ROOT

PAGES = ROOT / "docs" / "zenml-pro"


def commands(page: str) -> list[str]:
    """The commands of each console block, as a script: lines after `$ `, and those that go on from them."""
    text = (PAGES / page).read_text()
    blocks = re.findall(r"^( *)```console\n(.*?)^ *```$", text, re.M | re.S)
    return [re.sub(r"^\$ ", "", textwrap.dedent(block), flags=re.M) for _, block in blocks if "$ " in block]


def block(page: str, word: str) -> str:
    """The one block that holds the word."""
    (found,) = [each for each in commands(page) if word in each]
    return found
