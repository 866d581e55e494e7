"""The one place that prints: plain lines without a terminal, a live view with one."""

import os
import sys
import threading
import time
from collections import defaultdict
from typing import Any, TextIO


class Console:
    """Receives progress from all threads (bundle.meter.Meter) and shows it.

    `moved` and `reused` count bytes over the whole run.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._guard = threading.Lock()
        self._live: Any = None
        self._rows: dict[str, Any] = {}
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
        """One line of result, on standard output, above the live view."""
        with self._guard:
            if self._live:
                self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                self._out.write(text + "\n")
                self._out.flush()

    def problem(self, text: str) -> None:
        """A failure, on standard error."""
        with self._guard:
            if self._live:
                self._live.console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)
            else:
                self._err.write(text + "\n")
                self._err.flush()

    def expect(self, subject: str, size: int) -> None:
        """Part of Meter."""
        with self._guard:
            self._expected[subject] += size
            self._show(subject)

    def advance(self, subject: str, size: int) -> None:
        """Part of Meter."""
        with self._guard:
            self.moved += size
            self._done[subject] += size
            self._show(subject)

    def reuse(self, subject: str, size: int) -> None:
        """Part of Meter."""
        with self._guard:
            self.reused += size
            self._done[subject] += size
            self._show(subject)

    def say(self, subject: str, message: str) -> None:
        """Part of Meter."""
        self.line(f"   {subject}: {message}")

    def open(self) -> None:
        """Begin the live view, when standard output is a terminal that can show one."""
        if self._live or not self._out.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
            return
        try:
            from rich.progress import (  # noqa: PLC0415 - a no-op run never needs it
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )
        except ImportError:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._live = Progress(*columns, transient=True)
        self._live.start()

    def close(self) -> None:
        """End the live view."""
        with self._guard:
            live, self._live = self._live, None
        if live:
            live.stop()

    def finish(self, subject: str) -> None:
        """Take a subject off the live view."""
        with self._guard:
            row = self._rows.pop(subject, None)
            if row is not None and self._live:
                self._live.remove_task(row)

    def _show(self, subject: str) -> None:
        if not self._live:
            return
        if subject not in self._rows:
            self._rows[subject] = self._live.add_task(subject, total=None)
        self._live.update(self._rows[subject], completed=self._done[subject], total=self._expected[subject] or None)
