"""A command or a webhook is told how an install ended."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import NetworkError
from clients.http.transport import Transport
from tasks.site.receiver import Receiver
from tasks.site.records.history import HistoryEntry, end
from tasks.site.records.hooks import call_hooks
from tests.fixtures.benches.receiving import ENV, receiving, said

SCRIPT = f"#!{sys.executable} -I\nimport pathlib, sys\npathlib.Path('told.json').write_text(sys.stdin.read())\n"


def installation(bundle: Path, state: Path, hooks: dict[str, Any], **given: str) -> Receiver:
    """One whose site file has these hooks, and a program told.py beside it."""
    state.mkdir(mode=0o700)
    (state / "site.yaml").write_text(json.dumps({"host": "h.example", "on": hooks}))
    (state / "told.py").write_text(SCRIPT)
    (state / "told.py").chmod(0o755)
    return receiving(bundle, state, env={**ENV, "CHAT": "https://chat.example/s3cret"}, **given)


def entry(receiver: Receiver, result: str = "done") -> HistoryEntry:
    found = end(receiver, result, "preflight: not ready" if result == "failed" else "")  # type: ignore[arg-type]
    assert found
    return found


@pytest.mark.parametrize(("result", "event"), [("done", "installed"), ("failed", "failed")])
def test_a_command_gets_the_record(carried_bundle: Path, tmp_path: Path, result: str, event: str) -> None:
    receiver = installation(carried_bundle, tmp_path / "state", {event: [["./told.py"]]})
    call_hooks(receiver, made := entry(receiver, result))
    assert json.loads((tmp_path / "state/told.json").read_text()) == made.to_dict()
    assert said(receiver) == ""


def test_others_are_told_nothing(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = installation(carried_bundle, tmp_path / "state", {"installed": [["./told.py"]]})
    made = entry(receiver)
    for other in (replace(made, result="failed"), replace(made, what="uninstall"), replace(made, result="stopped")):
        call_hooks(receiver, other)
    rehearsed = receiving(carried_bundle, tmp_path / "state", rehearsal="cluster", registry="http://127.0.0.1:5000/x")
    call_hooks(rehearsed, made)
    assert not (tmp_path / "state/told.json").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            [sys.executable, "-c", "import sys; sys.exit('ticket system is down')"],
            "ended with 1: ticket system is down",
        ),
        (["./gone.sh"], "gone.sh"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "failed: "),
    ],
)
def test_one_that_fails_is_a_warning_and_the_next_is_told(
    carried_bundle: Path, tmp_path: Path, command: list[str], told: str
) -> None:
    receiver = installation(carried_bundle, tmp_path / "state", {"installed": [command, ["./told.py"]]})
    call_hooks(receiver, entry(receiver), seconds=5.0 if "sleep" in command[-1] else 30.0)
    assert f"warning: hook '{command[0]}' failed: " in said(receiver)
    assert told in said(receiver)
    assert (tmp_path / "state/told.json").exists()


def test_a_webhook_gets_it_as_its_body(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, dict[str, Any]]] = []

    def attempt(_: Transport, method: str, url: str, *, body: bytes, **more: Any) -> None:
        seen.append((method, url, json.loads(body)))
        assert more["headers"] == {"Content-Type": "application/json"}
        if "chat" in url:
            raise NetworkError(f"{url} does not answer")

    monkeypatch.setattr(Transport, "attempt", attempt)
    hooks = {"installed": ["${env.CHAT}", "${env.NONE}", "https://t.example/x"]}
    receiver = installation(carried_bundle, tmp_path / "state", hooks)
    call_hooks(receiver, made := entry(receiver))
    record = made.to_dict()
    assert seen == [("POST", "https://chat.example/s3cret", record), ("POST", "https://t.example/x", record)]
    assert "warning: hook '${env.CHAT}' failed: *** does not answer" in said(receiver)
    assert "warning: hook '${env.NONE}' failed: ${env.NONE} holds no address of the web" in said(receiver)
