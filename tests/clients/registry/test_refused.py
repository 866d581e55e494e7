"""The cause decides the words: a repository that is not there, a tag of one that is, a login that is wrong."""

import pytest

from bundle.errors import RegistryError
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from clients.registry.repository import Registries
from tests.fixtures.servers.faulty_registry import Fault, FaultyRegistry, instead, refusal

SUBJECT = "image 'app'"
ABSENT = Digest.of(b"absent")


def hint(registries: Registries, faulty: FaultyRegistry, rest: str) -> str:
    source = registries.repository(Reference.parse(f"{faulty.host}/{rest}"), subject=SUBJECT)
    with pytest.raises(RegistryError, match=f"^{SUBJECT}: {faulty.host} answered 404 Not Found") as caught:
        source.resolve()
    return caught.value.hint


@pytest.mark.parametrize(
    ("rest", "tags", "words"),
    [
        pytest.param("team/app:1.2", ["1.2.0", "1.2.1", "x"], "has no tag '1.2'; near it are 1.2.1, 1.2.0", id="near"),
        pytest.param("team/app", ["1.0"], "has no tag 'latest'; it has 1 other tag", id="no tag"),
        pytest.param(f"team/app@{ABSENT}", ["1"], f"is there, and has no digest {ABSENT}", id="digest"),
        pytest.param("team/web:1", ["1"], "has no repository team/web, or shows it only after a login", id="name"),
    ],
)
@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", ""])
def test_what_is_not_there(
    registries: Registries, faulty: FaultyRegistry, rest: str, tags: list[str], words: str, code: str
) -> None:
    """Whatever the registry's own code is: distribution has one for both."""
    for tag in tags:
        faulty.put_image("team/app", tag)
    faulty.plan("/manifests/", *[refusal(404, code, "not here")] * 2)
    told = hint(registries, faulty, rest)
    assert words in told
    assert len(faulty.requests("/tags/list")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(403, "DENIED", "no lists"), id="refused"),
        pytest.param(refusal(429, "TOOMANYREQUESTS", "later"), id="limited"),
        pytest.param(instead(200, b"<html>"), id="no JSON"),
        pytest.param(instead(200, b"x" * (1024 * 1024 + 1)), id="too long"),
    ],
)
def test_no_list_of_tags(registries: Registries, faulty: FaultyRegistry, answer: Fault, pauses: list[float]) -> None:
    faulty.put_image("team/app", "1")
    faulty.plan("/tags/list", answer)
    told = hint(registries, faulty, "team/app:2")
    assert told == (f"check the tag: {faulty.host}/team/app has no tag '2', or is no repository there (check the name)")
    assert pauses == []


@pytest.mark.parametrize("tags", [b'{"tags": null}', b'{"name": "team/app"}', b"[]"])
def test_a_repository_without_tags(registries: Registries, faulty: FaultyRegistry, tags: bytes) -> None:
    faulty.put_image("team/app", "1")
    faulty.plan("/tags/list", instead(200, tags))
    assert hint(registries, faulty, "team/app:2").endswith("has no tag '2'; it has none")


def test_a_blob_is_no_matter_of_tags(registries: Registries, faulty: FaultyRegistry) -> None:
    image = faulty.put_image("team/app", "1")
    source = registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    faulty.plan("/blobs/", refusal(404, "BLOB_UNKNOWN", "gone"))
    with pytest.raises(RegistryError, match="BLOB_UNKNOWN"):
        b"".join(source.read(image, 0))
    assert not faulty.requests("/tags/list")
