"""Bytes of any size through a program: what it writes as a stream (dumps of databases), what it reads (encryption)."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bundle.errors import ProgramError
from bundle.storage.files import CHUNK
from clients.programs._child import Child

_TAIL = 4096  # bytes kept of what it says on standard error


def dump(
    argv: Sequence[str], *, subject: str, env: Mapping[str, str], cwd: Path, mask: Callable[[str], str]
) -> Iterator[bytes]:
    """What a program writes, in chunks. Its failure is a ProgramError at the end, with what it said, `mask`ed.

    It runs in its own process group, which is killed when the stream is not read to its end. An empty dump is a
    failure too: nobody keeps one on purpose.
    """
    with tempfile.TemporaryFile() as said, Child() as child:
        ours, theirs = os.pipe()
        with open(ours, "rb", buffering=0) as output:
            try:
                child.start(argv, subject=subject, stdout=theirs, stderr=said.fileno(), env=env, cwd=cwd)
            finally:
                os.close(theirs)
            size = 0
            while chunk := output.read(CHUNK):
                size += len(chunk)
                yield chunk
        code = child.wait()
        if code != 0 or not size:
            words = mask(_last_words(said))
            how = f"ended with {code}" if code else "wrote nothing"
            raise ProgramError(f"{subject}: {Path(argv[0]).name} {how}{': ' if words else ''}{words}")


class Feed:
    """A program that reads what is written here; after its end `code` and `said` (its last words) tell how it went."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.code = 0
        self.said = ""

    def write(self, data: bytes) -> bool:
        """Give it all of `data`, as fast as it reads; False when it reads no more."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._pipe.fileno(), rest) :]
        except BrokenPipeError:
            return False
        return True


@contextmanager
def feed(
    argv: Sequence[str],
    *,
    subject: str,
    to: IO[bytes],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Feed]:
    """Write to a program whose output goes `to` a file, and wait for its end; `env` is its whole environment.

    It is killed with all that it started when the writing breaks off.
    """
    with tempfile.TemporaryFile() as said, Child() as child:
        theirs, ours = os.pipe()
        with open(ours, "wb", buffering=0) as pipe:
            try:
                child.start(
                    argv, subject=subject, stdin=theirs, stdout=to.fileno(), stderr=said.fileno(), env=env, cwd=cwd
                )
            finally:
                os.close(theirs)
            program = Feed(pipe)
            yield program
        program.code = child.wait()
        program.said = _last_words(said)


def _last_words(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
    return " ".join(said.read().decode(errors="replace").split())
