"""A program's standard output as a stream: dumps of databases, of any size."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bundle.errors import ProgramError
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
