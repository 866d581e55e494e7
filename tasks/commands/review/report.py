"""`doit report`: the report on a finished bundle, with what its checks found and what is new since the last one."""

import os
from collections.abc import Mapping
from pathlib import Path

from bundle.archive.parts import find_archive, sums_path
from bundle.archive.reader import OpenedBundle, is_signed, open_bundle, signer_of, signers_of
from bundle.archive.verify import verify
from bundle.errors import AirgapError, BundleError, TrustError, storage_errors
from bundle.formats import strict_json
from bundle.formats.sizes import human
from bundle.metadata.base import Base, read_base
from bundle.metadata.names import MANIFEST, REPORT, REPORT_DATA
from bundle.report.model import Medium, Report, Result, proof_result
from bundle.report.page import report_page
from bundle.report.snapshot import Snapshot
from bundle.signing.approvals import different
from bundle.signing.trust import OneList
from bundle.storage.files import write_bytes
from tasks.assemble.reporting import compose, earlier, last_before
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.commands.review.scan import scan_result
from tasks.rehearsal.result import KEPT, RehearsalResult
from tasks.runtime.console import LocalWork
from tasks.site.receiver import Receiver


class ReportCommand(ReceiverCommand):
    """Writes the report."""

    name = "report"
    doc_purpose = COMMANDS["report"].purpose
    doc_usage = "[bundle=PATH] [since=PREVIOUS]"
    doc_description = (
        "Writes NAME-VERSION.report.html and .json beside the bundle, or into the working directory where that "
        "can't be written to. since= names an earlier bundle, or its manifest.json, report.json or receipt.json; "
        "without it, the bundle of this name that lies beside it and was made last is taken. Exit code 1 when a "
        "check failed."
    )

    def _execute(self) -> int:
        return self._told(_report)


def _report(receiver: Receiver) -> None:
    bundle = open_bundle(receiver.carried.path)
    since = receiver.options.compared or last_before(receiver.carried.path, bundle.manifest)
    before, reason = _earlier(receiver, since)
    report = compose(
        bundle,
        results={
            "checksums": _checksums(receiver, bundle, _base_of(bundle, since if before else None)),
            "signature": _signature(receiver, bundle),
            "proof": proof_result(bundle.manifest),
            "rehearsal": _rehearsal(receiver, bundle),
            "vulnerabilities": scan_result(receiver.options.state, bundle),
        },
        media=_media(receiver.carried.path, bundle),
        since=before,
    )
    page = _write(receiver, report)
    _say(receiver, report, page, reason)
    bad = [f"{subject}: {result.summary}" for subject, result in report.results.items() if result.state == "bad"]
    if bad:
        raise BundleError("the report names what failed:", bad, hint=f"see {page}")


def _earlier(receiver: Receiver, since: Path | None) -> tuple[Snapshot | None, str]:
    """What `since` held. Where the user did not name it and it can't be read: None, and why nothing is compared."""
    if since is None:
        return None, ""
    try:
        return earlier(since), ""
    except AirgapError as err:
        if receiver.options.compared:
            raise
        return None, f"{os.path.relpath(since)} can't be compared with: {err.what}"


def _signature(receiver: Receiver, bundle: OpenedBundle) -> Result:
    trust = receiver.carried.trust(receiver.carried.path)
    first = trust.by_one if trust else None
    try:
        receiver.carried.refuse_other(bundle)
        signer = signer_of(receiver.carried.path, OneList(first, agreed=bundle.sums_digest))
    except TrustError as err:
        return Result(state="bad", summary=err.what, details=(err.hint,))
    if trust is None:
        has_one = is_signed(receiver.carried.path)
        return Result(
            state="open",
            summary="it is signed; by whom was not asked: trust=FILE names who may"
            if has_one
            else "the bundle is not signed",
        )
    if signer is None:
        return Result(state="open", summary="the bundle is not signed")
    signed = signers_of(receiver.carried.path, trust)
    others = ", ".join(dict.fromkeys(f"{each.identity} ({each.key})" for each in signed[1:]))
    summary = f"signed by {signer.identity} ({signer.key}), whom {trust.signers.label} lists"
    count = different([(each.identity, each.key.blob) for each in signed])
    wanted = f"; {count} of {trust.needed} signers" if trust.needed > 1 else ""
    summary += f"; approved by {others}{wanted}" if others else wanted
    return Result(state="good" if count >= trust.needed else "open", summary=summary)


def _base_of(bundle: OpenedBundle, since: Path | None) -> Base | None:
    """What a delta was made against, when the earlier bundle is that, and tells its blobs."""
    delta = bundle.manifest.delta
    if delta is None or since is None:
        return None
    paper = since / MANIFEST if since.is_dir() else since
    base = read_base(paper) if paper.suffix == ".json" and paper.name != REPORT_DATA else None
    return base if base and base.named.id == delta.base.id else None


def _checksums(receiver: Receiver, bundle: OpenedBundle, base: Base | None) -> Result:
    meter, vouch = LocalWork(receiver.project.console), OneList(agreed=bundle.sums_digest)
    found = verify(receiver.carried.path, meter=meter, base=base, vouch=vouch)
    if found.findings:
        details = tuple(str(finding) for finding in found.findings)
        return Result(state="bad", summary=f"{len(details)} found in {found.files} files", details=details)
    summary = f"{found.files} files, {human(found.size)}: each is as SHA256SUMS says, none is missing, none is extra"
    return Result(state="good", summary=summary, details=found.notes)


def _rehearsal(receiver: Receiver, bundle: OpenedBundle) -> Result:
    """What the last rehearsal on this machine found, if it was one of these very files."""
    kept = receiver.options.state / KEPT
    if not kept.is_file():
        return Result(state="open", summary="not rehearsed on this machine: doit rehearse")
    with storage_errors("read the last rehearsal's result", kept):
        data = strict_json.loads(kept.read_bytes())
    result = RehearsalResult.from_dict(data)
    if result.bundle.get("sums") != str(bundle.sums_digest):
        what = f"{result.bundle.get('name')} {result.bundle.get('version')}"
        return Result(state="open", summary=f"the last rehearsal was of another bundle or another build ({what})")
    details = (
        *(f"failed: {text}" for text in result.failures),
        *(f"proven: {text}" for text in result.proven),
        *(f"not proven: {text}" for text in result.not_proven),
    )
    made = f"{result.target}, {data.get('rehearsed', '')}".rstrip(", ")
    if not result.passed:
        return Result(state="bad", summary=f"{len(result.failures)} failed: {made}", details=details)
    return Result(state="good", summary=f"passed: {made}", details=details)


def _media(path: Path, bundle: OpenedBundle) -> tuple[Medium, ...]:
    """The archive or parts that the bundle is carried as, when they are here."""
    archive = path.parent / f"{bundle.manifest.stem}.tar" if path.is_dir() else path
    if path.is_dir() and not sums_path(archive).is_file():
        return ()
    files = find_archive(archive)
    return tuple(
        Medium(file=name, digest=digest, size=_size(files.path(name))) for name, digest in sorted(files.digests.items())
    )


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _write(receiver: Receiver, report: Report) -> Path:
    stem = report.manifest.stem
    place = _place(receiver)
    page = place / f"{stem}.{REPORT}"
    with storage_errors("write the report", page):
        write_bytes(page, report_page(report).encode())
        write_bytes(place / f"{stem}.{REPORT_DATA}", report.encode())
    return page


def _place(receiver: Receiver) -> Path:
    """Beside the bundle; never in it, where one file more would make it bad."""
    for place in (receiver.carried.path.resolve().parent, Path.cwd()):
        if os.access(place, os.W_OK) and not receiver.carried.contains(place):
            return place
    return receiver.options.state


def _say(receiver: Receiver, report: Report, page: Path, uncompared: str) -> None:
    console = receiver.project.console
    console.line(f"report on {report.manifest.name} {report.manifest.version}")
    words: Mapping[str, str] = {"good": "good", "open": "open", "bad": "FAILED"}
    for subject, result in report.results.items():
        console.line(f"  {subject:<10} {words[result.state]:<7} {result.summary}")
    if report.changes:
        told = ", ".join(f"{count} {noun}" for noun, count in report.changes.counts().items() if count) or "nothing"
        console.line(f"  {'changed':<18} {told}, since {report.changes.since.title}")
    if uncompared:
        console.line(f"  {'changed':<10} {words['open']:<7} {uncompared}")
    console.line(f"  page       {os.path.relpath(page)}")
