"""Programs without any network: what works so works where there is none."""

import os
import sys
from collections.abc import Sequence
from functools import cache

from bundle.errors import ProgramError
from clients.programs.process import run

_QUICK = 10.0  # seconds


@cache
def offline_prefix() -> tuple[str, ...]:
    """The words before a command that run it in a namespace without any network (unshare(1)); asked for once.

    Empty where this machine has none for us: another system than Linux, a container that forbids it.
    """
    if not sys.platform.startswith("linux"):
        return ()
    # A user's own namespace is one in which it looks like root; its files stay its own.
    words = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")
    return words if _runs([*words, "true"]) else ()


def _runs(argv: Sequence[str]) -> bool:
    try:
        return run(argv, subject="unshare", timeout=_QUICK).code == 0
    except ProgramError:
        return False
