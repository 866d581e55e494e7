"""Blobs on their way inside: into repositories, or into one load of a Docker Engine."""

import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bundle.errors import EngineError
from bundle.images.docker_load import LoadTogether
from bundle.metadata.manifest import ImageEntry
from bundle.transfer.handover import SpoiltError
from tasks.site.receiver import Receiver
from tasks.transfer.lacking import lacking_blobs
from tasks.transfer.way import EngineWay, NoWay, RegistryWay, Way, way
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import FaultyRegistry


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    return receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")


def pass_by(receiver: Receiver, chosen: Way, *, damaged: bool = False) -> None:
    """All blobs of the bundle come by."""
    for blob in sorted((receiver.carried.path / "images/blobs/sha256").iterdir()):
        digest = receiver.carried.bundle.digest(f"images/blobs/sha256/{blob.name}")
        if use := chosen.use(digest):
            use.take(blob.read_bytes())
            use.end(good=not damaged)


def test_into_the_registry(receiver: Receiver, faulty: FaultyRegistry) -> None:
    chosen = way(receiver)
    assert isinstance(chosen, RegistryWay)
    wanted = {str(each) for each in lacking_blobs(receiver)}
    pass_by(receiver, chosen)
    assert chosen.finish().endswith(" sent")
    assert {digest for _, digest in faulty.uploads.held} == wanted
    repositories = receiver.crossing.repositories
    assert {str(each) for each in (*repositories.sent("one"), *repositories.sent("two"))} == wanted
    assert isinstance(way(receiver), NoWay)


def test_what_was_sent_before_has_no_name(receiver: Receiver, faulty: FaultyRegistry) -> None:
    chosen = way(receiver)
    pass_by(receiver, chosen)
    assert chosen.abort().startswith("no image names the ")
    assert not faulty.manifests
    none = way(receiver)
    assert none.abort() == "nothing was sent"
    assert none.finish() == "nothing was lacking inside"


def test_nothing_of_what_is_damaged(receiver: Receiver, faulty: FaultyRegistry) -> None:
    chosen = way(receiver)
    pass_by(receiver, chosen, damaged=True)
    assert chosen.abort() == "nothing was sent"
    assert not faulty.uploads.held


class Engine:
    """Has no image; keeps the tar that it is given, or breaks off."""

    def __init__(self, receiver: Receiver, error: Exception | None = None) -> None:
        self._real = receiver.crossing.engine
        self._error = error
        self.data = b""
        self.spoilt = False

    def not_loaded(self, entry: ImageEntry) -> str:
        return "it is not there"

    def together(self, entries: Sequence[ImageEntry]) -> LoadTogether:
        return self._real.together(entries)

    def load_together(self, entries: Sequence[ImageEntry], tar: LoadTogether, pieces: Iterator[bytes]) -> None:
        if self._error:
            next(pieces)
            raise self._error
        try:
            for piece in pieces:
                self.data += piece
        except SpoiltError:
            self.spoilt = True
            raise
        assert len(self.data) == tar.size


def by_engine(bundle: Path, tmp_path: Path, error: Exception | None = None) -> tuple[Receiver, Engine]:
    receiver = receiving(bundle, tmp_path / "state", engine="docker")
    engine = Engine(receiver, error)
    receiver.crossing.__dict__["engine"] = engine
    return receiver, engine


def test_into_an_engine(carried_bundle: Path, tmp_path: Path) -> None:
    receiver, engine = by_engine(carried_bundle, tmp_path)
    chosen = way(receiver)
    assert isinstance(chosen, EngineWay)
    pass_by(receiver, chosen)
    chosen.check()
    assert b"manifest.json" not in engine.data, "no image can be made before all is good"
    assert chosen.finish() == "2 images loaded into the Docker Engine"
    with tarfile.open(fileobj=io.BytesIO(engine.data)) as tar:
        assert tar.getnames()[-1] == "manifest.json"


def test_an_engine_makes_nothing_of_what_is_damaged(carried_bundle: Path, tmp_path: Path) -> None:
    receiver, engine = by_engine(carried_bundle, tmp_path)
    chosen = way(receiver)
    pass_by(receiver, chosen, damaged=True)
    assert chosen.abort() == "the Docker Engine has made no image of what it was given"
    assert engine.spoilt
    assert b"manifest.json" not in engine.data


def test_an_engine_that_breaks_off(carried_bundle: Path, tmp_path: Path) -> None:
    receiver, _ = by_engine(carried_bundle, tmp_path, EngineError("no space left on device"))
    chosen = way(receiver)
    pass_by(receiver, chosen)
    with pytest.raises(EngineError, match="no space left"):
        chosen.finish()
    chosen.abort()
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]
