"""`doit publish` and `doit fetch`: a finished bundle by way of a registry, where a site has one instead of a disk."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.archive.approvals_artifact import ApprovalsSource, published_approvals
from bundle.archive.artifact import Artifact, ArtifactSource
from bundle.archive.landing import land_archive, land_directory
from bundle.archive.reader import open_bundle, signer_of
from bundle.archive.verify import verify
from bundle.charts.artifact import chart_tag
from bundle.errors import AirgapError, BundleError, FormatError, IntegrityError, SourceError, storage_errors
from bundle.formats.sizes import counted, human
from bundle.oci.descriptor import Descriptor
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.signing.approvals import add_approvals, approvals_path, joined, read_approvals
from bundle.signing.trust import Trust
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import inside, locked, place
from bundle.storage.private import make_private
from bundle.storage.scratch import scratch_directory
from bundle.transfer.fetch import fetch_image
from bundle.transfer.image import Manifest, ReferrerSource
from bundle.transfer.push import push_image
from clients.http.transport import Transport
from clients.registry.approvals import push_approvals
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tasks.assemble.attached import attachable
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.rehearsal.result import KEPT
from tasks.runtime.console import Console, LocalWork
from tasks.runtime.project import Project
from tasks.site.receiver import Receiver


class ExchangeCommand(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """A command that moves a bundle: its errors are told without traceback, exit code 1."""

    def _told(self, work: Callable[[Receiver], None]) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        console = receiver.project.console
        console.open()
        try:
            work(receiver)
        except AirgapError as err:
            console.close()
            console.problem(f"FAILED {self.name}: {err}")
            return 1
        except KeyboardInterrupt:
            console.close()
            console.problem(f"{self.name} was stopped; completed steps are kept; run it again to continue")
            return 130
        console.close()
        return 0


class Publish(ExchangeCommand):
    """Puts a bundle into a registry."""

    name = "publish"
    doc_purpose = COMMANDS["publish"].purpose
    doc_usage = "to=oci://HOST/REPOSITORY[:TAG] [bundle=PATH]"
    doc_description = (
        "Every file is a layer with its path as title, so that oras pulls it too. What the registry has is not sent "
        "again, and an upload that was cut off goes on. Without bundle=, it is the spec's bundle directory."
    )

    def _execute(self) -> int:
        to = self.loader.namespace["RECEIVER"].options.to
        if to is None:
            raise InvalidCommand("publish needs to know where to: to=oci://HOST/REPOSITORY:TAG")
        return self._told(partial(_publish, to=to))


class Fetch(ExchangeCommand):
    """Brings a bundle from a registry."""

    name = "fetch"
    doc_purpose = COMMANDS["fetch"].purpose
    doc_usage = "from=oci://HOST/REPOSITORY:TAG [out=DIR] [trust=FILE]"
    doc_description = (
        "The bundle appears below out= when all of it is there, has the digests of its list of checksums, and is "
        "signed as trust=FILE or the site file demands. Killed half-way, the next fetch goes on."
    )

    def _execute(self) -> int:
        reference = self.loader.namespace["RECEIVER"].options.source
        if reference is None:
            raise InvalidCommand("fetch needs to know what: from=oci://HOST/REPOSITORY:TAG")
        return self._told(partial(_fetch, reference=reference))


def _publish(receiver: Receiver, *, to: Reference) -> None:
    source = ArtifactSource(receiver.carried.path)
    bundle = source.manifest_of_bundle
    reference = to if to.tag else replace(to, tag=chart_tag(bundle.version))
    console, subject = receiver.project.console, f"bundle {bundle.name} {bundle.version}"
    with _registries(receiver) as registries:
        pushed = push_image(
            source,
            source.resolve(),
            Uploads(registries).repository(reference, subject=subject),
            subject=subject,
            meter=console,
            transfers=receiver.project.transfers,
        )
        attached = _attach(receiver, registries, reference, pushed.root, subject)
        approved = _push_approvals(receiver, registries, reference, pushed.root, subject)
    told = f"{human(pushed.pushed)} sent, {human(pushed.present + pushed.mounted)} already there"
    console.line(f"published {subject}: {told if pushed.changed else 'it is there already'}")
    for line in (attached, approved):
        if line:
            console.line(line)
    console.line(f"next: doit fetch from=oci://{reference.repository}@{pushed.root.digest}")


def _attach(receiver: Receiver, registries: Registries, reference: Reference, root: Descriptor, subject: str) -> str:
    """Attach report, SBOMs and the rehearsal's result to the published bundle; returns what to say of it.

    The bundle is whole without them: a registry that refuses artifacts with a subject is no failure.
    """
    if find_spec("oras") is None:
        return "report, SBOMs and the result of the rehearsal are attached by the installed program, not by airgap.pyz"
    from clients.registry.artifacts import Attachments

    attachments = Attachments(Uploads(registries), reference, root, subject=subject)
    make_private(receiver.options.state)
    with scratch_directory(receiver.options.state, "attach-") as place:
        empty = place / "empty.json"
        empty.write_bytes(b"{}")
        try:
            found = attachable(open_bundle(receiver.carried.path), receiver.options.state / KEPT, place)
            new = [title for title, artifact in found.items() if attachments.attach(artifact, empty)[1]]
        except (SourceError, FormatError) as err:
            return f"warning: report, SBOMs and the result of the rehearsal are not attached: {err.what}"
    return f"attached to it: {', '.join(found) or 'nothing'}{'' if new or not found else ' (already there)'}"


def _push_approvals(
    receiver: Receiver, registries: Registries, reference: Reference, root: Descriptor, subject: str
) -> str:
    """Attach the approvals that lie beside the bundle; returns what to say of them. A refusal is no failure."""
    name, told = approvals_path(receiver.carried.path).name, "approvals"
    meter, transfers = receiver.project.console, receiver.project.transfers
    try:
        if not (found := read_approvals(receiver.carried.path)):
            return ""
        told = counted(len(found), "approval")
        source = ApprovalsSource(joined(found), root, name=name)
        new = push_approvals(
            Uploads(registries), reference, root, source, subject=subject, meter=meter, transfers=transfers
        )
    except (SourceError, FormatError) as err:
        return f"warning: {told} not published: {err.what}; transfer {name} by another way"
    return f"{told} published with it{'' if new else ' (already there)'}"


def _approvals(source: ReferrerSource, root: Descriptor, subject: str, console: Console) -> tuple[bytes, ...]:
    """Those that are published with a bundle; a registry that does not give them has the bundle all the same."""
    try:
        return published_approvals(source, root.digest, subject=subject)
    except (SourceError, IntegrityError, FormatError) as err:
        console.problem(f"warning: its approvals are not fetched: {err.what}")
        return ()


def _fetch(receiver: Receiver, *, reference: Reference) -> None:
    out, subject = receiver.options.out, str(reference)
    work = out / ".work" / "fetch"
    with storage_errors(f"fetch {subject}", out):
        out.mkdir(parents=True, exist_ok=True)  # as any other that the user makes: what lies in it is for others too
    with storage_errors(f"fetch {subject}", out), locked(work / "lock"), _registries(receiver) as registries:
        source = registries.repository(reference, subject=subject)
        root = source.resolve()
        artifact = Artifact.of(_manifest(source.manifest(root), root, subject), subject=subject)
        approvals = _approvals(source, root, subject, receiver.project.console)
        if landed := _here(receiver, artifact, approvals):
            receiver.project.console.line(f"{subject}@{root.digest} is here already: {landed}")
            _keep_approvals(receiver, landed, approvals)
            return
        store = BlobStore(work / "store")
        fetch_image(
            source, root, store, subject=subject, meter=receiver.project.console, transfers=receiver.project.transfers
        )
        staged = work / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        for file in artifact.files:
            store.settle(file.layer)
            placed = inside(staged, file.name)
            place(store.path(file.layer.digest), placed)
            placed.chmod(0o755 if file.executable else 0o644)
        told = _checked(receiver, staged if artifact.is_directory else staged / artifact.archive, approvals)
        landed = land_directory(staged, out) if artifact.is_directory else land_archive(staged, artifact, out)
        shutil.rmtree(work / "store")
        shutil.rmtree(staged, ignore_errors=True)
    receiver.project.console.line(f"fetched {subject}@{root.digest}: {told}")
    receiver.project.console.line(f"  {landed}")
    _keep_approvals(receiver, landed, approvals)


def _keep_approvals(receiver: Receiver, landed: Path, approvals: Sequence[bytes]) -> None:
    """Write them beside the bundle, with those that lie there."""
    if approvals:
        total = add_approvals(landed, approvals)
        receiver.project.console.line(f"  {counted(total, 'approval')} in {approvals_path(landed)}")


def _here(receiver: Receiver, artifact: Artifact, approvals: Sequence[bytes]) -> Path | None:
    """Where the bundle lies already, whole and good; None where it does not."""
    out = receiver.options.out
    found = out / (artifact.title if artifact.is_directory else artifact.archive)
    if found.parent != out or not artifact.lies_in(found if artifact.is_directory else out):
        return None
    try:
        _checked(receiver, found, approvals)
    except BundleError:
        return None
    return found


def _manifest(raw: bytes, root: Descriptor, subject: str) -> Manifest:
    try:
        return Manifest.parse(raw, media_type=root.media_type, digest=root.digest)
    except FormatError as err:
        raise SourceError(f"{subject}: {err.what}", hint=err.hint) from err


def _checked(receiver: Receiver, staged: Path, approvals: Sequence[bytes]) -> str:
    """Look at the origin, then at every file, before the bundle gets its name."""
    demanded: Trust | None = receiver.carried.trust(staged)
    trust = replace(demanded.by_one, approvals=[*demanded.approvals, *approvals]) if demanded else None
    signer = signer_of(staged, trust) if trust else None
    report = verify(staged, meter=LocalWork(receiver.project.console), vouch=trust)
    if report.findings:
        raise BundleError(
            f"what was fetched is no good bundle ({len(report.findings)} found)",
            [str(finding) for finding in report.findings],
            hint="it is damaged in the registry, or was when it was published: doit verify there, then doit publish",
        )
    whole = f"{report.files} files, {human(report.size)}, all checksums match"
    return f"{whole}; signed by {signer.identity} ({signer.key})" if signer else whole


@contextmanager
def _registries(receiver: Receiver) -> Iterator[Registries]:
    project = receiver.project
    with Transport(_hosts(receiver), meter=project.console, pool_size=receiver.options.jobs) as transport:
        yield Registries(transport, meter=project.console)


def _hosts(receiver: Receiver) -> Mapping[str, HostSettings]:
    """How hosts are reached: as the spec says, or the bundle that this program lies in, where there is one."""
    project: Project = receiver.project
    if project.has_spec:
        return {**project.spec.hosts, **receiver.options.hosts}
    return receiver.hosts if receiver.carried.has_plan else receiver.options.hosts
