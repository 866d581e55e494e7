"""For all tests: a registry that does wrong on demand, a small project, and AIRGAP_REQUIRE_PARTS=1: no skips.

At their end no socket is left open: the interpreter's exit would say so where nobody looks.
"""

import gc
import os
import signal
import socket
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.servers.faulty_registry import FaultyRegistry, faulty_registry


def pytest_configure() -> None:
    """Started in the background or by nohup, we ignore signals; the programs that tests start must not inherit that."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip is a failure in CI: a missing part must not look like a pass."""
    report = yield
    if os.environ.get("AIRGAP_REQUIRE_PARTS") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"AIRGAP_REQUIRE_PARTS=1, but this was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _no_socket_is_left_open() -> Iterator[None]:
    """Set up before all that lasts as long as the tests, and so looked at after it is gone."""
    yield
    deadline = time.monotonic() + 30  # a server's side of a connection is closed a moment after its client's
    while (found := _open_sockets()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == []


def _open_sockets() -> list[socket.socket]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() >= 0]


@pytest.fixture
def faulty() -> Iterator[FaultyRegistry]:
    with faulty_registry() as registry:
        yield registry


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A project with two small images, a chart and a file."""
    return make(tmp_path / "project")
