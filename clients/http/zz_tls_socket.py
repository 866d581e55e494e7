"""TLS sockets for large bodies: one read takes as many records as it has room for.

A record holds at most 16 KiB (RFC 8446, 5.1), and `ssl` gives one a call. What lies above it in Python's layers of
streams costs as much for each of them as for a megabyte: with this, a tenth of a pull over TLS less.
"""

import io
import ssl
from typing import Any, cast


class FillingSocket(ssl.SSLSocket):
    """For `SSLContext.sslsocket_class`, below streams that are read by `read(size)`, which waits for all of it anyway.

    Not for who takes what is there by `read1`.
    """

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Fill the (writable) buffer, or as much of it as comes before the end; a stream's own small one as before."""
        view = memoryview(buffer).cast("B")
        size = nbytes or len(view)
        if size <= io.DEFAULT_BUFFER_SIZE or flags:
            return super().recv_into(view, size, flags)
        filled = 0
        while filled < size:
            got = cast(int, self.read(size - filled, view[filled:]))  # bytes only where no buffer is given
            if not got:
                break
            filled += got
        return filled
