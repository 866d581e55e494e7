"""How this program was called, so that a command in a message can be typed where the reader is."""

import re
import shlex
import sys
from pathlib import Path

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


def as_called(text: str, program: str = CALLED) -> str:
    """A message, with the commands in it as they are typed here."""
    return (
        text if program == "doit" else re.sub(r"(?<![\w/.-])(?<!\ba )(?<!\bthis )doit (?=[a-z])", f"{program} ", text)
    )
