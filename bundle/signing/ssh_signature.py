"""Signatures as `ssh-keygen -Y sign` writes them (OpenSSH's PROTOCOL.sshsig), and what was signed by them."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError
from bundle.signing import _ed25519 as ed25519

NAMESPACE = "airgap-bundle"  # what our signatures are for; one made for another use does not count

_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = ("sha256", "sha512")
_CERTIFICATE = "-cert-v01@openssh.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key: its type (`ssh-ed25519`, ...) and its bytes in SSH's wire format, the type among them."""

    type: str
    blob: bytes

    @classmethod
    def parse(cls, blob: bytes) -> Self:
        """Read a key's wire format; FormatError for what is none."""
        return cls(type=_WireReader(blob).text("key type"), blob=blob)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read the base64 that stands in `.pub` files and lists of signers."""
        try:
            return cls.parse(base64.b64decode(text, validate=True))
        except binascii.Error as err:
            raise FormatError(f"{text[:40]!r} is not the base64 of a public key") from err

    @property
    def is_certificate(self) -> bool:
        """Whether this is a key together with an authority's word for it."""
        return self.type.endswith(_CERTIFICATE)

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as `ssh-keygen -l` prints it."""
        hashed = base64.b64encode(hashlib.sha256(self.blob).digest()).decode()
        return f"SHA256:{hashed.rstrip('=')}"

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSignature:
    """One signature: who made it, for which use, over which hash of the message."""

    key: PublicKey
    namespace: str
    hash: str
    algorithm: str
    value: bytes

    @classmethod
    def parse(cls, armored: bytes) -> Self:
        """Read the armoured text; FormatError for anything that is not exactly one signature."""
        reader = _WireReader(_unarmored(armored))
        if reader.take(len(_MAGIC), "magic") != _MAGIC:
            raise FormatError("it does not begin with SSHSIG")
        version = struct.unpack(">I", reader.take(4, "version"))[0]
        if version != _VERSION:
            raise FormatError(f"it has version {version}, expected {_VERSION}")
        key = PublicKey.parse(reader.string("public key"))
        namespace = reader.text("namespace")
        reader.string("reserved")
        hash_name = reader.text("hash")
        if hash_name not in _HASHES:
            raise FormatError(f"it is over the hash {hash_name!r}, expected {' or '.join(_HASHES)}")
        inner = _WireReader(reader.string("signature"))
        reader.finish()
        algorithm, value = inner.text("algorithm"), inner.rest()
        return cls(key=key, namespace=namespace, hash=hash_name, algorithm=algorithm, value=value)

    def signed_data(self, message: bytes) -> bytes:
        """The bytes that the signature is over: the namespace and the message's hash."""
        hashed = hashlib.new(self.hash, message).digest()
        return _MAGIC + b"".join(map(_string, (self.namespace.encode(), b"", self.hash.encode(), hashed)))

    @property
    def is_ed25519(self) -> bool:
        """Whether `verify` can tell; other kinds need ssh-keygen."""
        return self.key.type == "ssh-ed25519"

    def verify(self, message: bytes) -> bool:
        """Whether an Ed25519 signature is over the message. It says nothing of who may sign, and for what."""
        key, value = _WireReader(self.key.blob), _WireReader(self.value)
        try:
            if not (key.text("key type") == self.algorithm == "ssh-ed25519"):
                return False
            public, signature = key.string("key"), value.string("signature")
            key.finish()
            value.finish()
        except FormatError:
            return False
        return ed25519.verify(public, self.signed_data(message), signature)


def _unarmored(armored: bytes) -> bytes:
    try:
        lines = armored.decode("ascii").split("\n")
    except UnicodeDecodeError as err:
        raise FormatError("it is not ASCII text") from err
    lines = [line.rstrip("\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise FormatError(f"it does not stand between {_BEGIN!r} and {_END!r}")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error as err:
        raise FormatError("what stands in it is not base64") from err


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class _WireReader:
    """SSH's wire format (RFC 4251, section 5), from its start."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int, what: str) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise FormatError(f"it is cut off in its {what}")
        self._at += size
        return found

    def string(self, what: str) -> bytes:
        return self.take(struct.unpack(">I", self.take(4, what))[0], what)

    def text(self, what: str) -> str:
        try:
            return self.string(what).decode("ascii")
        except UnicodeDecodeError as err:
            raise FormatError(f"its {what} is not ASCII text") from err

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at, "end")

    def finish(self) -> None:
        if self._at != len(self._data):
            raise FormatError(f"it has {len(self._data) - self._at} bytes behind its end")
