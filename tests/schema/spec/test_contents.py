"""Images, charts and files of a spec, as data."""

from pathlib import Path

import pytest

from schema.spec.contents import parse_file_source


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://h/f", "https://h/f"), ("http://h/f", "http://h/f"), ("f", Path("base/f")), ("/f", Path("/f"))],
)
def test_file_sources(text: str, expected: str | Path) -> None:
    assert parse_file_source(text, Path("base")) == expected
