"""What is printed without a terminal."""

import io

import pytest

from tasks.runtime.console import Console, LocalWork


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
    assert "api (3 layers)" in text
    assert "all" in text
    assert "2.0 MB" in text
    assert "pull:other done" in text
    assert text.endswith("after\n")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True
