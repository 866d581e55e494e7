"""Fields that name an image, whole or in pieces."""

import pytest

from clients.charts._image_fields import FIELDS, image_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a:1 ", "a:1"),
        ({"repository": "a/b"}, "a/b"),
        ({"registry": "q.io/", "repository": "a/b", "tag": "1"}, "q.io/a/b:1"),
        ({"repository": "a", "tag": "1", "digest": f"sha256:{'0' * 64}"}, f"a:1@sha256:{'0' * 64}"),
        ({"repository": "a", "sha": "0" * 64}, f"a@sha256:{'0' * 64}"),
        ({"repository": "nvcr.io/nvidia", "image": "driver", "version": "550"}, "nvcr.io/nvidia/driver:550"),
        ({"name": "a", "tag": "1"}, "a:1"),
        ({"name": "a"}, ""),
        ({"tag": "1"}, ""),
        ({"repository": None, "tag": None}, ""),
        (["a:1"], ""),
        (None, ""),
    ],
)
def test_an_image_in_pieces(value: object, text: str) -> None:
    assert image_text(value) == text


def test_the_table_names_each_field_once() -> None:
    assert len({(field.group, field.kind, str(field.path)) for field in FIELDS}) == len(FIELDS)
