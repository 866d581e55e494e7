"""`doit scan`: known vulnerabilities of what a bundle brings, by the SBOMs in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.archive.reader import OpenedBundle
from bundle.errors import BundleError, FormatError, storage_errors
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.report.model import Result
from bundle.storage.files import write_bytes
from bundle.storage.private import make_private
from bundle.storage.scratch import scratch_directory
from clients.programs.scanner import SEVERITIES, Scanner, Vulnerability
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.site.receiver import Receiver

_FAIL_ON = {
    "name": "fail_on",
    "long": "fail-on",
    "type": str,
    "default": "",
    "help": f"exit with 1 where one is as severe or worse: {', '.join(SEVERITIES)}",
}
_BEFORE = {
    "name": "before",
    "long": "before",
    "type": str,
    "default": "",
    "help": "the --write file of an earlier bundle: mark what is new, and judge that alone",
}
_WRITE = {"name": "write", "long": "write", "type": str, "default": "", "help": "write the result there, as JSON"}

_KEPT = "scan.json"  # the last result, for the report; beside the rehearsal's

Found = Mapping[Vulnerability, tuple[str, ...]]


class Scan(ReceiverCommand):
    """Looks for known vulnerabilities."""

    name = "scan"
    doc_purpose = COMMANDS["scan"].purpose
    doc_usage = "[--fail-on SEVERITY] [--before FILE] [--write FILE] [bundle=PATH]"
    doc_description = (
        "Each SBOM is given to grype or trivy: one of the bundle's tools, else on PATH. Neither downloads anything: "
        "its database must be there, and may come as a file (grype db import FILE). Without both nothing is scanned, "
        "and it ends with 1. The result is kept for doit report."
    )
    cmd_options = (_FAIL_ON, _BEFORE, _WRITE)

    def _execute(self, fail_on: str, before: str, write: str) -> int:
        return self._told(lambda receiver: _scan(receiver, fail_on, before, write))


def _scan(receiver: Receiver, fail_on: str, before: str, write: str) -> None:
    if fail_on and fail_on not in SEVERITIES:
        raise FormatError(f"--fail-on {fail_on}: expected one of {', '.join(SEVERITIES)}", hint="write --fail-on high")
    known = _known(Path(before)) if before else frozenset()
    bundle, console = receiver.carried.bundle, receiver.project.console
    scanner = Scanner(directories=(receiver.carried.tools,), env=receiver.project.env)
    found = _found(receiver, bundle, scanner)
    without = [image.name for image in bundle.manifest.images if not image.sbom]
    for each, images in found.items():
        new = "new " if before and (each.id, each.package) not in known else ""
        fixed = f", fixed in {each.fixed}" if each.fixed else ""
        console.line(f"{new}{each.severity:<10} {each.id} {each.package} {each.version} in {', '.join(images)}{fixed}")
    counts = [(level, sum(each.severity == level for each in found)) for level in SEVERITIES]
    told = ", ".join(f"{count} {level}" for level, count in counts if count) or "no known vulnerabilities"
    scanned = counted(len(bundle.manifest.images) - len(without), "image")
    console.line(f"{scanner.name}: {told} in {scanned} of {bundle.manifest.name} {bundle.manifest.version}")
    if without:
        console.line(f"not scanned, as the bundle has no SBOM of them: {', '.join(without)}")
    result = strict_json.readable(_written(bundle, scanner, found, without))
    for path in (receiver.options.state / _KEPT, *([Path(write)] if write else [])):
        write_bytes(path, result)
    judged = [each for each in found if (each.id, each.package) not in known]
    _judge(judged, without, fail_on)


def _judge(found: list[Vulnerability], without: list[str], fail_on: str) -> None:
    """A BundleError where the gate stays shut: for what is too severe, and for what nobody looked at."""
    if not fail_on:
        return
    gate = SEVERITIES.index(fail_on)
    bad = [f"{each.severity} {each.id} in {each.package}" for each in found if SEVERITIES.index(each.severity) <= gate]
    bad += [f"image {name!r} was not scanned" for name in without]
    if bad:
        raise BundleError(
            f"{len(bad)} stand against it at --fail-on {fail_on}:", bad, hint="take newer images: doit outdated"
        )


def _found(receiver: Receiver, bundle: OpenedBundle, scanner: Scanner) -> Found:
    """The vulnerabilities with the images that have them, the worst first."""
    images: dict[Vulnerability, list[str]] = {}
    make_private(receiver.state)
    with scratch_directory(receiver.state, "scan-") as place:
        for image in bundle.manifest.images:
            if image.sbom:
                document = place / "sbom.cdx.json"
                document.write_bytes(bundle.read(image.sbom))
                for each in scanner.scan(document, subject=f"image {image.name!r}"):
                    images.setdefault(each, []).append(image.name)
    ordered = sorted(images, key=lambda each: (SEVERITIES.index(each.severity), each))
    return {each: tuple(images[each]) for each in ordered}


def _written(bundle: OpenedBundle, scanner: Scanner, found: Found, without: list[str]) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "format": 1,
        "bundle": {"name": manifest.name, "version": manifest.version, "sums": str(bundle.sums_digest)},
        "scanner": scanner.name,
        "not_scanned": without,
        "vulnerabilities": [{**each.to_dict(), "images": list(images)} for each, images in found.items()],
    }


def scan_result(state: Path, bundle: OpenedBundle) -> Result:
    """What the last scan on this machine found, if it was one of these very files: to be weighed, so never `bad`."""
    kept = state / _KEPT
    if not kept.is_file():
        return Result(state="open", summary="nothing was scanned: doit scan")
    with storage_errors("read the last scan's result", kept):
        data = strict_json.loads(kept.read_bytes())
    if data["bundle"]["sums"] != str(bundle.sums_digest):
        return Result(state="open", summary="nothing was scanned: the last doit scan was of another bundle or build")
    found, unseen = data["vulnerabilities"], data["not_scanned"]
    details = [f"{each['severity']}: {each['id']} in {each['package']} {each['version']}" for each in found]
    details += [f"not scanned: image {name}" for name in unseen]
    count = f"{len(found)} known vulnerabilities"
    summary = f"{count}, by {data['scanner']}"
    return Result(state="open" if details else "good", summary=summary, details=tuple(details))


def _known(path: Path) -> frozenset[tuple[str, str]]:
    """What an earlier scan found, by vulnerability and package."""
    with storage_errors("read the earlier scan", path):
        text = path.read_bytes()
    try:
        return frozenset((each["id"], each["package"]) for each in strict_json.loads(text)["vulnerabilities"])
    except (ValueError, KeyError, TypeError) as err:
        hint = "name a file that doit scan --write has written"
        raise FormatError(f"{path} is no result of a scan", hint=hint) from err
