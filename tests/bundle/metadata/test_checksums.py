import hashlib
import random
import subprocess
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.metadata.checksums import format_sums, hash_files, list_files, parse_sums, write_sums
from bundle.oci.digest import Digest

A, B = Digest.of(b"a"), Digest.of(b"b")


def test_a_list_is_sorted_and_round_trips() -> None:
    data = format_sums({"z/b": B, "a file": A})
    assert data == f"{A.hex}  a file\n{B.hex}  z/b\n".encode()
    assert parse_sums(data, "SHA256SUMS") == {"z/b": B, "a file": A}


def test_binary_marks_of_sha256sum_are_read() -> None:
    assert parse_sums(f"{A.hex} *x\n".encode(), "SHA256SUMS") == {"x": A}


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a\nb", "a\\b", "a\rb", "", "a\x1bb"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError):
        format_sums({name: A})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        pytest.param(f"{A.hex}  ../x", "leads out", id="climbs out"),
        pytest.param(f"{A.hex}  /x", "leads out", id="absolute"),
        pytest.param(f"\\{A.hex}  a\\nb", "line 2 is not a line of sha256sum", id="escaped"),
        pytest.param(f"{A.hex[:-1]}  x", "line 2 is not a line of sha256sum", id="short"),
        pytest.param(f"{A.hex}  first", "line 2 names 'first' a second time", id="twice"),
        pytest.param("", "line 2 is not", id="empty line"),
    ],
)
def test_bad_lines_are_refused(line: str, what: str) -> None:
    with pytest.raises(FormatError, match=what):
        parse_sums(f"{B.hex}  first\n{line}\n{B.hex}  last\n".encode(), "SHA256SUMS")


def test_text_that_is_none() -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        parse_sums(b"\xff\xfe", "SHA256SUMS")


def test_sha256sum_agrees(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/ä b").write_bytes(b"text")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / ".x.1.tmp").write_bytes(b"unfinished")
    write_sums(tmp_path / "SHA256SUMS", hash_files(tmp_path, list_files(tmp_path)))
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["below/ä b: OK", "empty: OK"]
    (tmp_path / "empty").write_bytes(b"not")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x0c", "\x0b", "\x1c", "\x85", "\r", "\r\n"], ids=ascii)
@pytest.mark.parametrize("place", ["name", "end"])
def test_lines_end_where_sha256sum_ends_them(tmp_path: Path, sign: str, place: str) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    joint = sign if place == "name" else f"{sign}\n"
    data = f"{digest}  a{joint}{digest}  b\n".encode()
    done = subprocess.run(["sha256sum", "--strict", "-c"], input=data, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0 or joint.startswith("\r\n")
    with pytest.raises(FormatError):
        parse_sums(data, "SHA256SUMS")


PIECES = [
    " ",
    "  ",
    "*",
    " *",
    "\n",
    "\n\n",
    "\r",
    "\t",
    "\\",
    "\\n",
    "\0",
    "#",
    "./",
    "../",
    "/",
    "//",
    "-",
    "a",
    "b c",
    "\u2028",
    "\ufeff",
    "\u00e9",
]


def test_sha256sum_reads_every_list_as_we_do(tmp_path: Path) -> None:
    """Lists that are changed at random: what we take, it takes, with the same names and digests."""
    digest = hashlib.sha256(b"x").hexdigest()
    for name in ("a", "b c", "\u00e9"):
        (tmp_path / name).write_bytes(b"x")
    good = f"{digest}  a\n{digest} *b c\n{digest}  \u00e9\n"
    rng, taken = random.Random(14), 0
    for _ in range(600):
        text = good
        for _ in range(rng.randint(1, 3)):
            at = rng.choice([rng.randint(0, len(text)), *(text.find("  ") + k for k in range(-1, 5)), len(text)])
            cut = rng.choice([0, 0, 1, 2, 66])
            text = text[:at] + rng.choice([*PIECES, digest.upper(), digest, ""]) + text[at + cut :]
        try:
            read = parse_sums(text.encode(), "SHA256SUMS")
        except FormatError:
            continue
        taken += 1
        good_files = {name for name in read if (tmp_path / name).is_file() and read[name].hex == digest}
        argv = ["sha256sum", "--strict", "-c"]
        done = subprocess.run(argv, input=text.encode(), cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode == 0) == (bool(read) and good_files == set(read)), (text, done.stderr)
        assert {
            line.removesuffix(": OK") for line in done.stdout.decode().splitlines() if line.endswith(": OK")
        } == good_files
    assert taken > 50
