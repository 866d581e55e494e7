"""How this program was called, so that a command in a message can be typed where the reader is."""

import re
import shlex
import sys
from pathlib import Path

from tasks.runtime.groups import GROUPS
from tasks.runtime.installation import CHECKOUT
from tasks.runtime.variables import Side

NAME = "airgap"


def called(argv0: str) -> str:
    """What to type for the program that was started as `argv0`: doit, airgap, or python3 with the zipapp's path."""
    path = Path(argv0)
    if path.suffix == ".pyz":
        return f"python3 {shlex.quote(argv0)}"
    return NAME if NAME in (path.stem, path.parent.name) else "doit"


CALLED = called(sys.argv[0])
SIDE: Side = "air-gapped" if CHECKOUT.is_file() else "connected"  # airgap.pyz makes no bundles


# Commands of the connected side alone: a message of the air-gapped side names them for whoever makes the bundle.
OUTSIDE = frozenset(
    {"adopt", "images", "init", "lock", "outdated", "rehearse", "schema"}
    | {each.name for each in GROUPS.values() if "air-gapped" not in each.sides}
)


def as_called(text: str, program: str = CALLED) -> str:
    """A message, with the commands in it as they are typed here; those of the other side stay as they are."""
    if program == "doit":
        return text

    def typed(found: re.Match[str]) -> str:
        return found[0] if program.startswith("python3 ") and found[1] in OUTSIDE else f"{program} {found[1]}"

    return re.sub(r"(?<![\w/.-])(?<!\ba )(?<!\bthis )doit ([a-z]+)", typed, text)
