"""What is to be sent: by what is there, and by what was asked for."""

from pathlib import Path

import pytest

from bundle.errors import RegistryError
from bundle.formats import strict_json
from bundle.transfer.image import walk_manifests
from tasks.site.receiver import Receiver
from tasks.transfer.lacking import asked_for, lacking_blobs, lacking_images
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


def made(bundle: Path, tmp_path: Path, faulty: FaultyRegistry, *words: str, **given: str) -> Receiver:
    return receiving(bundle, tmp_path / "state", registry=f"http://{faulty.host}/team", words=words, **given)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["one", "two"]),
        (["install", "site=x"], ["one", "two"]),
        (["plan", "install"], ["one", "two"]),
        (["push"], ["one", "two"]),
        (["push:one"], ["one"]),
        (["run", "push:two", "state=push:one"], ["two"]),
        (["load:two"], ["two"]),
        (["push:chart-app"], []),
        (["namespace:app", "secret"], []),
        (["secret:login", "push:one"], ["one"]),
        (["push:one", "health:app"], ["one", "two"]),
        (["values:app"], ["one", "two"]),
    ],
)
def test_what_is_asked_for(
    carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry, words: list[str], names: list[str]
) -> None:
    assert [each.name for each in asked_for(made(carried_bundle, tmp_path, faulty, *words))] == names


def blobs(receiver: Receiver, name: str) -> set[str]:
    entry = next(each for each in receiver.carried.bundle.manifest.images if each.name == name)
    manifests = walk_manifests(receiver.crossing.source(entry).manifest, entry.root, "image")
    return {str(blob.digest) for each in manifests for blob in each.children()}


def test_an_empty_registry_lacks_all_each_once(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> None:
    receiver = made(carried_bundle, tmp_path, faulty)
    found = lacking_blobs(receiver)
    assert {str(each) for each in found} == blobs(receiver, "one") | blobs(receiver, "two")
    shared = blobs(receiver, "one") & blobs(receiver, "two")
    assert shared
    assert {found[each].image for each in found if str(each) in shared} == {"one"}


def test_what_is_there_is_not_sent(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> None:
    receiver = made(carried_bundle, tmp_path, faulty)
    there = sorted(blobs(receiver, "one"))[0]
    faulty.uploads.held["team/one", there] = b""
    assert there not in {str(each) for each in lacking_blobs(receiver)}


def test_what_has_its_manifest_is_whole(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> None:
    receiver = made(carried_bundle, tmp_path, faulty)
    for entry in receiver.carried.bundle.manifest.images:
        raw = receiver.crossing.source(entry).manifest(entry.root)
        kind = strict_json.decode(raw, "manifest")["mediaType"]
        faulty.put_manifest(f"team/{entry.name}", "other" if entry.name == "one" else "1.0", raw, kind)
    assert lacking_blobs(receiver) == {}
    assert not faulty.requests("HEAD /v2/team/one/blobs")
    assert not faulty.requests("HEAD /v2/team/two/blobs")


def test_a_registry_that_does_not_tell(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> None:
    faulty.plan("HEAD ", *[refusal(403, "DENIED", "no")] * OFTEN)
    with pytest.raises(RegistryError):
        lacking_blobs(made(carried_bundle, tmp_path, faulty))


def test_an_engine_is_asked_for_each(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> None:
    receiver = made(carried_bundle, tmp_path, faulty, engine="docker")

    class Engine:
        def not_loaded(self, entry: object) -> str:
            return "" if entry.name == "one" else "it is not there"  # type: ignore[attr-defined]

    receiver.crossing.__dict__["engine"] = Engine()
    assert [each.name for each in lacking_images(receiver)] == ["two"]
