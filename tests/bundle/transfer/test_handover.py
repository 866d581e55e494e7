"""Bytes from one thread to another: a few ahead, all or an error, and nobody waits for who has gone."""

import threading
from contextlib import closing

import pytest

from bundle.transfer.handover import Handover, ReadAhead, SpoiltError


def fed(feed: Handover, *chunks: bytes, good: bool | None = True) -> threading.Thread:
    def work() -> None:
        for chunk in chunks:
            feed.take(chunk)
        if good is not None:
            feed.end(good=good)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_everything_comes_in_its_order(count: int) -> None:
    chunks = [bytes([number]) for number in range(count)]
    feed = Handover("it", count)
    thread = fed(feed, *chunks)
    assert list(feed.chunks()) == chunks
    thread.join(5)


def test_what_is_not_good_ends_in_an_error() -> None:
    feed, given = Handover("blob x", 2), []
    fed(feed, b"a", b"b", good=False)
    with pytest.raises(SpoiltError, match="blob x is damaged; it was not sent"):
        given += [each for each in feed.chunks()]  # noqa: C416 - what came before the error is of interest
    assert given == []


def test_only_a_few_wait() -> None:
    feed = Handover("it", 50)
    thread = fed(feed, *[b"x"] * 50)
    thread.join(0.3)
    assert thread.is_alive(), "it read ahead without a bound"
    assert len(b"".join(feed.chunks())) == 50


def test_what_is_read_ahead_shares_its_room() -> None:
    """One that nobody takes yet fills it, another one goes on all the same, and what is taken or given up is free."""
    room = ReadAhead(10)
    first, second = Handover("first", 14, room), Handover("second", 50, room)
    fed(first, *[b"x"] * 14).join(5)
    assert room.spare == 0, "three chunks are its own, ten are lent, the last is kept back"
    thread = fed(second, *[b"y"] * 50)
    assert b"".join(second.chunks()) == b"y" * 50
    thread.join(5)
    given = first.chunks()
    next(given)
    assert room.spare == 0, "its own come first"
    assert len([next(given) for _ in range(5)]) == 5
    assert room.spare == 3
    given.close()
    assert room.spare == 10


def test_nobody_waits_for_a_taker_that_has_gone() -> None:
    feed = Handover("it", 50)
    thread = fed(feed, *[b"x"] * 50)
    with closing(feed.chunks()) as chunks:
        next(chunks)
    thread.join(5)
    assert not thread.is_alive()


def test_the_first_word_counts() -> None:
    feed = Handover("it", 0)
    feed.end(good=False)
    feed.end(good=True)
    with pytest.raises(SpoiltError):
        list(feed.chunks())


@pytest.mark.parametrize(
    "chunks", [(b"ab", b"c"), (b"abc",), (b"a",), ()], ids=["more", "more at once", "fewer", "none"]
)
def test_never_more_or_fewer_than_there_must_be(chunks: tuple[bytes, ...]) -> None:
    """More would be taken for the next request, and what came before is good by itself."""
    feed = Handover("it", 2)
    fed(feed, *chunks).join(5)
    given = feed.chunks()
    with pytest.raises(SpoiltError):
        assert len(b"".join(given)) == 0, "the last is kept back"
