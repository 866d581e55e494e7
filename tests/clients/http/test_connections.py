"""Connections that are kept."""

import pytest

from bundle.errors import RegistryError
from clients.http.transport import Transport
from tests.fixtures.connections import fetch, get
from tests.fixtures.servers.faulty_registry import FaultyRegistry, redirect


def test_connections_are_kept(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    """Also after refusals and redirects, whose bodies are read to the end."""
    faulty.plan("GET /r", redirect(blob))
    get(transport, f"{faulty.url}/r")
    with pytest.raises(RegistryError):
        get(transport, f"{faulty.url}/v2/none/manifests/1")
    fetch(transport, blob)
    assert faulty.connections == 1
