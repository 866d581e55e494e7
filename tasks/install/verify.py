"""`verify`: a bundle comes from whom the site trusts, and is whole, be it a directory, an archive or parts.

Nothing is unpacked or written. The signature comes first; before an install, so does the question of its age. An
install has it look at the list of checksums, what that promises, and small files: `transfer` reads all, once.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import AirgapError, BundleError
from bundle.formats.fields import time_text
from bundle.formats.sizes import human
from bundle.oci.digest import Digest
from tasks.runtime.console import LocalWork
from tasks.runtime.project import archive_parts
from tasks.runtime.step import Inputs, Step
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import is_older, last_receipt, other_receipts
from tasks.transfer.record import compared_whole, note_whole

if TYPE_CHECKING:
    from bundle.archive.verify import VerifyReport
    from bundle.signing.trust import Trust


_SMALL = 1024 * 1024  # bytes of a file that is compared before anything else is done, and then once more
_AFTER_TRANSFER = frozenset(
    (
        "transfer",
        "derive",
        "load",
        "push",
        "namespace",
        "secret",
        "values",
        "helm",
        "health",
        "action",
        "receipt",
        "install",
    )
)


def verify_steps(receiver: Receiver) -> Iterator[Step]:
    """`verify`: always when it is asked for by its name; before an install only when the bundle's files have changed.

    How that is known: names, sizes, times and inodes of all files are those of the last good verification.
    """
    yield Step(
        base="verify",
        doc="check a bundle (bundle=PATH: a directory, an archive or its first part)",
        action=partial(_verify, receiver),
        inputs=partial(_inputs, receiver),
        ready=partial(_must, receiver),
    )


def _must(receiver: Receiver) -> str:
    if _asked(receiver):
        return "it is asked for"
    if not _reads_later(receiver) and not compared_whole(receiver):
        return "not every file of the bundle was compared since it came, or was changed"
    return refused(receiver) if receiver.carried.has_plan else "the bundle does not tell its steps"


def _asked(receiver: Receiver) -> bool:
    return "verify" in receiver.options.words


def _reads_later(receiver: Receiver) -> bool:
    """Whether `transfer` comes later in this run: it is for all steps but those that change nothing."""
    bases = {word.partition(":")[0] for word in receiver.options.words}
    return not _asked(receiver) and bool(bases & _AFTER_TRANSFER) and receiver.carried.has_plan


def _inputs(receiver: Receiver) -> Inputs:
    from bundle.archive.reader import fingerprint

    paths = _bundles(receiver)
    trusts = [trust for path in paths if (trust := receiver.carried.trust(path))]
    base = receiver.project.base
    return {
        "signers": [
            f"{Digest.of(trust.signers.raw)}, {trust.needed if trust.required else 'looked at'}" for trust in trusts
        ],
        **({"since": str(base.fingerprint)} if base else {}),
        **{str(path): str(fingerprint(path)) for path in paths},
    }


def _verify(receiver: Receiver) -> None:
    from bundle.archive.hand_made import is_hand_made

    good, bad = [], []
    for path in _bundles(receiver):
        try:
            if is_hand_made(path):
                _tell_hand_made(receiver, path)
            trust = receiver.carried.trust(path)
            origin = _origin(path, trust)
            report = _listed(receiver, path) if _reads_later(receiver) else _whole(receiver, path, trust)
            if path == receiver.options.bundle:
                receiver.carried.resolved()  # undamaged, it may still be of another format
                if not _asked(receiver):
                    refuse_misplaced(receiver)
        except AirgapError as err:
            bad.append(str(err))
        else:
            later = "; the others are compared as they are transferred" if _reads_later(receiver) else ""
            notes = "".join(f"; {note}" for note in (*origin, *report.notes))
            good.append(f"{path}: {report.files} files, {human(report.size)}, all checksums match{later}{notes}")
    receiver.project.note("verify", "; ".join(good))
    if bad:
        raise BundleError("\n".join(bad), [])


def _whole(receiver: Receiver, path: Path, trust: "Trust | None") -> "VerifyReport":
    """Read every file to its end; that all are good is noted of the bundle that is installed."""
    from bundle.archive.reader import fingerprint
    from bundle.archive.verify import verify

    lay = fingerprint(path)
    vouch = receiver.carried.vouch if path == receiver.carried.path else trust
    report = verify(path, meter=LocalWork(receiver.project.console), base=receiver.project.base, vouch=vouch)
    report.raise_if_bad()
    if path == receiver.carried.path:
        note_whole(receiver, lay)
    return report


def _is_payload(name: str, size: int) -> bool:
    return size > _SMALL or name.startswith("images/blobs/") or (name.startswith("images/") and name.endswith(".tar"))


def _listed(receiver: Receiver, path: Path) -> "VerifyReport":
    """Compare what is there with the list, all small files and manifests with their digests; no image is read."""
    from bundle.archive.use import Compared, Reading
    from bundle.archive.verify import verify

    read: list[str] = []

    def begin(name: str) -> Compared:
        read.append(name)
        return Compared()

    reading = Reading(begin=begin, passes_over=_is_payload)
    meter = LocalWork(receiver.project.console)
    report = verify(path, meter=meter, base=receiver.project.base, vouch=receiver.carried.vouch, reading=reading)
    report.raise_if_bad()
    receiver.carried.bundle.compared.update(read)
    return report


def _origin(path: Path, trust: "Trust | None") -> tuple[str, ...]:
    """What is known of who made the bundle; a TrustError where that is not enough."""
    from bundle.archive.reader import is_signed, signer_of, signers_of

    if trust is None:
        return ("it is signed, and by whom was not asked: trust=FILE names who may",) if is_signed(path) else ()
    signed = signers_of(path, trust) if signer_of(path, trust) else ()
    names = ", ".join(dict.fromkeys(f"{each.identity} ({each.key})" for each in signed))
    passed_over = (f"{trust.signers.label}, {line}: passed over" for line in trust.signers.unreadable)
    return (f"signed by {names}" if signed else "not signed", *passed_over)


def _tell_hand_made(receiver: Receiver, path: Path) -> None:
    from tasks.install.hand_made import check_hand_made  # the rare case reads charts, for which it needs YAML

    project = receiver.project
    spec = project.spec if project.options.spec.is_file() else None
    check_hand_made(path, spec, meter=LocalWork(project.console))


def _bundles(receiver: Receiver) -> tuple[Path, ...]:
    """The named bundle, else the spec's: when asked for, its archive too."""
    project = receiver.project
    if receiver.options.bundle or not _asked(receiver):
        return (receiver.carried.path,)
    if not project.spec.bundle.directory:
        return (project.finished,)
    return (project.directory, *archive_parts(project)[:1])


def downgrade(receiver: Receiver) -> str:
    """Why this bundle is older than the one that the receipt tells of; empty when it is not, or that is allowed."""
    last = None if receiver.options.downgrade or receiver.options.bundle is None else last_receipt(receiver)
    if last is None:
        return ""
    path, receipt = last
    manifest, sums = receiver.carried.bundle.manifest, receiver.carried.bundle.sums_digest
    if receipt.sums == sums or not is_older(receiver, receipt):
        return ""
    return (
        f"bundle {manifest.name} {manifest.version} of {time_text(manifest.created)} is older than what is installed: "
        f"{receipt.version} of {time_text(receipt.created)}, says {path}"
    )


def replacement(receiver: Receiver) -> str:
    """Why this bundle would take the place of another application; empty where it does not, or the site names it.

    Whoever signs several products vouches for each of them, and for none in the place of another.
    """
    if receiver.options.bundle is None or receiver.carried.is_expected:
        return ""
    name = receiver.carried.bundle.manifest.name
    own = last_receipt(receiver)
    wanted = {(release.name, release.namespace) for release in receiver.carried.resolved().install.releases}
    wanted -= {(release.name, release.namespace) for release in own[1].releases} if own else set()
    for path, receipt in other_receipts(receiver):
        if taken := sorted(wanted & {(release.name, release.namespace) for release in receipt.releases}):
            release, namespace = taken[0]
            return (
                f"bundle {name!r} has release {release!r} in namespace {namespace!r}, which belongs to bundle "
                f"{receipt.name} {receipt.version} here, says {path}"
            )
    return ""


def refused(receiver: Receiver) -> str:
    """Why this bundle may not come into the place of what is installed; empty where it may."""
    return downgrade(receiver) or replacement(receiver)


def refuse_misplaced(receiver: Receiver) -> None:
    """Raise a BundleError for a bundle that is older than what it would replace, or that is another application."""
    if reason := downgrade(receiver):
        hint = "carry the newer one over; to go back on purpose, give downgrade=allow"
        raise BundleError(reason, [], hint=hint)
    if reason := replacement(receiver):
        name = receiver.carried.bundle.manifest.name
        hint = "name the right bundle with bundle=PATH; one that is to replace the other on purpose is named in the "
        raise BundleError(reason, [], hint=f"{hint}site file, trust: {{bundles: [{name}]}}, or has another state=DIR")
