"""TLS as a client: the system's authorities and declared ones, and a certificate of one's own."""

import ssl
from pathlib import Path


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
