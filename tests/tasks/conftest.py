"""A finished bundle for tests of what is done with one on the far side."""

from pathlib import Path

import pytest

from tasks.site.receiver import Receiver
from tests.fixtures.benches.deltas import make_delta
from tests.fixtures.benches.receiving import make_carried, receiving


@pytest.fixture(scope="session")
def carried_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with two releases, an action between them, and secrets of each kind; nobody changes it."""
    return make_carried(tmp_path_factory.mktemp("carried") / "project").bundle


@pytest.fixture(scope="session")
def delta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delta of which one large layer is left out; nobody changes it."""
    return make_delta(tmp_path_factory.mktemp("delta"))


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path) -> Receiver:
    """An installation of that bundle, whose cluster is in memory."""
    return receiving(carried_bundle, tmp_path / "state")
