"""Versions are compared by their numbers alone."""

import pytest

from bundle.errors import FormatError
from bundle.formats.versions import Version


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1.32", "1.32.0"),
        ("v1.32.4", "1.32.4"),
        (" v1.32.4-gke.100\n", "1.32.4-gke.100"),
        ("3.20.0+g1234", "3.20.0+g1234"),
        ("8.0.36-0ubuntu0.22.04.1", "8.0.36-0ubuntu0.22.04.1"),
    ],
)
def test_a_version_is_read(text: str, canonical: str) -> None:
    assert str(Version.parse(text)) == canonical
    assert str(Version.parse(canonical)) == canonical


@pytest.mark.parametrize("text", ["", "1", "v1", "latest", "x1.2", "\u0661.\u0662"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(FormatError, match="is no version"):
        Version.parse(text)


def test_numbers_are_compared_as_numbers_and_the_rest_not() -> None:
    ordered = ["1.9", "1.10", "1.10.1", "2.0"]
    assert sorted(map(Version.parse, reversed(ordered))) == [Version.parse(text) for text in ordered]
    assert Version.parse("1.2.3-rc1") == Version.parse("v1.2.3")
    assert not Version.parse("1.2.3-rc1") < Version.parse("1.2.3")
