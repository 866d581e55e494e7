"""Public keys as cosign writes them, and whether a signature was made with one."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bundle.errors import FormatError, storage_errors

_MAX_KEY = 64 * 1024  # bytes
_SMALLEST_RSA = 2048  # bits
_WANTED = "expected a public key in PEM, as cosign.pub: ECDSA P-256, Ed25519, or RSA of 2048 bits or more"

Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class PublicKey:
    """One key that signatures are checked against; `path` is where it was read."""

    def __init__(self, path: Path, key: Key) -> None:
        self.path = path
        self._key = key

    @classmethod
    def read(cls, path: Path, *, subject: str) -> "PublicKey":
        """The key in a file; a FormatError for what is none that cosign signs with, a StorageError from the disk."""
        with storage_errors(f"read the cosign key of {subject}", path), path.open("rb") as file:
            data = file.read(_MAX_KEY)
        if b"PRIVATE KEY-----" in data:
            raise FormatError(
                f"{subject}: {str(path)!r} is a private key",
                hint="give the public one: `cosign public-key --key FILE > cosign.pub`; keep the private one elsewhere",
            )
        if b"-----BEGIN CERTIFICATE-----" in data:
            raise FormatError(
                f"{subject}: {str(path)!r} is a certificate; {_WANTED}",
                hint=f"take the key out of it: `openssl x509 -in {path.name} -pubkey -noout > cosign.pub`",
            )
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as err:
            raise FormatError(f"{subject}: {str(path)!r} is no public key; {_WANTED}") from err
        match key:
            case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()) | ed25519.Ed25519PublicKey():
                return cls(path, key)
            case rsa.RSAPublicKey(key_size=size) if size >= _SMALLEST_RSA:
                return cls(path, key)
        raise FormatError(f"{subject}: {str(path)!r} is a key of another kind; {_WANTED}")

    def made(self, signature: bytes, signed: bytes) -> bool:
        """Whether `signature` over these bytes was made with this key (SHA-256; RSA as PKCS #1 v1.5)."""
        try:
            match self._key:
                case ec.EllipticCurvePublicKey():
                    self._key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
                case rsa.RSAPublicKey():
                    self._key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
                case ed25519.Ed25519PublicKey():
                    self._key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True
