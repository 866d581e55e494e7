"""Digests: one form, computed and compared."""

import pytest

from bundle.errors import FormatError
from bundle.oci.digest import Digest

HEX = "ab" * 32


SHA = f"sha256:{HEX}"


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
