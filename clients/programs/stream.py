"""A program's standard output as a stream: dumps of databases, of any size."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bundle.errors import FormatError, ProgramError
from bundle.storage.files import CHUNK

_TAIL = 4096  # bytes kept of what it says on standard error


def dump(
    argv: Sequence[str], *, subject: str, env: Mapping[str, str], cwd: Path, mask: Callable[[str], str]
) -> Iterator[bytes]:
    """What a program writes, in chunks. Its failure is a ProgramError at the end, with what it said, `mask`ed.

    It runs in its own process group, which is killed when the stream is not read to its end. An empty dump is a
    failure too: nobody keeps one on purpose.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as err:
            raise ProgramError(f"{subject}: {argv[0]} can't be run: {os.strerror(err.errno or 0)}") from err
        size = 0
        try:
            assert process.stdout  # noqa: S101 - it is a pipe
            while chunk := process.stdout.read(CHUNK):
                size += len(chunk)
                yield chunk
            process.wait()
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdout:
                process.stdout.close()
        if process.returncode != 0 or not size:
            said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
            words = mask(" ".join(said.read().decode(errors="replace").split()))
            how = f"ended with {process.returncode}" if process.returncode else "wrote nothing"
            raise ProgramError(f"{subject}: {Path(argv[0]).name} {how}{': ' if words else ''}{words}")


@contextmanager
def open_zstd(path: Path) -> Iterator[IO[bytes]]:
    """What is in a file that zstd compressed, as a stream; the program ends with it.

    FormatError where there is no such program, and when it finds the file damaged and the stream was read to its end.
    """
    program = shutil.which("zstd")
    if not program:
        raise FormatError("it is compressed by zstd, and there is no program zstd on PATH")
    argv = [program, "--decompress", "--stdout", "--quiet", "--memory=128MB", "--", str(path)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, errors = process.stdout, process.stderr
        if not output or not errors:
            raise FormatError("zstd has no output")
        try:
            yield output
            ended = not output.read(1)
            if ended and process.wait() != 0:
                words = errors.read(1000).decode(errors="replace").strip()
                raise FormatError(f"its compression is damaged: {words}")
        finally:
            process.kill()
