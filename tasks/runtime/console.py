"""The one place that prints: plain lines without a terminal, a live view with one. Neither is silent for long."""

import atexit
import math
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from bundle.formats.sizes import counted, human
from bundle.formats.visible import one_line, visible
from tasks.runtime.calling import as_called

if TYPE_CHECKING:
    from tasks.runtime.live import LiveView

_FIRST = 10.0  # seconds of a wait before a log is told of it
_AGAIN = 15.0  # seconds before it is told something else, twice as many before the same
_LONGEST = 240  # characters
_BEAT = 1.0  # seconds between two looks at whether anything was shown
_SILENCE = 4.0  # seconds after which a terminal is shown what runs
_LOG_SILENCE = 25.0  # seconds after which a log is told so
_SLOW = 2.0  # seconds after which a step without a bar gets a row
_NAMED = 3  # running steps that a log names


class Console:
    """Receives progress from all threads (bundle.meter.Meter) and shows it.

    `moved` and `reused` count bytes over the whole run.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._guard = threading.RLock()
        self._live: LiveView | None = None
        self._is_over = False
        self._asking = 0
        self._command = ""
        self._running: dict[str, _Running] = {}
        self._waiting: dict[str, _Wait] = {}
        self._rows: dict[str, Any] = {}
        self._parts: dict[str, int] = defaultdict(int)
        self._expected: dict[str, int] = defaultdict(int)
        self._done: dict[str, int] = defaultdict(int)
        self.moved = 0
        self.reused = 0
        self._started = self._shown = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time since the run began."""
        return time.monotonic() - self._started

    def watch(self, command: str) -> None:
        """Show from now on to the end of the process that this command runs, whenever nothing else is shown."""
        self._command = command
        atexit.register(self.close)
        threading.Thread(target=self._beats, name="heartbeat", daemon=True).start()

    def begin(self, step: str) -> None:
        """A step runs from now on."""
        with self._guard:
            self._running[step] = _Running(began=time.monotonic())

    def end(self, step: str) -> None:
        """A step is over."""
        with self._guard:
            found = self._running.pop(step, None)
            if found and found.row is not None and self._live:
                self._live.drop_text(found.row)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the body runs, a person is asked for something at this terminal: nothing is shown."""
        with self._guard:
            self._asking += 1
            self.close()
        try:
            yield
        finally:
            with self._guard:
                self._asking -= 1
                self._shown = time.monotonic()

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
            self._expected[subject] += size
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
                    self._live.drop_text(wait.row)
            elif self._live:
                if wait.row is None:
                    wait.row = self._live.text("")
                self._live.change(wait.row, f"{subject}: {shown}")
            elif wait.is_due(shown, time.monotonic()):
                seconds = time.monotonic() - wait.began
                self._write(self._out, f"   {subject}: waiting for {seconds:.0f} s: {shown}", style=None)

    @property
    def _is_terminal(self) -> bool:
        """Whether standard output is a terminal that can show a live view."""
        return self._out.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")

    def open(self) -> None:
        """Begin the live view, where there is a terminal for it and nobody is asked for anything."""
        with self._guard:
            if self._live or self._is_over or self._asking or not self._is_terminal:
                return
            try:
                from tasks.runtime.live import LiveView

                self._live = LiveView(self._out)
            except ImportError:
                return

    def close(self, *, for_good: bool = False) -> None:
        """End the live view; `for_good` says that threads which still work must not begin it again."""
        with self._guard:
            live, self._live = self._live, None
            self._is_over = self._is_over or for_good
            self._rows.clear()
            self._waiting.clear()
            for each in self._running.values():
                each.row = None
            if live:
                live.stop()

    def _write(self, stream: TextIO, text: str, *, style: str | None) -> None:
        self._shown = time.monotonic()
        if self._live:
            self._live.print(text, style=style)
        else:
            encoding = stream.encoding or "utf-8"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()

    def _beats(self) -> None:
        while not self._is_over:
            time.sleep(_BEAT)
            self.beat(time.monotonic())

    def beat(self, now: float) -> None:
        """Show what runs, where nothing has been shown for long; called every second."""
        with self._guard:
            silent = now - self._shown
            if self._asking or self._is_over:
                return
            if self._is_terminal:
                if silent >= _SILENCE:
                    self.open()
                self._show_running(now)
            elif silent >= _LOG_SILENCE:
                names = list(self._running) or [self._command]
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                sent = f", {human(self.moved)} transferred" if self.moved else ""
                running = f"   still running after {self.seconds:.0f} s: {', '.join(names[:_NAMED])}{more}{sent}"
                self._write(self._err, one_line(running), style=None)

    def _show_running(self, now: float) -> None:
        if not self._live:
            return
        if not self._running:
            self._running[self._command] = _Running(began=self._started)
        for name, each in self._running.items():
            if each.row is None and now - each.began >= _SLOW and name not in self._waiting:
                each.row = self._live.text(name)
                self._live.refresh()

    def _count(self, subject: str, size: int) -> None:
        self._done[subject] += size
        self._show(subject)

    def _show(self, subject: str) -> None:
        """Bring a subject's row and the sum of all up to date; a row is there while its subject moves."""
        expected, done = self._expected[subject], self._done[subject]
        if self._live and expected:
            if subject not in self._rows:
                parts = f" ({counted(self._parts[subject], 'blob')})" if self._parts[subject] else ""
                self._rows[subject] = self._live.bar(f"{subject}{parts}")
            self._live.fill(self._rows[subject], done=done, expected=expected)
            if self.moved or self.reused:
                self._live.sums(self.moved, self.reused)
        if expected and done >= expected:  # what is expected of it later begins anew
            for counts in (self._parts, self._expected, self._done):
                del counts[subject]
            if self._live and (row := self._rows.pop(subject, None)) is not None:
                self._live.drop_bar(row)


@dataclass(slots=True, kw_only=True)
class _Running:
    """A step that runs since `began`, and its row."""

    began: float
    row: Any = None


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
