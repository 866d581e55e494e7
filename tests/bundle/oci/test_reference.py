"""References: read as Docker reads them, written in full."""

import pytest

from bundle.errors import FormatError
from bundle.oci.digest import Digest
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
