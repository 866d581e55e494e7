"""What stands in for what a delta leaves out, or why nothing can."""

from pathlib import Path

import pytest

from bundle.errors import SourceError
from tasks.rehearsal.base import stand_in
from tasks.site.receiver import Receiver
from tests.fixtures.benches.deltas import BIG, BLOB
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import FaultyRegistry


@pytest.fixture
def receiver(delta: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    return receiving(delta, tmp_path / "state", registry=f"http://{faulty.host}/team")


def test_what_is_left_out_comes_from_the_cache(receiver: Receiver, delta: Path, faulty: FaultyRegistry) -> None:
    told = stand_in(receiver, delta.parent.parent / ".airgap/cache")
    assert told.startswith("1 layers (")
    assert told.endswith(" that the delta leaves out were put into the registry here, from the cache")
    assert faulty.uploads.held["team/one", str(BLOB.digest)] == BIG.data
    assert receiver.crossing.inside
    assert list(receiver.crossing.inside.lacking()) == []


def test_elsewhere_than_it_was_made_nothing_can(receiver: Receiver, tmp_path: Path, faulty: FaultyRegistry) -> None:
    with pytest.raises(SourceError, match="leaves out 1 layers, and 1 of them are not in the cache here") as caught:
        stand_in(receiver, tmp_path / "another")
    assert "rehearse it where it was made (state=DIR names the cache)" in caught.value.hint
    assert not faulty.uploads.held


def test_a_full_bundle_needs_none(carried_bundle: Path, tmp_path: Path) -> None:
    assert stand_in(receiving(carried_bundle, tmp_path / "state"), tmp_path / "no-cache") == ""
