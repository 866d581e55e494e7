"""What is printed without a terminal."""

import io
import re
import time
from collections.abc import Sequence

import pytest

from tasks.runtime.console import Console, LocalWork
from tests.fixtures.made.hostile import HOSTILE


def test_plain_lines_without_a_terminal() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.open()
    console.expect("x", 100)
    console.advance("x", 60)
    console.reuse("x", 40)
    console.say("x", "trying again")
    console.line("done")
    console.problem("FAILED y")
    console.close()
    assert out.getvalue() == "   x: trying again\ndone\n"
    assert err.getvalue() == "FAILED y\n"
    assert (console.moved, console.reused) == (60, 40)


@pytest.mark.parametrize("value", [*HOSTILE, "a\x1b[2K\x1b[1Aall is good", "\udc80", "a\r\nb"])
def test_no_value_moves_the_cursor_or_forges_a_line(value: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.line(f"extra: {value}\nFORGED")
    console.say("x", value)
    console.text("one\n" + value.replace("\n", ""))
    console.problem(f"FAILED verify: {value}\nall as their checksums say")
    told = out.getvalue() + err.getvalue()
    assert told.replace("\n", "").isprintable()
    assert len(out.getvalue().splitlines()) == 4
    assert [line for line in err.getvalue().splitlines() if line[:1] != " "] == err.getvalue().splitlines()[:1]


def test_a_terminal_that_has_no_letters_of_ours_gets_escapes() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "ascii")
    Console(out, io.StringIO()).line("Grüße")
    assert raw.getvalue() == b"Gr\\xfc\\xdfe\n"


def test_work_on_what_is_here_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    console = Console(out, io.StringIO())
    console.open()
    work = LocalWork(console)
    work.expect("verify", 2_000_000)
    work.advance("verify", 1_500_000)
    work.say("verify", "a word")
    console.close()
    assert (console.moved, console.reused) == (0, 0)
    assert "1.5/2.0 MB" in out.getvalue()
    assert "verify: a word" in out.getvalue()


def test_a_terminal_sees_rows_with_layers_bytes_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    console = Console(out, io.StringIO())
    console.open()
    console.expect("api", 2_000_000, 3)
    console.advance("api", 500_000)
    console.line("pull:other done")
    console.advance("api", 1_500_000)
    console.close()
    console.line("after")
    text = out.getvalue()
    assert "api (3 blobs)" in text
    assert "all: 500 KB transferred" in text
    assert "0.5/2.0 MB" in text
    assert "pull:other done" in text
    assert text.endswith("after\n")


def waits_of(monkeypatch: pytest.MonkeyPatch, texts: Sequence[tuple[float, str]]) -> list[str]:
    """What a log is told of a wait, whose text changes at these seconds and is said every three."""
    out, clock = io.StringIO(), 0.0
    monkeypatch.setattr("tasks.runtime.console.time.monotonic", lambda: clock)
    console = Console(out, io.StringIO())
    for now in range(0, 100, 3):
        clock = float(now)
        console.waiting("helm:web", next(text for since, text in reversed(texts) if since <= now))
    console.waiting("helm:web", "")
    return out.getvalue().splitlines()


def test_a_log_is_told_of_a_wait_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits_of(monkeypatch, [(0, "pod a")]) == [
        "   helm:web: waiting for 12 s: pod a",
        "   helm:web: waiting for 42 s: pod a",
        "   helm:web: waiting for 72 s: pod a",
    ]
    assert waits_of(monkeypatch, [(0, "pod a"), (15, "pod b"), (18, "pod c")])[:3] == [
        "   helm:web: waiting for 12 s: pod a",
        "   helm:web: waiting for 27 s: pod c",
        "   helm:web: waiting for 57 s: pod c",
    ]
    assert waits_of(monkeypatch, [(0, "x" * 1000)])[0] == f"   helm:web: waiting for 12 s: {'x' * 240}..."


def test_a_short_wait_is_not_told_to_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    out, clock = io.StringIO(), 0.0
    monkeypatch.setattr("tasks.runtime.console.time.monotonic", lambda: clock)
    console = Console(out, io.StringIO())
    console.waiting("helm:web", "pod a")
    clock = 9.0
    console.waiting("helm:web", "pod a")
    console.waiting("helm:web", "")
    clock = 20.0
    console.waiting("helm:web", "pod a")  # another wait, which begins now
    assert out.getvalue() == ""


def test_a_terminal_sees_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    console = Console(out, io.StringIO())
    console.open()
    console.waiting("helm:web", "image [a/b]:1 is being pulled")
    console.line("push:other done")
    console.waiting("helm:web", "")
    console.close()
    console.waiting("helm:web", "")
    text = out.getvalue()
    assert "helm:web: image [a/b]:1 is being pulled" in text
    assert "waiting for" not in text
    assert "push:other done" in text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> "Terminal":
    """One of 60 columns."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


def test_sixty_columns_are_enough_for_names_and_bytes(terminal: "Terminal") -> None:
    console = Console(terminal, io.StringIO())
    console.open()
    console.expect("zenml-pro-dashboard-of-a-long-name", 2_000_000_000, 3)
    console.advance("zenml-pro-dashboard-of-a-long-name", 1_500_000_000)
    console.close()
    assert "zenml-pro-dashboard-of-a" in terminal.getvalue()
    assert "1.5/2.0 GB" in terminal.getvalue()
    assert "all: 1.5 GB transferred" in terminal.getvalue()
    assert all(len(line) <= 60 for line in seen(terminal.getvalue()))


def seen(text: str) -> list[str]:
    """The lines of a terminal's output without what moves the cursor and colours."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))


def test_what_a_subject_does_later_begins_anew(terminal: "Terminal") -> None:
    """A pull and a save of one image are two rows: the second one begins at nothing, not in the middle."""
    console = Console(terminal, io.StringIO())
    console.expect("api", 4_000_000)
    console.advance("api", 4_000_000)
    console.open()
    console.expect("api", 8_000_000)
    console.worked("api", 1_000_000)
    console.close()
    assert "1.0/8.0 MB" in terminal.getvalue()
    assert "5.0/" not in terminal.getvalue()


def test_a_closed_view_is_not_begun_again_by_a_thread_that_still_works(terminal: "Terminal") -> None:
    console = Console(terminal, io.StringIO())
    console.open()
    console.expect("api", 2_000_000)
    console.advance("api", 1_000_000)
    console.close(for_good=True)
    shown = terminal.getvalue()
    console.open()
    console.advance("api", 500_000)
    console.beat(time.monotonic() + 100)
    assert terminal.getvalue() == shown


def test_a_terminal_is_not_silent_for_five_seconds(terminal: "Terminal") -> None:
    console = Console(terminal, io.StringIO())
    console.begin("helm:web")
    now = time.monotonic()
    for second in range(1, 4):
        console.beat(now + second)
    assert terminal.getvalue() == ""
    console.beat(now + 5)
    console.end("helm:web")
    console.close()
    assert "helm:web" in terminal.getvalue()


def test_nobody_is_disturbed_who_is_asked_for_something(terminal: "Terminal") -> None:
    console = Console(terminal, io.StringIO())
    console.begin("sign")
    console.open()
    with console.asking():
        shown = terminal.getvalue()
        console.open()
        console.beat(time.monotonic() + 100)
        assert terminal.getvalue() == shown


def test_a_log_is_not_silent_for_thirty_seconds() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.begin("pull:api")
    console.advance("api", 12_000_000)
    now = time.monotonic()
    for second in range(60):
        console.beat(now + second)
    assert out.getvalue() == "", "what programs read is not disturbed"
    told = err.getvalue().splitlines()
    assert told
    assert all(line.startswith("   still running after ") for line in told)
    assert all(line.endswith(" s: pull:api, 12.0 MB transferred") for line in told)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True
