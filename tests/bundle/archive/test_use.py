"""Bytes that are used in the reading that compares them: the last ones only when all of them are good."""

import random

import pytest

from bundle.archive.use import Compared, Contained, Reading, Within
from bundle.oci.digest import Digest


class Taking:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.good: bool | None = None

    def take(self, data: bytes) -> None:
        assert self.good is None
        self.data += data

    def end(self, *, good: bool) -> None:
        assert self.good is None, "told twice"
        self.good = good


DATA = random.Random(1).randbytes(10_000)


def given(compared: Compared | Contained, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        compared.take(data[at : at + step])


@pytest.mark.parametrize("step", [1, 999, 10_000, 20_000])
def test_what_is_good_is_given_whole(step: int) -> None:
    taking = Taking()
    compared = Compared(Digest.of(DATA), taking)
    given(compared, DATA, step)
    assert taking.data != DATA, "its end waits until all are known"
    assert compared.end() == Digest.of(DATA)
    assert (taking.data, taking.good) == (DATA, True)


@pytest.mark.parametrize("other", [DATA[:-1], DATA + b"x", b"x" + DATA[1:], b""])
@pytest.mark.parametrize("step", [999, 20_000])
def test_the_last_of_what_is_not_good_is_kept_back(other: bytes, step: int) -> None:
    taking = Taking()
    compared = Compared(Digest.of(DATA), taking)
    given(compared, other, step)
    assert compared.end() == Digest.of(other)
    assert taking.good is False
    assert len(taking.data) < len(DATA)


def test_without_anybody_it_only_tells_the_digest() -> None:
    compared = Compared()
    given(compared, DATA, 999)
    assert compared.end() == Digest.of(DATA)
    Compared(Digest.of(DATA)).cut()


def test_nothing_at_all() -> None:
    taking = Taking()
    assert Compared(Digest.of(b""), taking).end() == Digest.of(b"")
    assert (taking.data, taking.good) == (b"", True)


def within(*places: tuple[int, int], damaged: bool = False) -> list[tuple[Within, Taking]]:
    found = []
    for start, size in places:
        digest = Digest.of(b"other" if damaged else DATA[start : start + size])
        taking = Taking()
        found.append((Within(start=start, size=size, digest=digest, use=taking), taking))
    return found


PLACES = [(0, 10), (10, 0), (10, 1), (512, 3000), (3512, 5), (4000, 0), (5000, 4000), (9999, 1)]


@pytest.mark.parametrize("step", [1, 7, 512, 4096, 20_000])
def test_blobs_in_a_file(step: int) -> None:
    blobs = within(*PLACES)
    contained = Contained([blob for blob, _ in reversed(blobs)])
    given(contained, DATA, step)
    contained.end(good=True)
    for blob, taking in blobs:
        assert (taking.data, taking.good) == (DATA[blob.start : blob.start + blob.size], True)


@pytest.mark.parametrize("step", [7, 20_000])
def test_a_damaged_blob_in_a_good_file(step: int) -> None:
    """The list of checksums is over the file; the blob has a digest of its own, which its manifest names."""
    blobs = within((512, 3000), damaged=True)
    contained = Contained([blob for blob, _ in blobs])
    given(contained, DATA, step)
    contained.end(good=True)
    assert blobs[0][1].good is False
    assert len(blobs[0][1].data) < 3000


@pytest.mark.parametrize("size", [0, 1000, 3513, 6000])
def test_a_file_that_is_cut_off(size: int) -> None:
    blobs = within(*PLACES)
    contained = Contained([blob for blob, _ in blobs])
    given(contained, DATA[:size], 500)
    contained.end(good=False)
    for blob, taking in blobs:
        assert taking.good is (size >= blob.start + blob.size and blob.start < size), blob


def test_what_is_passed_over() -> None:
    assert not Reading().skips("images/x", 5)
    assert Reading(passes_over=lambda name, size: size > 3).skips("images/x", 5)
