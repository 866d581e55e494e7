"""TLS as a client: the system's authorities and declared ones, and a certificate of one's own."""

import io
import ssl
from pathlib import Path
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


def client_context(*, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Trusts the system's CAs and those of `ca`, and shows `certificate` if there is one.

    An OSError (ssl.SSLError is one too) for files that can't be used.
    """
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cafile=ca)
    if certificate:
        # A password prompt would wait for ever in a pipeline.
        context.load_cert_chain(certificate, key, password="")
    return context
