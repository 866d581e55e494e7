"""A blob that lies at a registry that does wrong on demand."""

import pytest

from tests.fixtures.connections import DATA
from tests.fixtures.servers.faulty_registry import FaultyRegistry


@pytest.fixture
def blob(faulty: FaultyRegistry) -> str:
    """The address of a blob with DATA."""
    return f"{faulty.url}/v2/team/app/blobs/{faulty.put_blob(DATA)}"
