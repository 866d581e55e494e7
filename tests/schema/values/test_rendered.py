"""Rendered values: private while they exist, and gone afterwards."""

import json
import math
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle.errors import FormatError, StorageError
from schema.values.rendered import digest, private_directory, rendered_file, state_key, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_rendered_file_is_private_and_whole(tmp_path: Path) -> None:
    values = {"a": "ä", "b": [1, 1.5, None, True], "c": {"d": "x\ny"}}
    with rendered_file(values, parent=tmp_path) as path:
        assert json.loads(path.read_text()) == values
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
        assert path.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    kept = [f"airgap-values-{os.getpid()}-a", "airgap-values-x-b", f"airgap-{ended.pid}-c"]
    for name in (f"airgap-values-{ended.pid}-d", *kept):
        (tmp_path / name).mkdir()
    with private_directory(tmp_path) as place:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([place.name, *kept])


def test_it_is_gone_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), rendered_file({"a": 1}, parent=tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_json_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"), rendered_file({"a": math.nan}, parent=tmp_path):
        pytest.fail("rendered")
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_memory_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with private_directory() as place:
        assert place.parent == tmp_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    with private_directory() as place:
        assert mode(place) == 0o700
    assert not place.exists()


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="private directory"), private_directory(tmp_path / "none"):
        pytest.fail("made")


def test_a_private_file_never_follows_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        write_private(tmp_path / "f", "x")
    assert not (tmp_path / "elsewhere").exists()


KEY = bytes(32)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": True}, {"a": 1}, False),
        ([1, 2], [2, 1], False),
        ({"a": None}, {}, False),
    ],
)
def test_digests_tell_values_apart(one: object, other: object, same: bool) -> None:
    assert (digest(one, KEY) == digest(other, KEY)) is same


def test_a_digest_can_not_be_guessed_without_the_key() -> None:
    assert digest({"pin": "1234"}, KEY) != digest({"pin": "1234"}, bytes([1] * 32))
    assert digest({}, KEY) == digest({}, bytes(32))


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: state_key(path), range(8)))
    assert len(keys) == 1
    assert mode(path) == 0o600
    assert state_key(path) == path.read_bytes() == keys.pop()
    assert state_key(tmp_path / "other") != state_key(path)


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(FormatError, match=r"holds 5 bytes, expected 32\n  next: remove"):
        state_key(tmp_path / "key")
