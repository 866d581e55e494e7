"""Whether an image is signed with a key (cosign's SIGNATURE_SPEC.md, "Verification"), by what was fetched before."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bundle.errors import FormatError, SignatureError, storage_errors
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.cosign import signatures
from bundle.transfer.image import Manifest

_SHOWN = 3  # digests or reasons


def check_signed(
    manifests: Sequence[Manifest],
    read: Callable[[Descriptor], bytes],
    *,
    key: Path,
    digests: Collection[Digest],
    subject: str,
) -> Digest:
    """Which of the `digests` is signed with the key in the file `key`, by the signatures in these manifests.

    A SignatureError says what was found instead. What can't be read counts as no signature, as anybody who may push
    to a repository can add such things; FormatError and StorageError are about the key.
    """
    public = CosignKey.read(key, subject=subject)
    wanted = {str(digest): digest for digest in digests}
    found, others, unreadable = 0, set[str](), list[str]()
    for manifest in manifests:
        try:
            for signature in signatures(manifest, read):
                found += 1
                if public.made(signature.value, signature.signed):
                    if good := signature.digests & wanted.keys():
                        return wanted[min(good)]
                    others |= signature.digests or {"nothing that is an image"}
        except FormatError as err:
            unreadable.append(err.what)
    raise _refused(subject, key, digests, found=found, others=sorted(others), unreadable=unreadable)


def _refused(
    subject: str,
    key: Path,
    digests: Collection[Digest],
    *,
    found: int,
    others: Sequence[str],
    unreadable: Sequence[str],
) -> SignatureError:
    expected = " or ".join(str(digest) for digest in digests)
    if others:
        return SignatureError(
            f"{subject}: the key {key.name} signed {_few(others)}, expected {expected}",
            hint="the signature is another image's: ask the publisher, or choose the tag that was signed",
        )
    if found:
        return SignatureError(
            f"{subject}: none of the {found} signatures of {expected} was made with the key {key.name}",
            hint="check verify.cosign_key against what the publisher announces; if it is right, do not use this image",
        )
    why = f" (not readable: {_few(unreadable)})" if unreadable else ""
    return SignatureError(
        f"{subject}: no signature of {expected} was found{why}",
        hint="ask the publisher where it is signed, and with which key; a signature without key can't be checked here",
    )


def _few(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


_MAX_KEY = 64 * 1024  # bytes
_SMALLEST_RSA = 2048  # bits
_WANTED = "expected a public key in PEM, as cosign.pub: ECDSA P-256, Ed25519, or RSA of 2048 bits or more"

Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class CosignKey:
    """One key that signatures are checked against; `path` is where it was read."""

    def __init__(self, path: Path, key: Key) -> None:
        self.path = path
        self._key = key

    @classmethod
    def read(cls, path: Path, *, subject: str) -> "CosignKey":
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
