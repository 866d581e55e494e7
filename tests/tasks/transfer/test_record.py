"""Whether the bundle was compared whole, as it lies there."""

import os
from pathlib import Path

import pytest

from tasks.site.receiver import Receiver
from tasks.transfer.record import compared_whole, lie, note_whole


def test_nobody_has_compared_it_yet(receiver: Receiver) -> None:
    assert not compared_whole(receiver)


def test_it_is_known_until_it_is_written_to(receiver: Receiver) -> None:
    note_whole(receiver, lie(receiver))
    assert compared_whole(receiver)
    file = next(receiver.carried.path.glob("charts/*.tgz"))
    data, before = file.read_bytes(), file.stat()
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    try:
        assert not compared_whole(receiver)
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_was_written_to_while_it_was_read_is_not_known(receiver: Receiver) -> None:
    lay = lie(receiver)
    extra = receiver.carried.path / "extra"
    extra.touch()
    try:
        note_whole(receiver, lay)
        assert not compared_whole(receiver)
    finally:
        extra.unlink()


def test_another_list_is_another_bundle(receiver: Receiver) -> None:
    note_whole(receiver, lie(receiver))
    noted = receiver.state / "whole.json"
    noted.write_text(noted.read_text().replace(str(receiver.carried.bundle.sums_digest), "sha256:" + "0" * 64))
    assert not compared_whole(receiver)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}'])
def test_a_note_that_can_not_be_read_is_none(receiver: Receiver, text: str) -> None:
    note_whole(receiver, lie(receiver))
    (receiver.state / "whole.json").write_text(text)
    assert not compared_whole(receiver)


def test_only_we_can_write_it(receiver: Receiver) -> None:
    note_whole(receiver, lie(receiver))
    assert Path(receiver.state).stat().st_mode & 0o077 == 0
