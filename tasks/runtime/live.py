"""A terminal: its live view, with a row for each transfer and each step that takes its time, and what it asks."""

import getpass
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

from bundle.formats.sizes import human
from schema.site.uses import is_user

_ROOM = 34  # columns besides a name: bar, bytes, and what lies between
_LEAST = 12  # characters of a name


class LiveView:
    """Rows that are shown below the lines of a run and vanish at its end; needs rich, else an ImportError."""

    def __init__(self, out: TextIO) -> None:
        from rich import console, live, progress, table  # a run with nothing to do never needs it

        width = shutil.get_terminal_size().columns
        wide = width >= 90
        one_line = table.Column(no_wrap=True)
        name = table.Column(
            no_wrap=True, overflow="ellipsis", max_width=max(_LEAST, width - _ROOM - (22 if wide else 0))
        )
        text = table.Column(no_wrap=True, overflow="ellipsis", max_width=max(_LEAST, width - 9))
        speed = progress.TransferSpeedColumn(table_column=one_line)
        remaining = progress.TimeRemainingColumn(table_column=one_line)
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False, table_column=name),
            progress.BarColumn(bar_width=16 if width >= 60 else 6, table_column=one_line),
            progress.DownloadColumn(table_column=one_line),
            *((speed, remaining) if wide else ()),
        )
        self._texts = progress.Progress(
            progress.TimeElapsedColumn(), progress.TextColumn("{task.description}", markup=False, table_column=text)
        )
        self._sum: Any = None
        self._began = time.monotonic()
        self._live = live.Live(
            console.Group(self._bars, self._texts),
            console=console.Console(file=out, width=width),
            transient=True,
            refresh_per_second=8,
        )
        self._live.start()

    def bar(self, text: str) -> Any:
        """A new row with a bar, without a size so far."""
        return self._bars.add_task(text, total=None)

    def fill(self, row: Any, *, done: int, expected: int) -> None:
        """Bring a bar up to date."""
        self._bars.update(row, completed=min(done, expected), total=expected)

    def drop_bar(self, row: Any) -> None:
        """End a row with a bar."""
        self._bars.remove_task(row)

    def text(self, text: str) -> Any:
        """A new row with the time since now."""
        return self._texts.add_task(text, total=None)

    def change(self, row: Any, text: str) -> None:
        """Change the text of such a row."""
        self._texts.update(row, description=text)

    def drop_text(self, row: Any) -> None:
        """End such a row."""
        self._texts.remove_task(row)

    def sums(self, moved: int, reused: int) -> None:
        """What came and went in all. It has no total: what is still to come is not known before it begins."""
        if self._sum is None:
            self._sum = self._texts.add_task("", total=None)
        rate = human(moved / max(1.0, time.monotonic() - self._began))
        kept = f", {human(reused)} already present" if reused else ""
        self._texts.update(self._sum, description=f"all: {human(moved)} transferred{kept}, {rate}/s")

    def print(self, text: str, *, style: str | None) -> None:
        """A line above the rows."""
        self._live.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        """Show the rows as they are now."""
        self._live.refresh()

    def stop(self) -> None:
        """Take the rows away."""
        self._live.stop()


def reader(asking: Callable[[], AbstractContextManager[None]]) -> Callable[[str], str] | None:
    """Asks the person at this terminal, without echo but for the name of a user; None without a terminal.

    Each question is put in the context that `asking` gives: nothing else is shown meanwhile.
    """

    def ask(prompt: str) -> str:
        with asking():
            return input(prompt) if is_user(prompt.partition(" ")[0]) else getpass.getpass(prompt)

    return ask if sys.stdin is not None and sys.stdin.isatty() else None
