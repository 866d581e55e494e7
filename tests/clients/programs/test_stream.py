"""What a program writes as a stream, and what it reads: whole, broken off, and by programs that fail."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.errors import MissingToolError, ProgramError
from clients.programs.stream import dump, feed


def dumped(script: str, tmp_path: Path) -> Iterator[bytes]:
    argv = [sys.executable, "-c", script]
    return dump(
        argv, subject="dump 'x'", env=os.environ, cwd=tmp_path, mask=lambda text: text.replace("hunter2", "***")
    )


def test_a_dump_is_what_the_program_writes(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('x' * 3_000_000); sys.stderr.write('y' * 300_000)"
    assert b"".join(dumped(script, tmp_path)) == b"x" * 3_000_000


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; print('part', flush=True); sys.exit('no hunter2 for you')", r"ended with 1: no \*\*\* for you"),
        ("", "wrote nothing"),
    ],
    ids=["fails", "empty"],
)
def test_a_dump_that_fails_says_so_at_its_end(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(ProgramError, match=told):
        list(dumped(script, tmp_path))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        MissingToolError, match=r"dump 'x': nothing-like-it is not there\n  next: install nothing-like-it"
    ):
        list(dump(["nothing-like-it"], subject="dump 'x'", env=os.environ, cwd=tmp_path, mask=str))


def test_a_dump_that_nobody_reads_on_is_ended(tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); open(1, 'wb').write(b'x' * 2**20); time.sleep(600)"
    stream = dumped(script, tmp_path)
    number = int(next(stream).split()[0])
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


SLOW = "import sys, time; time.sleep(0.2); data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"


def test_what_is_fed_goes_through_to_the_file(tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    with (tmp_path / "out").open("wb") as out, feed([sys.executable, "-c", SLOW], subject="s", to=out) as program:
        assert all(program.write(data) for _ in range(3))
    assert (program.code, program.said) == (0, "")
    assert (tmp_path / "out").read_bytes() == (data * 3)[::-1]


def test_a_program_that_reads_no_more_is_told_apart(tmp_path: Path) -> None:
    script = "import sys; sys.stdin.buffer.read(10); print('enough', file=sys.stderr); sys.exit(3)"
    with (tmp_path / "out").open("wb") as out, feed([sys.executable, "-c", script], subject="s", to=out) as program:
        assert not all(program.write(bytes(100_000)) for _ in range(20))
    assert (program.code, program.said) == (3, "enough")
