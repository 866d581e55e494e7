"""Where approvals lie, how they are joined, and that one person counts once."""

from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.signing.approvals import MAX_BYTES, add_approvals, approvals_path, different, read_approvals, with_approval
from tests.fixtures.parts.ssh_keys import make_key


@pytest.mark.parametrize("name", ["app-1.0.2", "app-1.0.2.tar", "app-1.0.2.tar.001", "app-1.0.2.tar.sha256"])
def test_one_place_for_every_form_of_a_bundle(tmp_path: Path, name: str) -> None:
    assert approvals_path(tmp_path / name) == tmp_path / "app-1.0.2.approvals"


def test_approvals_are_joined_and_the_same_key_counts_once(tmp_path: Path) -> None:
    one, two = make_key(tmp_path / "one"), make_key(tmp_path / "two")
    path = tmp_path / "app-1"
    assert read_approvals(path) == ()
    content = with_approval(read_approvals(path), one.sign(b"a"))
    content = b"# by hand\r\n" + with_approval([content], two.sign(b"a")) + content  # as `cat` joins them
    approvals_path(path).write_bytes(content)
    first, second, again = read_approvals(path)
    assert first == again != second
    approvals_path(path).write_bytes(with_approval(read_approvals(path), one.sign(b"b")))
    assert read_approvals(path) == (second, one.sign(b"b").strip())


def test_what_is_no_approval_is_passed_over(tmp_path: Path) -> None:
    broken = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"
    approvals_path(tmp_path / "app").write_bytes(b"words\n" + broken + b"\n-----BEGIN SSH SIGNATURE-----\n")
    assert read_approvals(tmp_path / "app") == (broken,)
    key = make_key(tmp_path / "key")
    assert with_approval([broken], key.sign(b"a")).startswith(broken)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    approvals_path(tmp_path / "app").write_bytes(bytes(1024 * 1024 + 1))
    with pytest.raises(FormatError, match="has more than 1048576 bytes"):
        read_approvals(tmp_path / "app")


@pytest.mark.parametrize(
    ("signers", "count"),
    [
        ([], 0),
        ([("a", b"1"), ("b", b"2")], 2),
        pytest.param([("a", b"1"), ("a", b"2")], 1, id="two keys of one name"),
        pytest.param([("a", b"1"), ("b", b"1")], 1, id="two names of one key"),
    ],
)
def test_how_many_people_these_are(signers: list[tuple[str, bytes]], count: int) -> None:
    assert different(signers) == count


def test_those_of_a_registry_are_added_to_what_lies_there(tmp_path: Path) -> None:
    one, two = (f"-----BEGIN SSH SIGNATURE-----\n{word}\n-----END SSH SIGNATURE-----".encode() for word in "ab")
    path = tmp_path / "app-1"
    assert add_approvals(path, ()) == 0
    assert not approvals_path(path).exists()
    assert add_approvals(path, (one, one)) == 1
    before = approvals_path(path).stat().st_mtime_ns
    assert add_approvals(path, (one,)) == 1
    assert approvals_path(path).stat().st_mtime_ns == before
    assert add_approvals(path, (two, one)) == 2
    assert read_approvals(path) == (one, two)
    with pytest.raises(FormatError, match="would have more than"):
        add_approvals(path, (bytes(MAX_BYTES),))
    assert read_approvals(path) == (one, two)
