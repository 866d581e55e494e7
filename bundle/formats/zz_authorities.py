"""Certificates of authorities as text: one or several in PEM (RFC 7468), to be trusted by those who get them."""

import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bundle.errors import FormatError
from bundle.formats.x509 import Certificate
from bundle.oci.digest import Digest

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE = "CERTIFICATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One certificate: its DER bytes, and what they say."""

    der: bytes
    about: Certificate

    @property
    def digest(self) -> Digest:
        """The certificate's fingerprint."""
        return Digest.of(self.der)

    @property
    def pem(self) -> str:
        """In one canonical form: lines of 64 letters, a newline at the end."""
        return ssl.DER_cert_to_PEM_cert(self.der)


def parse_authorities(text: str) -> tuple[Authority, ...]:
    """All certificates of a PEM text, each once, in its order; what is around them is ignored.

    FormatError when there is none, one is damaged, or the text holds a private key.
    """
    found: dict[bytes, Authority] = {}
    for block in _BLOCK.finditer(text):
        if block[1].endswith("PRIVATE KEY"):
            raise FormatError("there is a private key in it", hint="keep the certificate only, and the key to yourself")
        if block[1] == _CERTIFICATE:
            try:
                der = ssl.PEM_cert_to_DER_cert(block[0])
            except ValueError as err:
                raise FormatError(f"certificate {len(found) + 1} in it is damaged: {err}") from err
            found[der] = Authority(der=der, about=Certificate.parse_der(der))
    if not found:
        raise FormatError("there is no PEM certificate in it", hint="it begins with -----BEGIN CERTIFICATE-----")
    return tuple(found.values())


def out_of_date(authorities: Iterable[Authority], now: datetime) -> Sequence[str]:
    """Of each certificate that is not valid now, what is wrong with it."""
    told = []
    for each in authorities:
        about, name = each.about, f"certificate sha256 {each.digest.hex[:16]}"
        if now > about.not_after:
            told.append(f"{name} has expired on {about.not_after:%Y-%m-%d}")
        elif now < about.not_before:
            told.append(f"{name} is not valid before {about.not_before:%Y-%m-%d}")
    return told


def merged(bundle: bytes, authorities: Iterable[Authority]) -> bytes:
    """A system's bundle of certificates with those added that it does not have; what it holds stays as it is."""
    text = bundle.decode("latin-1")
    held = {_der(block[0]) for block in _BLOCK.finditer(text) if block[1] == _CERTIFICATE}
    added = "".join(each.pem for each in authorities if each.der not in held)
    gap = b"" if not bundle or bundle.endswith(b"\n") or not added else b"\n"
    return bundle + gap + added.encode("ascii")


def _der(block: str) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(block)
    except ValueError:
        return b""
