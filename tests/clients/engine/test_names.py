"""Which names on an Engine are ours: only those are ever taken away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.engine.engine import Engine
from clients.engine.names import EngineNames
from tests.fixtures.servers.fake_engine import FakeEngine, Handler, body, fake_engine

NAME = "registry.example.com/team/app:1"
OTHER = "registry.example.com/team/other:1"
STEP = "load:app"
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


class Images:
    """The images of a fake Engine: names with the IDs they stand for. An image without a name is only an ID."""

    def __init__(self, fake: FakeEngine, **names: str) -> None:
        self.fake = fake
        self.names: dict[str, str] = dict(names)
        self.ids: set[str] = set()
        fake.plan("GET /images/json", self._list)
        for name in (NAME, OTHER, OLD, NEW):
            fake.plan(f"GET /images/{name}/json", lambda handler, name=name: self._inspect(handler, name))
            fake.plan(f"DELETE /images/{name}", lambda handler, name=name: self._remove(handler, name))

    def put(self, name: str, found: str) -> None:
        self.names[name] = found
        self.ids.add(found)

    def _list(self, handler: Handler) -> None:
        body(200, [{"Id": each} for each in sorted(self.ids)])(handler)

    def _inspect(self, handler: Handler, name: str) -> None:
        found = self.names.get(name, name if name in self.ids else "")
        tags = [each for each, stands_for in self.names.items() if stands_for == found]
        answer = {"Id": found, "RepoTags": tags, "Os": "linux", "Architecture": "amd64"}
        (body(200, answer) if found else body(404, {"message": "No such image"}))(handler)

    def _remove(self, handler: Handler, name: str) -> None:
        found = self.names.pop(name, name)
        if found not in self.names.values():
            self.ids.discard(found)
        body(200, [])(handler)


@pytest.fixture
def images() -> Iterator[Images]:
    with fake_engine() as fake:
        yield Images(fake)


@pytest.fixture
def names(images: Images, tmp_path: Path) -> EngineNames:
    return EngineNames(tmp_path / "engine.json", Engine(images.fake.env))


def make(names: EngineNames, images: Images, name: str, found: str) -> None:
    """Give an image a name, as a step does."""
    with names.making(STEP, name, subject="image 'app'"):
        images.put(name, found)


def test_what_was_brought_goes_with_its_name(images: Images, names: EngineNames, tmp_path: Path) -> None:
    make(names, images, NAME, NEW)
    again = EngineNames(tmp_path / "engine.json", Engine(images.fake.env))
    assert again.made(STEP) == (NAME,)
    assert list(again.remove(STEP)) == [f"{NAME} removed from the Docker Engine"]
    assert (images.names, images.ids) == ({}, set())
    assert list(again.remove(STEP)) == []


def test_two_names_of_one_image_that_was_brought(images: Images, names: EngineNames) -> None:
    make(names, images, NAME, NEW)
    make(names, images, OTHER, NEW)
    assert len(list(names.remove(STEP))) == 2
    assert images.ids == set()


def test_a_name_that_was_there_before_stays(images: Images, names: EngineNames) -> None:
    images.put(NAME, NEW)
    make(names, images, NAME, NEW)
    assert names.made(STEP) == ()


def test_a_name_that_was_moved_from_somebody_elses_image_stays(images: Images, names: EngineNames) -> None:
    images.put(NAME, OLD)
    make(names, images, NAME, NEW)
    assert names.made(STEP) == ()


def test_an_image_that_was_there_before_keeps_its_last_name(images: Images, names: EngineNames) -> None:
    images.ids.add(NEW)
    make(names, images, NAME, NEW)
    (told,) = names.remove(STEP)
    assert told == f"{NAME} stays: the image was there before, and this is its only name"
    assert images.names == {NAME: NEW}


def test_an_image_that_only_got_one_more_name(images: Images, names: EngineNames) -> None:
    images.put(OTHER, NEW)
    make(names, images, NAME, NEW)
    assert list(names.remove(STEP)) == [f"{NAME} removed from the Docker Engine"]
    assert images.names == {OTHER: NEW}


def test_a_name_that_others_have_moved_since_stays(images: Images, names: EngineNames) -> None:
    make(names, images, NAME, NEW)
    images.put(NAME, OLD)
    assert list(names.remove(STEP)) == [f"{NAME} stays: it names another image by now"]


def test_what_lost_its_name_to_the_next_version_goes_too(images: Images, names: EngineNames) -> None:
    make(names, images, NAME, OLD)
    make(names, images, NAME, NEW)
    assert set(names.made(STEP)) == {NAME, OLD}
    assert len(list(names.remove(STEP))) == 2
    assert (images.names, images.ids) == ({}, set())


def test_what_is_gone_already(images: Images, names: EngineNames) -> None:
    make(names, images, NAME, NEW)
    images.names.clear()
    assert list(names.remove(STEP)) == [f"{NAME} is gone already"]


def test_what_the_engine_refuses_stays_ours(images: Images, names: EngineNames) -> None:
    make(names, images, NAME, NEW)
    images.fake.plan(f"DELETE /images/{NAME}", body(409, {"message": "a container uses it"}))
    (told,) = names.remove(STEP)
    assert told.startswith(f"{NAME} stays: ")
    assert "a container uses it" in told
    assert names.made(STEP) == (NAME,)


def test_another_engine_has_names_of_its_own(images: Images, names: EngineNames, tmp_path: Path) -> None:
    make(names, images, NAME, NEW)
    with fake_engine() as other:
        assert EngineNames(tmp_path / "engine.json", Engine(other.env)).made(STEP) == ()
