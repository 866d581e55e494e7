"""`doit approve`: an approver's signature over a bundle, beside that of whoever made it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from bundle.archive.verify import verify
from bundle.errors import FormatError, ProgramError
from bundle.formats.sizes import counted
from bundle.metadata.checksums import SUMS
from bundle.signing.approvals import approvals_path, read_approvals, with_approval
from bundle.signing.signers import Signer
from bundle.signing.ssh_signature import SshSignature
from bundle.signing.trust import OneList
from bundle.storage.files import write_bytes
from bundle.storage.private import make_private
from bundle.storage.scratch import scratch_directory
from clients.programs.ssh_keygen import SshKeygen
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.runtime.console import LocalWork
from tasks.site.receiver import Receiver


class Approve(ReceiverCommand):
    """Signs a bundle that was made by others."""

    name = "approve"
    doc_purpose = COMMANDS["approve"].purpose
    doc_usage = "key=FILE [bundle=PATH]"
    doc_description = (
        "Every file is compared with the list of checksums first. key= is a private SSH key, or the public one of a "
        "key in an agent or a token. The signature is added to NAME-VERSION.approvals beside the bundle, which is "
        "transferred with it; one by the same key is replaced. A site with trust: {signers: FILE, require: 2} takes "
        "bundles that two different signers of its list have signed, whoever made the bundle among them."
    )

    def _execute(self) -> int:
        return self._told(_approve)


def _approve(receiver: Receiver) -> None:
    key = receiver.options.key
    if key is None:
        raise FormatError("nobody signs: key= is not given", hint="doit approve key=FILE, your SSH key")
    sums = _verified(receiver)
    made = _signed(receiver, key, sums)
    signature = _read(made)
    if trust := receiver.carried.trust(receiver.carried.path):
        trust.signers.find(signature.key, datetime.now(UTC), subject="this approval")
    place = approvals_path(receiver.carried.path)
    content = with_approval(read_approvals(receiver.carried.path), made)
    write_bytes(place, content)
    total = counted(content.count(b"-----BEGIN"), "approval")
    receiver.project.console.line(f"approved by {signature.key}; {total} in {place}")


def _verified(receiver: Receiver) -> bytes:
    """The list of checksums of a bundle that is whole, and from whom the site trusts."""
    trust, seen = receiver.carried.trust(receiver.carried.path), list[bytes]()
    one = OneList(trust.by_one if trust else None)

    def vouch(sums: bytes, signature: bytes | None, *, subject: str) -> Signer | None:
        seen.append(sums)
        return one(sums, signature, subject=subject)

    meter = LocalWork(receiver.project.console)
    verify(receiver.carried.path, meter=meter, base=receiver.project.base, vouch=vouch).raise_if_bad()
    return seen[0]


def _signed(receiver: Receiver, key: Path, sums: bytes) -> bytes:
    interactive = sys.stdin is not None and sys.stdin.isatty()
    console = receiver.project.console
    if interactive:
        console.close()  # what ssh-keygen asks for must be seen
    state = receiver.options.state  # not the application's own, which is looked up in a bundle that all have signed
    make_private(state)
    with scratch_directory(state, "approve-") as place:
        (place / SUMS).write_bytes(sums)
        keygen = SshKeygen(receiver.project.env)
        return keygen.sign(place / SUMS, key, place=place, interactive=interactive, say=console.line)


def _read(made: bytes) -> SshSignature:
    try:
        return SshSignature.parse(made)
    except FormatError as err:
        raise ProgramError(f"what ssh-keygen made is no SSH signature: {err.what}") from err
