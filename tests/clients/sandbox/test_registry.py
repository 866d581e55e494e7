"""Programs that serve for a while: waited for, told when they do not come up, and gone afterwards."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from bundle.errors import ProgramError
from clients.sandbox.registry import serving, throwaway_registry

SERVES = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
GIVES_UP = "import sys; print('the port is taken'); sys.exit(1)"


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_is_there_until_the_end(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    argv = [sys.executable, "-c", SERVES, str(told)]
    with serving(argv, tmp_path / "log", ready=lambda: told.exists() and bool(told.read_text())):
        number = int(told.read_text())
        assert is_there(number)
    assert not is_there(number)


def test_a_program_that_gives_up_is_told_with_what_it_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", GIVES_UP]
    with (
        pytest.raises(ProgramError, match="for the rehearsal does not come up: the port is taken"),
        serving(argv, tmp_path / "log", ready=lambda: False),
    ):
        pass


def test_without_the_real_registry_there_is_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with throwaway_registry(tmp_path / "registry") as (kind, host):
        assert kind == "the built-in registry"
        assert host.startswith("127.0.0.1:")
