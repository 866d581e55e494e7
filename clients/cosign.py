"""Whether an image is signed with a key (cosign's SIGNATURE_SPEC.md, "Verification"), by what was fetched before."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bundle.errors import FormatError, SignatureError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.cosign import signatures
from bundle.transfer.image import Manifest
from clients.zz_public_key import PublicKey

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
    public = PublicKey.read(key, subject=subject)
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
