"""Digests: one form, computed and compared."""

import re

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


@pytest.mark.parametrize("text", ["blake3:" + "0" * 64, "md5:1", "sha265:0", "multihash+base58:QmRZxt2b1F="])
def test_an_algorithm_that_is_not_supported_is_named(text: str) -> None:
    with pytest.raises(FormatError, match=f"but by {re.escape(text.partition(':')[0])}, which is not supported"):
        Digest.parse(text)


def test_digest_of_bytes() -> None:
    digest = Digest.of(b"abc")
    assert digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest.matches(b"abc")
    assert not digest.matches(b"abd")
