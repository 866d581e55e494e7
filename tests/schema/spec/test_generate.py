"""What a spec says of installing, as data."""

import pytest

from bundle.errors import FormatError
from schema.spec.generate import Generate


@pytest.mark.parametrize("text", ["hex64", "alnum1", "hex999"])
def test_generate_round_trips(text: str) -> None:
    assert str(Generate.parse(text)) == text


@pytest.mark.parametrize("text", ["", "hex", "hex0", "hex1000", "base64", "hex٣", "HEX64", "alnum-1"])
def test_refused_generate(text: str) -> None:
    with pytest.raises(FormatError):
        Generate.parse(text)
