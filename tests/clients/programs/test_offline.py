"""Programs without a network."""

import socket
import sys

import pytest

from clients.programs.offline import offline_prefix
from clients.programs.process import run


@pytest.mark.skipif(not offline_prefix(), reason="this machine gives no network namespace")
def test_a_program_reaches_nobody_not_even_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        argv = [sys.executable, "-c", program]
        assert run(argv, subject="it", timeout=30).code == 0
        done = run([*offline_prefix(), *argv], subject="it", timeout=30)
    assert done.code != 0
    assert "unreachable" in done.stderr


def test_it_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = offline_prefix()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert offline_prefix() is first
