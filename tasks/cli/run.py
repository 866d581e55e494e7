"""`doit [run]`: doit's own command, with the exit codes that DESIGN.md promises and a quiet end on a signal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from doit import cmd_run
from doit.exceptions import UnmetDependency
from doit.runner import ERROR, FAILURE, MThreadRunner

from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.cli.reporter import Reporter

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class KeepingRunner(MThreadRunner):  # type: ignore[misc]
    """Runs tasks side by side. What a task did in an earlier run stays noted when this run does not reach it.

    doit forgets the success of each task that a failed one keeps from running, so that one mistyped address would have
    everything behind the preflight done again. Whether a task is up to date is for its own inputs to say.
    """

    def _handle_task_error(self, node: Any, base_fail: Any) -> None:
        if not isinstance(base_fail, UnmetDependency):
            super()._handle_task_error(node, base_fail)
            return
        node.run_status = "failure"
        self.reporter.add_failure(node.task, base_fail)
        self.final_result = ERROR
        if not self.continue_:
            self._stop_running = True


cmd_run.MThreadRunner = KeepingRunner  # doit takes its runner from there, and has no setting for it


class Run(PlainCommand, cmd_run.Run):  # type: ignore[misc]
    """Runs tasks. A step that only could not be reached counts as failed (1), not as broken (2)."""

    name = "run"
    doc_purpose = COMMANDS["run"].purpose

    def execute(self, params: Any, args: list[str]) -> int:
        """Run the selected tasks and return doit's exit code; 128 and the signal's number when one ended the run."""
        with interruptible():
            try:
                result = int(super().execute(params, args))
            except Interrupted as err:
                # Worker threads may be in the middle of a transfer; what they have is kept, nothing waits for them.
                self.outstream.flush()
                os._exit(128 + err.number)
        reporter = params.get("reporter")
        if result == ERROR and isinstance(reporter, Reporter) and not reporter.broken:
            return int(FAILURE)
        return result


@contextmanager
def interruptible() -> Iterator[None]:
    """While the body runs, signals that ask for an end raise Interrupted in the main thread.

    One that was ignored when this program was started stays ignored: `nohup` says so of SIGHUP.
    """
    asked = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)
