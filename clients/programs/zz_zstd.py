"""zstd by the program of that name: Python has none before 3.14."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bundle.errors import FormatError


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
