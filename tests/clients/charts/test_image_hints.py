"""Texts that may name an image."""

import pytest

from clients.charts._image_hints import suspects


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("quay.io/a/b:1", "", ["quay.io/a/b:1"]),
        (f"quay.io/a/b@sha256:{'0' * 64}", "", [f"quay.io/a/b@sha256:{'0' * 64}"]),
        ("quay.io/a/b", "", []),
        ("quay.io/a/b", "WORKER_IMAGE", ["quay.io/a/b"]),
        ("redis:7", "WORKER_IMAGE", ["redis:7"]),
        ("redis:7", "CACHE", []),
        ("a/b:v1.2", "", ["a/b:v1.2"]),
        ("a/b:c", "", []),
        ("use a/b:1 there", "", []),
        ("run quay.io/a/b:1, then localhost:5000/c:2.", "", ["quay.io/a/b:1", "localhost:5000/c:2"]),
        ("https://quay.io/a/b:1", "IMAGE_URL", []),
        ("Always", "IMAGE_PULL_POLICY", []),
        ("regcred:x", "imagePullSecrets", []),
        ("/var/images:1", "IMAGE_DIR", []),
        ("png", "IMAGE_FORMAT", []),
        ("x" * 600 + ".io/a:1", "", []),
        ("", "IMAGE", []),
    ],
)
def test_what_is_suspected_in_a_text(text: str, key: str, found: list[str]) -> None:
    assert list(suspects(text, key=key)) == found
