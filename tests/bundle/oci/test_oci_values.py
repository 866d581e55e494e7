"""Digests, references, platforms, descriptors: what is read, what it is written as, what is refused."""

import pytest

from bundle.errors import FormatError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference

HEX = "ab" * 32
SHA = f"sha256:{HEX}"

REFERENCES = [
    ("nginx", "docker.io/library/nginx"),
    ("nginx:1.27", "docker.io/library/nginx:1.27"),
    ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
    ("docker.io/nginx", "docker.io/library/nginx"),
    ("index.docker.io/nginx", "docker.io/library/nginx"),
    ("host:5000/x:tag", "host:5000/x:tag"),
    ("host:5000/x", "host:5000/x"),
    ("localhost/x", "localhost/x"),
    ("127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000/a/b/c:1"),
    ("[::1]:5000/x:1", "[::1]:5000/x:1"),
    (f"nginx@{SHA}", f"docker.io/library/nginx@{SHA}"),
    (f"quay.io/a/b:1.2@{SHA}", f"quay.io/a/b:1.2@{SHA}"),
    ("quay.io/a_b/c__d/e-f.g--h:1_2.3-4", "quay.io/a_b/c__d/e-f.g--h:1_2.3-4"),
]


@pytest.mark.parametrize(("text", "canonical"), REFERENCES, ids=[text for text, _ in REFERENCES])
def test_reference_reads_and_round_trips(text: str, canonical: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == canonical
    assert Reference.parse(canonical) == reference


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no repository path"),
        ("quay.io/", "no repository path"),
        ("quay.io/Foo", "lower case"),
        ("Foo", "lower case"),
        ("quay.io/a//b", "no valid repository path"),
        ("quay.io/../etc", "no valid repository path"),
        ("quay.io/a:", "no valid tag"),
        ("quay.io/a:" + "x" * 129, "no valid tag"),
        ("quay.io/a:-x", "no valid tag"),
        ("quay.io/a@sha256:abc", "not a digest"),
        ("quay.io/a@md5:" + "0" * 32, "not a digest"),
        ("quay.io/" + "a" * 256, "at most 255"),
        ("-bad-.io:5000/x", "no valid registry host"),
        ("quay.io/a b", "no valid repository path"),
    ],
)
def test_reference_refuses(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Reference.parse(text)


def test_reference_parts() -> None:
    reference = Reference.parse("host:5000/team/app:1.0")
    assert (reference.repository, reference.name, reference.tag) == ("host:5000/team/app", "app", "1.0")
    assert str(reference.at(Digest.parse(SHA))) == f"host:5000/team/app:1.0@{SHA}"


@pytest.mark.parametrize("text", [SHA, "sha512:" + "0" * 128], ids=["sha256", "sha512"])
def test_digest_round_trips(text: str) -> None:
    assert str(Digest.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX}0",
        f"md5:{'0' * 32}",
        f"sha256:{'g' * 64}",
    ],
)
def test_digest_refuses(text: str) -> None:
    with pytest.raises(FormatError, match="not a digest"):
        Digest.parse(text)


def test_digest_of_bytes() -> None:
    digest = Digest.of(b"abc")
    assert digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest.matches(b"abc")
    assert not digest.matches(b"abd")


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "windows/amd64"])
def test_platform_round_trips(text: str) -> None:
    platform = Platform.parse(text)
    assert str(platform) == text
    assert Platform.from_dict(platform.to_dict()) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/amd64/v1/x", "Linux/amd64", "all"])
def test_platform_refuses(text: str) -> None:
    with pytest.raises(FormatError, match="not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("have", "want", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm/v6", "linux/arm", False),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_platform_variants(have: str, want: str, fits: bool) -> None:
    assert Platform.parse(have).satisfies(Platform.parse(want)) is fits


def test_descriptor_round_trips() -> None:
    data = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": SHA,
        "size": 7,
        "annotations": {"a": "b"},
        "platform": {"architecture": "arm", "os": "linux", "variant": "v7"},
    }
    assert Descriptor.from_dict(data).to_dict() == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "lacks a mediaType or a digest"),
        ({"mediaType": "x", "digest": 5, "size": 1}, "lacks a mediaType or a digest"),
        ({"mediaType": "x", "digest": SHA}, "size None"),
        ({"mediaType": "x", "digest": SHA, "size": -1}, "size -1"),
        ({"mediaType": "x", "digest": SHA, "size": True}, "size True"),
        ({"mediaType": "x", "digest": "sha256:../../etc", "size": 1}, "not a digest"),
    ],
)
def test_descriptor_refuses(data: dict[str, object], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Descriptor.from_dict(data)
