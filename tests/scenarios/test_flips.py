"""One flipped bit anywhere in a signed bundle is found, or changes nothing of what the bundle holds."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.archive.reader import open_bundle
from bundle.archive.verify import verify
from bundle.errors import AirgapError
from bundle.metadata.checksums import SIGNATURE, SUMS
from bundle.signing.signers import Signers
from bundle.signing.trust import SignedData, Trust
from tests.fixtures.made.checked import packed
from tests.fixtures.made.made_bundle import make_bundle
from tests.fixtures.parts.ssh_keys import Key, make_key

FLIPS = 700  # in each form of the bundle
SMALL = {SUMS, SIGNATURE, "demo-1.2.tar.sha256"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "release")


def in_python(data: SignedData) -> bool:
    return data.signature.verify(data.message)


def held(path: Path, trust: Trust) -> dict[str, bytes]:
    """What whoever installs the bundle gets, all of it compared with the signed list."""
    opened = open_bundle(path, vouch=trust)
    return {name: opened.read(name) for name in opened.names()}


def flips(files: list[Path], rng: random.Random) -> Iterator[tuple[Path, int, int]]:
    """Places of bits: half of them in the lists and the signature, where there are such, the others by size."""
    sizes = [path.stat().st_size for path in files]
    small = [path for path in files if path.name in SMALL]
    for number in range(FLIPS):
        path = rng.choice(small) if small and number % 2 else rng.choices(files, sizes)[0]
        yield path, rng.randrange(path.stat().st_size), 1 << rng.randrange(8)


@pytest.mark.parametrize("form", ["directory", "archive", "archive without its list", "parts"])
def test_every_flip_is_found_or_changes_no_content(tmp_path: Path, key: Key, form: str) -> None:
    root = make_bundle(tmp_path)
    (root / SIGNATURE).write_bytes(key.sign((root / SUMS).read_bytes()))
    path = root if form == "directory" else packed(root, split=20_000 if form == "parts" else None)
    if form == "archive without its list":
        path.with_name("demo-1.2.tar.sha256").unlink()
    files = (
        [each for each in root.rglob("*") if each.is_file()] if form == "directory" else list(tmp_path.glob("*.tar*"))
    )
    trust = Trust(signers=Signers.parse(key.line().encode(), label="signers"), required=True, check=in_python)
    verify(path, vouch=trust).raise_if_bad()
    good, unseen = held(path, trust), 0
    for file, at, bit in flips(sorted(files), random.Random(14)):
        before = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(before[:at] + bytes([before[at] ^ bit]) + before[at + 1 :])
        try:
            found = bool(verify(path, vouch=trust).findings)
        except AirgapError:
            found = True
        if not found:
            unseen += 1
            assert held(path, trust) == good, (file.name, at, bit)
        file.write_bytes(before)
    verify(path, vouch=trust).raise_if_bad()
    assert unseen < FLIPS / 10  # terminators and padding of headers, modes and dates, empty lines of the signature
