"""TLS as a client."""

import ssl
from pathlib import Path

import pytest

from clients.http.tls import client_context


def test_the_systems_authorities_and_a_declared_one(ca: Path) -> None:
    own, more = (client_context(ca=file, certificate=None, key=None) for file in (None, ca))
    assert more.cert_store_stats()["x509_ca"] == own.cert_store_stats()["x509_ca"] + 1
    assert more.verify_mode == ssl.CERT_REQUIRED
    assert more.check_hostname


def test_files_that_can_not_be_used(tmp_path: Path, certificate: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        client_context(ca=tmp_path / "none.pem", certificate=None, key=None)
    client_context(ca=None, certificate=certificate, key=None)
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(OSError, match="PEM"):
        client_context(ca=None, certificate=tmp_path / "text", key=None)
