"""Whether a bundle comes from whom the site trusts: its SHA256SUMS is signed by a key of the site's list.

This is asked before anything else of a bundle is read, and no code of the bundle's is needed for it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from bundle.errors import FormatError, IntegrityError, TrustError
from bundle.metadata.checksums import SIGNATURE, SUMS
from bundle.oci.digest import Digest
from bundle.signing.approvals import different
from bundle.signing.signers import Signer, Signers
from bundle.signing.ssh_signature import NAMESPACE, SshSignature
from bundle.storage.tree import Tree, read_small

# What a person types, with the site's own list and one of its names; the program is the machine's, not the bundle's.
CHECK_COMMAND = f"ssh-keygen -Y verify -f allowed_signers -I IDENTITY -n {NAMESPACE} -s {SIGNATURE} < {SUMS}"

_MAX_SIGNATURE = 64 * 1024  # bytes; the largest real one, by RSA with 16384 bits, has about 6000


class Vouch(Protocol):
    """Looks at a bundle's list of checksums and its signature (None: there is none); a TrustError refuses it."""

    def __call__(self, sums: bytes, signature: bytes | None, *, subject: str) -> Signer | None:
        """Who signed it; None where nobody did, or nobody asks."""


def read_signature(tree: Tree) -> bytes | None:
    """A bundle's signature as it lies there; None where there is none, TrustError for one that is too large."""
    try:
        return read_small(tree, SIGNATURE, _MAX_SIGNATURE)
    except FileNotFoundError:
        return None
    except FormatError as err:
        raise TrustError(f"no signature is of this size: {err.what}", hint="do not use the bundle") from err


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """A signature, its bytes as they lie in the bundle, what it should be over, and the line that allows its key."""

    signature: SshSignature
    armored: bytes
    message: bytes
    signer: Signer


CheckSignature = Callable[[SignedData], bool]
"""Whether the signature is over the message, by its key; any other doubt is a TrustError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a site demands: `required` says that a bundle without a signature is refused, `needed` how many different
    signers it must have, that of the bundle itself and those of `approvals` beside it.
    """

    signers: Signers
    required: bool
    check: CheckSignature
    needed: int = 1
    approvals: Sequence[bytes] = ()

    def __call__(self, sums: bytes, signature: bytes | None, *, subject: str) -> Signer | None:
        """Who signed this list of checksums first; None where nobody did and nobody has to. A TrustError says why not.

        The time that counts is now: a signature of this format tells none of its own, and a date in the bundle would
        be the word of whom is being asked about.
        """
        found, doubts = self._found(sums, signature, subject=subject)
        count = different([(each.identity, each.key.blob) for each in found])
        if self.required and count < self.needed:
            names = ", ".join(each.identity for each in found) or "nobody"
            raise TrustError(
                "\n".join(
                    [f"{subject} has {count} of {self.needed} signatures that the site requires: {names}", *doubts]
                ),
                hint=f"doit approve key=FILE adds one; transfer the .approvals file beside the bundle too. "
                f"{self.signers.label} says who may approve",
            )
        return next(iter(found), None)

    @property
    def by_one(self) -> "Trust":
        """The same, for what comes before a bundle is approved: one signature will do."""
        return replace(self, needed=1)

    def everybody(self, sums: bytes, signature: bytes | None, *, subject: str) -> tuple[Signer, ...]:
        """All whose signature counts, that of the bundle itself first; a TrustError where that is a bad one."""
        return self._found(sums, signature, subject=subject)[0]

    def _found(self, sums: bytes, signature: bytes | None, *, subject: str) -> tuple[tuple[Signer, ...], list[str]]:
        """The signers, and why approvals don't count."""
        found, doubts = list[Signer](), list[str]()
        if signature is not None:
            found.append(self._signer(sums, signature, SIGNATURE, subject=subject))
        elif self.required and not self.approvals:
            raise TrustError(
                f"{subject} is not signed: it has no {SIGNATURE}",
                hint=f"{self.signers.label} says who may sign; carry {SIGNATURE} over too, or ask for a signed bundle",
            )
        for approval in self.approvals:
            try:
                found.append(self._signer(sums, approval, "an approval", subject=subject))
            except TrustError as err:  # it is only worth nothing: whoever can write there could take it away too
                doubts.append(f"  does not count: {err.what.removeprefix(f'{subject}: ')}")
        return tuple(found), doubts

    def _signer(self, sums: bytes, signature: bytes, what: str, *, subject: str) -> Signer:
        """Whose good signature this is."""
        try:
            parsed = SshSignature.parse(signature)
        except FormatError as err:
            hint = "transfer it again; if it is the same there, sign the bundle anew"
            raise TrustError(f"{subject}: {what} is no SSH signature: {err.what}", hint=hint) from err
        if parsed.namespace != NAMESPACE:
            raise TrustError(
                f"{subject}: {what} was made for {parsed.namespace!r}, expected {NAMESPACE!r}",
                hint=f"sign with ssh-keygen -Y sign -n {NAMESPACE}; a signature for another use counts for nothing",
            )
        signer = self.signers.find(parsed.key, datetime.now(UTC), subject=subject)
        data = SignedData(signature=parsed, armored=signature, message=sums, signer=signer)
        if not self.check(data):
            raise TrustError(
                f"{subject}: {what}, by {signer.identity}, is not over this {SUMS}: "
                "one of them was changed, or belongs to another bundle",
                hint="do not use the bundle; carry both over again from where it was signed",
            )
        return signer


class OneList:
    """A Vouch for one list of checksums: the first that it agrees to, or `agreed`. Any other is an IntegrityError.

    What is read at different times is so known to be of one bundle, whatever is done to it meanwhile. With a `trust`,
    that is asked first. Safe for several threads.
    """

    def __init__(self, trust: Trust | None = None, *, agreed: Digest | None = None) -> None:
        self._trust = trust
        self._agreed = agreed
        self._guard = threading.Lock()

    def __call__(self, sums: bytes, signature: bytes | None, *, subject: str) -> Signer | None:
        """Who signed it, as far as `trust` wants to know."""
        signer = self._trust(sums, signature, subject=subject) if self._trust else None
        found = Digest.of(sums)
        with self._guard:
            self._agreed = self._agreed or found
            agreed = self._agreed
        if found != agreed:
            raise IntegrityError(
                f"{subject}: {SUMS} was changed while the bundle is in use: expected {agreed}, found {found}",
                hint="find out who writes there; carry the bundle over again, to a place that only you can write to",
            )
        return signer
