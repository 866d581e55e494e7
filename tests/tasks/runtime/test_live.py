"""The rows of a terminal."""

import io

import pytest

from tasks.runtime.console import Console
from tasks.runtime.live import LiveView, reader


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_rows_fit_and_vanish(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    view = LiveView(out)
    row = view.bar("an-image-with-a-name (12 blobs)")
    view.fill(row, done=1_500_000, expected=2_000_000)
    waits = view.text("helm:web: waits")
    view.change(waits, "helm:web: image [a/b]:1 is being pulled")
    view.sums(12_000_000, 500)
    view.print("a line [of] markup", style=None)
    view.drop_bar(row)
    view.drop_text(waits)
    view.stop()
    assert "1.5/2.0 MB" in out.getvalue()
    assert "an-image-w" in out.getvalue()
    assert "helm:web: image [a/b]:1" in out.getvalue()
    assert "all: 12.0 MB transf" in out.getvalue()
    assert "a line [of] markup" in out.getvalue()
    assert "\x1b[?25h" in out.getvalue()[-20:], "the cursor is back"


def test_who_is_asked_sees_a_user_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(io.StringIO(), io.StringIO())
    monkeypatch.setattr("sys.stdin", io.StringIO("robot\n"))
    assert reader(console.asking) is None, "nobody is there"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"hidden {prompt}")
    ask = reader(console.asking)
    assert ask
    assert ask("REGISTRY_USER (secret 'pull'): ") == "robot"
    assert ask("REGISTRY_PASSWORD (secret 'pull'): ") == "hidden REGISTRY_PASSWORD (secret 'pull'): "
