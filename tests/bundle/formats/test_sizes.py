"""Numbers of bytes as people read them."""

import pytest

from bundle.formats.sizes import counted, human


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1536, "1.5 KB"),
        (99_400, "99.4 KB"),
        (150_000, "150 KB"),
        (999_600, "1.0 MB"),
        (1_450_000_000, "1.4 GB"),
        (3_221_225_472, "3.2 GB"),
        (12_000_000_000_000_000, "12000 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_how_many(number: int, text: str) -> None:
    assert counted(number, "image") == text
