"""A network namespace of a rehearsal's own."""

import socket
import subprocess
import sys

import pytest

from tests.fixtures.places import ROOT

PROGRAM = f"""
import socket, sys
sys.path.insert(0, {str(ROOT)!r})
from clients.sandbox.network import isolate
from clients.sandbox.egress import OutsideWatch
if reason := isolate():
    sys.exit("SKIP " + reason)
with OutsideWatch() as watch, socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
    for place in (("192.0.2.7", 443), ("quay.example", 80)):
        try:
            socket.create_connection(place, 5).close()
        except OSError as err:
            print(type(err).__name__)
print(*watch.attempts, sep="\\n")
"""


@pytest.mark.skipif(not hasattr(socket, "AF_PACKET"), reason="network namespaces are Linux's")
def test_a_namespace_lets_nothing_out_and_sees_who_tries() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    if done.stderr.startswith("SKIP"):
        pytest.skip(done.stderr)
    refused, unknown, *attempts = done.stdout.splitlines()
    assert (refused, unknown) == ("ConnectionRefusedError", "gaierror"), done.stderr
    assert attempts[0] == "192.0.2.7:443"
    assert all("quay.example" in each for each in attempts[1:])
    assert not any("127.0.0.1" in each for each in attempts)
