"""The one place that prints: plain lines without a terminal, a live view with one."""

import math
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from bundle.formats.visible import one_line, visible
from tasks.runtime.calling import as_called

_ALL = "all"
_FIRST = 10.0  # seconds of a wait before a log is told of it
_AGAIN = 15.0  # seconds before it is told something else, twice as many before the same
_LONGEST = 240  # characters


class Console:
    """Receives progress from all threads (bundle.meter.Meter) and shows it.

    `moved` and `reused` count bytes over the whole run.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._guard = threading.Lock()
        self._live: Any = None
        self._bars: Any = None
        self._waits: Any = None
        self._waiting: dict[str, _Wait] = {}
        self._rows: dict[str, Any] = {}
        self._parts: dict[str, int] = defaultdict(int)
        self._expected: dict[str, int] = defaultdict(int)
        self._done: dict[str, int] = defaultdict(int)
        self.moved = 0
        self.reused = 0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time since the run began."""
        return time.monotonic() - self._started

    def line(self, text: str = "") -> None:
        """One line of result, on standard output, above the live view; a newline in a value makes no second one."""
        with self._guard:
            self._write(self._out, one_line(as_called(text)), style=None)

    def text(self, text: str) -> None:
        """A result of several lines, all of them ours."""
        with self._guard:
            self._write(self._out, visible(as_called(text)), style=None)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows of as many columns each, the first being the heads, as wide as they need to be."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            self.line("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())

    def problem(self, text: str) -> None:
        """A failure, on standard error. Only its first line begins at the margin, so that no value forges another."""
        first, *rest = visible(as_called(text)).split("\n")
        lines = [first, *(line if line[:1] in ("", " ") else f"  {line}" for line in rest)]
        with self._guard:
            self._write(self._err, "\n".join(lines), style="bold red")

    def expect(self, subject: str, size: int, parts: int = 0) -> None:
        """Part of Meter."""
        with self._guard:
            self._parts[subject] += parts
            for row in (subject, _ALL):
                self._expected[row] += size
            self._show(subject)

    def advance(self, subject: str, size: int) -> None:
        """Part of Meter."""
        with self._guard:
            self.moved += size
            self._count(subject, size)

    def reuse(self, subject: str, size: int) -> None:
        """Part of Meter."""
        with self._guard:
            self.reused += size
            self._count(subject, size)

    def say(self, subject: str, message: str) -> None:
        """Part of Meter."""
        self.line(f"   {subject}: {message}")

    def worked(self, subject: str, size: int) -> None:
        """Bytes that were gone through, but neither came nor went: those of a check, or of an archive."""
        with self._guard:
            self._count(subject, size)

    def waiting(self, subject: str, text: str) -> None:
        """What a step waits for now, told every few seconds; an empty text ends it. A log gets a line now and then."""
        shown = one_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
        with self._guard:
            wait = self._waiting.setdefault(subject, _Wait(began=time.monotonic()))
            if not text:
                self._waiting.pop(subject)
                if wait.row is not None and self._live:
                    self._waits.remove_task(wait.row)
            elif self._live:
                if wait.row is None:
                    wait.row = self._waits.add_task("", total=None)
                self._waits.update(wait.row, description=f"{subject}: {shown}")
            elif wait.is_due(shown, time.monotonic()):
                seconds = time.monotonic() - wait.began
                self._write(self._out, f"   {subject}: waiting for {seconds:.0f} s: {shown}", style=None)

    def open(self) -> None:
        """Begin the live view, when standard output is a terminal that can show one."""
        with self._guard:
            if self._live or not self._out.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
                return
            try:
                from rich import console, live, progress, table  # a run with nothing to do never needs it
            except ImportError:
                return
            self._bars = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
            )
            one_line = table.Column(no_wrap=True, overflow="ellipsis")
            text = progress.TextColumn("{task.description}", markup=False, table_column=one_line)
            self._waits = progress.Progress(progress.TimeElapsedColumn(), text)
            self._live = live.Live(
                console.Group(self._bars, self._waits),
                console=console.Console(file=self._out),
                transient=True,
                refresh_per_second=8,
            )
            self._live.start()

    def close(self) -> None:
        """End the live view."""
        with self._guard:
            live, self._live = self._live, None
            self._rows.clear()
            self._waiting.clear()
        if live:
            live.stop()

    def _write(self, stream: TextIO, text: str, *, style: str | None) -> None:
        if self._live:
            self._live.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
        else:
            encoding = stream.encoding or "utf-8"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()

    def _count(self, subject: str, size: int) -> None:
        for row in (subject, _ALL):
            self._done[row] += size
        self._show(subject)

    def _show(self, subject: str) -> None:
        """Bring a subject's row and the sum of all up to date; a row is there while its subject moves."""
        if not self._live or not self._expected[subject]:
            return
        for row in (_ALL, subject):
            if row not in self._rows:
                layers = f" ({self._parts[row]} layers)" if self._parts[row] else ""
                self._rows[row] = self._bars.add_task(f"{row}{layers}", total=None)
            self._bars.update(self._rows[row], completed=self._done[row], total=self._expected[row])
        if self._done[subject] >= self._expected[subject]:
            self._bars.remove_task(self._rows.pop(subject))


@dataclass(slots=True, kw_only=True)
class _Wait:
    """What a step has waited for since `began`, and what was written of it last, and when."""

    began: float
    row: Any = None
    text: str = ""
    written: float = -math.inf

    def is_due(self, text: str, now: float) -> bool:
        """Whether a log is to be told by now; it is then taken as told."""
        pause = 2 * _AGAIN if text == self.text else _AGAIN
        due = now - self.began >= _FIRST and now - self.written >= pause
        if due:
            self.text, self.written = text, now
        return due


def flush() -> None:
    """Have everything on standard output go out; a BrokenPipeError where nobody reads it any more."""
    sys.stdout.flush()


class LocalWork:
    """A Meter for work on what is here already: shown as any other, and not counted as moved."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.expect = console.expect
        self.advance = console.worked
        self.reuse = console.worked
        self.say = console.say
