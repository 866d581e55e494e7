"""Layers that zstd compressed (RFC 8878), by Python's own module from 3.14 on, before that by backports.zstd.

On the connected side only: the backport is compiled, and can't be carried.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from bundle.errors import FormatError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WINDOW_LOG = 27  # 128 MiB of memory, as much as the program `zstd` takes by default; RFC 8878 asks for 8 MiB at least


@contextmanager
def open_zstd(path: Path) -> Iterator[IO[bytes]]:
    """What is in a file that zstd compressed, as a stream of all its frames, unpacked as it is read.

    FormatError for one that is damaged or cut off as far as it was read, and for one that needs more than 128 MiB.
    """
    options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
    try:
        with zstd.ZstdFile(path, options=options) as stream:
            yield cast("IO[bytes]", stream)
    except EOFError as err:
        raise FormatError("its compression is damaged: it is cut off") from err
    except zstd.ZstdError as err:
        raise FormatError(f"its compression is damaged, or needs more than 128 MiB of memory: {err}") from err
