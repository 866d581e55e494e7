"""What a certificate says of itself, read from its DER (RFC 5280, ITU-T X.690): names and time, not trust."""

import base64
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from bundle.errors import FormatError
from bundle.oci.digest import Digest

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_INTEGER, _OCTET_STRING, _OID, _UTC_TIME, _GENERALIZED_TIME, _SEQUENCE = 0x02, 0x04, 0x06, 0x17, 0x18, 0x30
_VERSION, _EXTENSIONS = 0xA0, 0xA3  # TBSCertificate [0] and [3]
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # GeneralName [2] and [7]
_SUBJECT_ALT_NAME = bytes((0x55, 0x1D, 0x11))  # 2.5.29.17


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Validity and subject alternative names; DNS names in lower case, addresses in canonical form."""

    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]

    @classmethod
    def parse_pem(cls, text: str) -> Self:
        """Read the first certificate of a PEM text; what is around it is ignored."""
        start = text.find(_BEGIN)
        end = text.find(_END, start)
        if start < 0 or end < 0:
            raise FormatError("there is no PEM certificate in it", hint=f"it begins with {_BEGIN}")
        try:
            der = _decoded(text[start : end + len(_END)])
        except ValueError as err:
            raise FormatError(f"the PEM certificate is damaged: {err}") from err
        return cls.parse_der(der)

    @classmethod
    def parse_der(cls, data: bytes) -> Self:
        """Read one DER certificate; FormatError when it is none."""
        try:
            (_, certificate), *_ = _elements(data)
            (_, body), *_ = _elements(certificate)
            fields = [field for field in _elements(body) if field[0] != _VERSION]
            # serial number, signature algorithm, issuer, validity, subject, public key, optional ones
            not_before, not_after = (_time(tag, content) for tag, content in _elements(fields[3][1]))
            names = list(_alternative_names(fields[6:]))
            return cls(
                not_before=not_before,
                not_after=not_after,
                dns_names=tuple(content.decode("ascii").lower() for tag, content in names if tag == _DNS_NAME),
                addresses=tuple(str(ipaddress.ip_address(content)) for tag, content in names if tag == _IP_ADDRESS),
            )
        except (ValueError, IndexError) as err:
            raise FormatError("this is no X.509 certificate") from err

    def covers(self, host: str) -> bool:
        """Whether it is made out to a host name or address (RFC 6125: `*` stands for the whole first label)."""
        try:
            return str(ipaddress.ip_address(host.strip("[]"))) in self.addresses
        except ValueError:
            name = host.lower().rstrip(".")
            return name in self.dns_names or f"*.{name.partition('.')[2]}" in self.dns_names


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element (X.690 8.1); ValueError or IndexError where the encoding is broken."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            if not 0 < count <= 4:
                raise ValueError("a length that DER does not have")
            length = int.from_bytes(data[at : at + count])
            at += count
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280 4.1.2.5.1: years from 50 on are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternative_names(fields: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    for tag, content in fields:
        if tag != _EXTENSIONS:
            continue
        for _, listed in _elements(content):
            for _, extension in _elements(listed):
                (oid_tag, oid), *_, (value_tag, value) = _elements(extension)
                if oid_tag == _OID and oid == _SUBJECT_ALT_NAME and value_tag == _OCTET_STRING:
                    for _, names in _elements(value):
                        yield from _elements(names)


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
        letters = base64.b64encode(self.der).decode("ascii")
        return "\n".join((_BEGIN, *(letters[at : at + 64] for at in range(0, len(letters), 64)), _END, ""))


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
                der = _decoded(block[0])
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
        return _decoded(block)
    except ValueError:
        return b""


def _decoded(block: str) -> bytes:
    """What is between the lines of one PEM block, ValueError when it is damaged (`ssl` can too: 6 ms to load)."""
    return base64.decodebytes(block.removeprefix(_BEGIN).removesuffix(_END).encode("ascii"))
