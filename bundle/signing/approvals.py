"""Approvals: further signatures over a bundle's SHA256SUMS, in one text file beside the bundle.

They lie outside, as what is approved can't be changed any more: a directory, an archive or its parts. Each is in
ssh-keygen's own format, and files of several approvers are joined by writing one behind the other.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bundle.errors import FormatError, storage_errors
from bundle.signing.ssh_signature import SshSignature
from bundle.storage.files import write_bytes

_SUFFIX = ".approvals"
_ARCHIVE = re.compile(r"\.tar(\.\d{3,}|\.sha256)?$")
_ONE = re.compile(rb"-----BEGIN SSH SIGNATURE-----\r?\n.*?-----END SSH SIGNATURE-----", re.DOTALL)
MAX_BYTES = 1024 * 1024  # of the file; hundreds of approvals


def approvals_path(bundle: Path) -> Path:
    """The file beside a bundle's directory, archive or part: NAME-VERSION.approvals."""
    return bundle.with_name(f"{_ARCHIVE.sub('', bundle.name)}{_SUFFIX}")


def read_approvals(bundle: Path) -> tuple[bytes, ...]:
    """The armoured signatures that lie beside the bundle, in their order; whose they are, and good for what, is not
    looked at. A FormatError for a file that is too large.
    """
    path = approvals_path(bundle)
    with storage_errors("read the approvals", path):
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return ()
    if len(data) > MAX_BYTES:
        raise FormatError(f"{path} has more than {MAX_BYTES} bytes", hint="keep in it what doit approve wrote")
    return split_approvals(data)


def split_approvals(data: bytes) -> tuple[bytes, ...]:
    """The armoured signatures in a text, in their order; other lines are passed over."""
    return tuple(found[0] for found in _ONE.finditer(data))


def add_approvals(bundle: Path, approvals: Iterable[bytes]) -> int:
    """Write those beside the bundle that do not lie there yet; returns how many lie there then."""
    there = read_approvals(bundle)
    new = [each for each in dict.fromkeys(approvals) if each not in there]
    content = joined([*there, *new])
    if len(content) > MAX_BYTES:
        raise FormatError(f"{approvals_path(bundle)} would have more than {MAX_BYTES} bytes")
    if new:
        with storage_errors("write the approvals", approvals_path(bundle)):
            write_bytes(approvals_path(bundle), content)
    return len(there) + len(new)


def joined(approvals: Iterable[bytes]) -> bytes:
    """The content of a file with these."""
    return b"".join(each.strip() + b"\n" for each in approvals)


def with_approval(approvals: Iterable[bytes], added: bytes) -> bytes:
    """The file's new content: an earlier approval by the same key is replaced, others stay as they are."""
    key = SshSignature.parse(added).key
    kept = [each for each in approvals if _key(each) != key]
    return joined([*kept, added])


def _key(approval: bytes) -> object:
    try:
        return SshSignature.parse(approval).key
    except FormatError:
        return None


def different(signers: Sequence[tuple[str, bytes]]) -> int:
    """How many people these are, by name and key: neither two keys of one name nor two names of one key are two."""
    names, keys = set[str](), set[bytes]()
    for name, key in signers:
        if name not in names and key not in keys:
            names.add(name)
            keys.add(key)
    return len(names)
