"""What the operator sees of a run: each step that did something, each failure once, and a summary."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit.exceptions import BaseFail, TaskFailed

from tasks.cli.command import unforeseen
from tasks.cli.summary import summarise
from tasks.runtime.groups import GROUPS
from tasks.runtime.project import Project
from tasks.runtime.variables import AIR_GAPPED

if TYPE_CHECKING:
    from tasks.site.receiver import Receiver
    from tasks.site.records.history import Outcome


def _is_received(step: str) -> bool:
    group = GROUPS.get(step.partition(":")[0])
    return group is not None and group.sides == AIR_GAPPED


_FAR = 10  # steps done after a failure, after which it is repeated


def _broken(fail: BaseFail) -> str:
    """What is said of a step that raised what nobody foresaw."""
    lines = [line for part in fail.traceback or () for line in str(part).splitlines() if line.strip()]
    return unforeseen(lines[-1] if lines else fail.get_name(), fail.get_msg())


class Reporter:
    """doit's reporter interface, in terms of the project's console."""

    desc = "one line for each step that ran, failures with their next step, a summary"

    def __init__(self, project: Project, receiver: "Receiver | None" = None) -> None:
        """`receiver` is the installation whose history tells of runs that change it."""
        self._project = project
        self._receiver = receiver
        self._console = project.console
        self.failed: list[str] = []
        self.unreached: list[str] = []
        self.broken: list[str] = []
        self.ran = 0
        self.skipped = 0
        self._selected: list[str] = []
        self._causes: dict[str, str] = {}
        self._problems: list[tuple[str, int]] = []  # each, with how many steps were done by then

    def initialize(self, tasks: Any, selected_tasks: list[str]) -> None:
        """Before the first step."""
        self._selected = selected_tasks

    def get_status(self, task: Any) -> None:
        """A step is looked at."""

    def execute_task(self, task: Any) -> None:
        """A step begins; called in its thread."""
        if task.actions:
            self._console.begin(task.name)
            self._console.open()

    def add_success(self, task: Any) -> None:
        """A step is done."""
        self._console.end(task.name)
        if task.actions:
            self.ran += 1
            note = self._project.notes.pop(task.name, "")
            self._console.line(f"{task.name:<28} {note}".rstrip())

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """A step failed, broke, or could not be reached."""
        self._console.end(task.name)
        if isinstance(fail, TaskFailed):
            self.failed.append(task.name)
            same = self._causes.setdefault(fail.message, task.name)
            cause = fail.message if same == task.name else f"for the same reason as {same}"
            self._problem("FAILED", task, cause)
        elif not fail.report or fail.get_name() == "UnmetDependency":
            self.unreached.append(task.name)
        else:
            self.broken.append(task.name)
            self._problem("BROKEN", task, _broken(fail))

    def _problem(self, kind: str, task: Any, text: str) -> None:
        self._problems.append((f"{task.name}: {text}", self.ran))
        self._console.problem(f"{kind} {task.name}: {text}")

    def _repeat(self) -> None:
        """Of a long run, the failures that many lines were printed after, once more: nobody need look for them."""
        above = [text for text, ran in self._problems if self.ran - ran >= _FAR]
        if above:
            self._console.problem("failed above:")
        for text in above:
            self._console.problem(f"  {text}")

    def skip_uptodate(self, task: Any) -> None:
        """A step has nothing to do."""
        if task.actions:
            self.skipped += 1

    def skip_ignore(self, task: Any) -> None:
        """A step is ignored by the user's wish."""
        self._console.line(f"{task.name:<28} ignored (doit forget {task.name} brings it back)")

    def cleanup_error(self, exception: BaseFail) -> None:
        """A teardown failed."""
        self._console.problem(exception.get_msg())

    def runtime_error(self, msg: str) -> None:
        """doit itself could not go on."""
        self.broken.append("doit")
        self._console.problem(msg)

    def teardown_task(self, task: Any) -> None:
        """A teardown begins."""

    def complete_run(self) -> None:
        """After the last step."""
        stopped = sys.exc_info()[1]
        self._console.close(for_good=stopped is not None)  # threads may be at work still
        if isinstance(stopped, KeyboardInterrupt):
            self._console.problem(f"stopped by {stopped}; completed steps are kept; run it again to continue")
            self._note("stopped")
            return
        if self.failed or self.broken:
            parts = [f"{len(self.failed) + len(self.broken)} failed", f"{self.ran} done", f"{self.skipped} up to date"]
            if self.unreached:
                parts.append(f"{len(self.unreached)} not reached")
            kept = "; completed steps are kept" if self.ran or self.unreached else ""
            self._repeat()
            self._console.problem(", ".join(parts) + kept)
            self._note("failed")
            return
        summarise(self._project, self._selected, ran=self.ran, skipped=self.skipped, receipt=self._receipt)
        if self.ran:
            self._note("done")

    def _receipt(self) -> Path:
        """Where the receipt of this installation is."""
        return (self._receiver or self._project.options).state / "receipt.json"

    def _note(self, result: "Outcome") -> None:
        """What an installation's history is to know of this run."""
        if self._receiver is None or not any(_is_received(name) for name in self._selected):
            return
        from tasks.site.records.history import note_run  # most runs change nothing
        from tasks.site.records.hooks import call_hooks

        problems = "\n".join(text for text, _ in self._problems)
        if entry := note_run(self._receiver, self._selected, result, problems):
            call_hooks(self._receiver, entry)
