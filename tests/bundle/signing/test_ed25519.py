"""RFC 8032, section 7.1, and signatures that some readers take and others do not."""

import pytest

from bundle.signing import _ed25519 as ed25519
from bundle.signing._ed25519 import verify

# Section 7.1: TEST 1, TEST 2, TEST 3, TEST SHA(abc).
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
KEY, MESSAGE, SIGNATURE = (bytes.fromhex(text) for text in VECTORS["TEST 3"])
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[name])
    assert verify(key, message, signature)


@pytest.mark.parametrize("name", VECTORS)
def test_any_changed_bit_counts(name: str) -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[name])
    assert not verify(key, message + b"\0", signature)
    for bit in (0, 77, 255, 256, 300, 500):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify(key, message, bytes(changed)), bit
    for bit in (0, 100, 255):
        other = bytearray(key)
        other[bit // 8] ^= 1 << bit % 8
        assert not verify(bytes(other), message, signature), bit


def _with_s(s: int) -> bytes:
    return SIGNATURE[:32] + s.to_bytes(32, "little")


@pytest.mark.parametrize("times", [1, 2, 7])
def test_an_s_that_is_not_reduced_is_refused(times: int) -> None:
    s = int.from_bytes(SIGNATURE[32:], "little")
    assert verify(KEY, MESSAGE, _with_s(s))
    assert not verify(KEY, MESSAGE, _with_s(s + times * ORDER))


# All points of small order (RFC 7748's note, libsodium's list), and encodings of them that are not canonical.
SMALL = [
    0,
    1,
    2707385501144840649318225287225658788936804267575313519463743609750303021422,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
    PRIME - 1,
    PRIME,
    PRIME + 1,
]


@pytest.mark.parametrize("y", SMALL)
@pytest.mark.parametrize("sign", [0, 1])
def test_a_key_of_small_order_signs_nothing(y: int, sign: int) -> None:
    """With such a key, S = 0 and R = the key (or zero) fits one message in eight."""
    key = (y | sign << 255).to_bytes(32, "little")
    for r in (key, (1).to_bytes(32, "little")):
        assert not any(verify(key, bytes([number]), r + bytes(32)) for number in range(64))


def test_the_point_of_a_key_must_be_canonical() -> None:
    """y = 3 stands for a point; y = 3 + p is another writing of it."""
    assert ed25519._decode((3).to_bytes(32, "little")) is not None
    assert ed25519._decode((3 + PRIME).to_bytes(32, "little")) is None


@pytest.mark.parametrize(
    ("key", "signature"),
    [(KEY[:-1], SIGNATURE), (KEY + b"\0", SIGNATURE), (KEY, SIGNATURE[:-1]), (KEY, SIGNATURE + b"\0"), (b"", b"")],
)
def test_other_lengths(key: bytes, signature: bytes) -> None:
    assert not verify(key, MESSAGE, signature)
