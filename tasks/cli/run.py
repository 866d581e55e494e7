"""`doit [run]`: doit's own command, with the exit codes that DESIGN.md promises and a quiet end on a signal."""

import os
import signal
from types import FrameType
from typing import Any

from doit.cmd_run import Run as DoitRun
from doit.runner import ERROR, FAILURE

from tasks.cli.command import PlainCommand
from tasks.cli.reporter import Reporter

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Run(PlainCommand, DoitRun):  # type: ignore[misc]
    """Runs tasks. A step that only could not be reached counts as failed (1), not as broken (2)."""

    name = "run"

    def execute(self, params: Any, args: list[str]) -> int:
        """Run the selected tasks and return doit's exit code; 128 and the signal's number when one ended the run."""
        before = {number: signal.signal(number, interrupt) for number in SIGNALS}
        try:
            result = int(super().execute(params, args))
        except Interrupted as err:
            # Worker threads may be in the middle of a transfer; what they have is kept, nothing waits for them.
            self.outstream.flush()
            os._exit(128 + err.number)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        reporter = params.get("reporter")
        if result == ERROR and isinstance(reporter, Reporter) and not reporter.broken:
            return int(FAILURE)
        return result


def interrupt(number: int, _: FrameType | None) -> None:
    """A signal handler that ends the main thread with Interrupted."""
    raise Interrupted(number)
