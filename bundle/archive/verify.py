"""Checks a bundle where it lies: a directory, an archive, or its parts. Nothing is unpacked, written or deleted.

Who has a use for the bytes of its files is given them in the same reading.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bundle.archive._completeness import Discrepancy, check_completeness, with_owners
from bundle.archive.parts import find_archive, sums_path
from bundle.archive.use import Compared, Reading
from bundle.errors import BundleError, FormatError, storage_errors
from bundle.formats.sizes import counted
from bundle.metadata.base import Base
from bundle.metadata.checksums import MAX_SUMS, SUMS, UNLISTED, parse_sums
from bundle.meter import Meter, SilentMeter
from bundle.oci.digest import Digest
from bundle.signing.trust import Vouch, read_signature
from bundle.storage.files import CHUNK
from bundle.storage.tar_reader import Member, members
from bundle.storage.tree import MAX_ENTRIES, DirectoryTree, SeekingStream, TarTree, Tree, read_small, walk_files
from bundle.storage.volume import Part, Volume, VolumeStream


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was checked (`files`, and their `size` in bytes) and what was found; `notes` are no faults."""

    path: Path
    files: int
    size: int
    findings: tuple[Discrepancy, ...]
    notes: tuple[str, ...] = ()

    def raise_if_bad(self) -> None:
        """Raise a BundleError with all findings, if there are any."""
        if self.findings:
            raise BundleError(
                f"bundle {str(self.path)!r} failed verification: {counted(len(self.findings), 'problem')} "
                f"in {self.files} files",
                [str(finding) for finding in self.findings],
                hint="transfer what is named here again from the connected side, then verify again; "
                "if it is the same there, build the bundle anew",
            )


def verify(
    path: Path,
    *,
    meter: Meter | None = None,
    base: Base | None = None,
    vouch: Vouch | None = None,
    reading: Reading | None = None,
) -> VerifyReport:
    """Check a bundle directory, an archive, or the parts of one (any part's name will do).

    `vouch` is asked whether the list of checksums that everything is compared with can be trusted; its error comes
    through.
    Everything that is missing, extra or damaged is in the report, the bad part by its name; with a `base`, every blob
    that a delta leaves out and that is not there either. Raises only when there is
    no bundle at `path` (SourceError), or its list of parts can't be read (FormatError, StorageError).
    A `reading` says who gets the bytes of its files, and which are not read; what that raises comes through.
    """
    meter = meter or SilentMeter()
    with storage_errors(f"read bundle {str(path)!r}", path):
        demands = _Demands(path=path, vouch=vouch, base=base, reading=reading or Reading())
        return _verify_directory(path, meter, demands) if path.is_dir() else _verify_archive(path, meter, demands)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demands:
    """What a bundle is held against besides its own list of checksums."""

    path: Path
    vouch: Vouch | None
    base: Base | None
    reading: Reading

    def sums(self, tree: Tree) -> Mapping[str, Digest]:
        """The list of checksums, once it is vouched for."""
        raw = read_small(tree, SUMS, MAX_SUMS)
        if self.vouch:
            self.vouch(raw, read_signature(tree), subject=f"bundle {str(self.path)!r}")
        return parse_sums(raw, SUMS)


def _verify_directory(root: Path, meter: Meter, demands: _Demands) -> VerifyReport:
    findings: list[Discrepancy] = []
    sizes: dict[str, int] = {}
    for name, entry in walk_files(root):
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            findings.append(Discrepancy(kind="unsafe", item=name, expected="a file", observed="a link or special file"))
        else:
            sizes[name] = entry.stat(follow_symlinks=False).st_size
    reading = demands.reading
    read = [name for name in sorted(sizes, key=sizes.__getitem__, reverse=True) if not reading.skips(name, sizes[name])]
    meter.expect("verify", sum(sizes[name] for name in read))
    with ThreadPoolExecutor(reading.readers) as pool:
        results = list(pool.map(partial(_hash_one, root, meter, reading), read))
    findings += [result for result in results if isinstance(result, Discrepancy)]
    observed = {name: result for name, result in zip(read, results, strict=True) if isinstance(result, Digest)}
    checked, notes = _check_content(demands, DirectoryTree(root), observed, set(sizes), findings)
    size = sum(sizes[name] for name in observed)
    return VerifyReport(path=root, files=len(observed), size=size, findings=checked, notes=tuple(notes))


def _check_content(
    demands: _Demands, tree: Tree, observed: Mapping[str, Digest], present: set[str], findings: list[Discrepancy]
) -> tuple[tuple[Discrepancy, ...], list[str]]:
    """Compare what is there with SHA256SUMS, and that with manifest.json; what was found, and notes."""
    try:
        sums = demands.sums(tree)
    except FileNotFoundError:
        return (*findings, Discrepancy(kind="missing", item=SUMS, expected="the list of all checksums")), []
    except FormatError as err:
        return (*findings, Discrepancy(kind="unreadable", item=SUMS, observed=err.what)), []
    told = {finding.item for finding in findings}
    for name in sorted((sums.keys() | present) - told):
        if name not in present:
            findings.append(Discrepancy(kind="missing", item=name))
        elif name not in sums:
            if name not in UNLISTED:
                findings.append(Discrepancy(kind="extra", item=name, expected=f"only what {SUMS} lists"))
        elif name in observed and observed[name] != sums[name]:
            findings.append(
                Discrepancy(kind="damaged", item=name, expected=str(sums[name]), observed=str(observed[name]))
            )
    complete = check_completeness(tree, sums, demands.base)
    notes = [complete.note] if complete.note else []
    return with_owners([*findings, *complete.findings], complete.owners), notes


def _verify_archive(path: Path, meter: Meter, demands: _Demands) -> VerifyReport:
    files = find_archive(path)
    findings = [Discrepancy(kind="missing", item=name) for name in files.missing]
    sums = sums_path(files.archive).name
    findings += [Discrepancy(kind="extra", item=name, expected=f"only what {sums} lists") for name in files.extra]
    notes = [] if files.digests else [f"without {sums} a bad part can't be named"]
    parts = [
        Part(path=files.path(name), digest=files.digests.get(name)) for name in files.names if name not in files.missing
    ]
    volume = Volume(parts)
    reading = demands.reading
    meter.expect("verify", 0 if reading.passes_over else volume.size)
    if files.missing:
        findings += [] if reading.passes_over else _check_parts(parts, meter)
        notes.append("the files inside were not checked, because a part is missing")
        return VerifyReport(path=path, files=len(parts), size=volume.size, findings=tuple(findings), notes=tuple(notes))
    bad_parts: list[Discrepancy] = []
    if reading.passes_over:
        scan = scan_archive(SeekingStream(volume), SilentMeter(), reading)
    else:
        with volume.stream(lambda part, observed: bad_parts.append(_bad_part(part, observed))) as stream:
            scan = scan_archive(stream, meter, reading)
    findings += scan.findings
    if scan.broken:
        # A bad part is the reason of what its reader says, and the parts after an unreadable one were not seen.
        findings += (_check_parts(parts, SilentMeter()) if scan.unreadable else bad_parts) or [scan.broken]
        notes.append(f"the archive could be read up to its first {len(scan.observed)} files only")
        checked = tuple(findings)
    else:
        tree = TarTree(volume, scan.entries)
        checked, told = _check_content(demands, tree, scan.observed, set(scan.entries), findings + bad_parts)
        notes += told
    return VerifyReport(path=path, files=len(scan.observed), size=volume.size, findings=checked, notes=tuple(notes))


def _hash_one(root: Path, meter: Meter, reading: Reading, name: str) -> Digest | Discrepancy:
    compared = reading.begin(name)
    try:
        return _hash(root / name, meter, reading, compared)
    except OSError as err:
        compared.cut()
        return Discrepancy(kind="unreadable", item=name, observed=os.strerror(err.errno or 0))


def _check_parts(parts: Sequence[Part], meter: Meter) -> list[Discrepancy]:
    """Check each part for itself, where they can't be read as one."""
    findings = []
    for part in parts:
        result = _hash_one(part.path.parent, meter, Reading(), part.path.name)
        if isinstance(result, Discrepancy):
            findings.append(result)
        elif part.digest and part.digest != result:
            findings.append(_bad_part(part, result))
    return findings


def _bad_part(part: Part, observed: Digest) -> Discrepancy:
    return Discrepancy(kind="damaged", item=part.path.name, expected=str(part.digest), observed=str(observed))


def _hash(path: Path, meter: Meter, reading: Reading, compared: Compared) -> Digest:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            reading.check()
            compared.take(chunk)
            meter.advance("verify", len(chunk))
    return compared.end()


@dataclass(slots=True)
class ArchiveScan:
    """The files by their name below the archive's one top directory.

    `broken` is set when the archive could not be read to its end, `unreadable` when that was the disk's refusal.
    """

    entries: dict[str, Member] = field(default_factory=dict)
    observed: dict[str, Digest] = field(default_factory=dict)
    findings: list[Discrepancy] = field(default_factory=list)
    broken: Discrepancy | None = None
    unreadable: bool = False


def scan_archive(stream: VolumeStream | SeekingStream, meter: Meter, reading: Reading) -> ArchiveScan:
    """Read a stream to its end, whatever is in it."""
    scan = ArchiveScan()
    try:
        try:
            _scan_members(scan, stream, meter, reading)
        except FormatError as err:
            scan.broken = Discrepancy(kind="unreadable", item="archive", observed=err.what)
        while rest := stream.read(CHUNK):
            meter.advance("verify", len(rest))
            if not scan.broken and rest.strip(b"\0"):
                scan.broken = Discrepancy(kind="unreadable", item="archive", observed="data behind its end")
    except OSError as err:
        scan.broken = Discrepancy(kind="unreadable", item="archive", observed=os.strerror(err.errno or 0))
        scan.unreadable = True
    return scan


def _scan_members(scan: ArchiveScan, stream: VolumeStream | SeekingStream, meter: Meter, reading: Reading) -> None:
    top = ""
    for member in members(stream, limit=MAX_ENTRIES):
        first, _, name = member.name.partition("/")
        top = top or first
        if member.kind == "unsafe" or first != top:
            scan.findings.append(Discrepancy(kind="unsafe", item=member.name, expected=f"a path below {top}/"))
        elif member.kind == "directory":
            continue
        elif member.kind != "file" or not name:
            observed = "a special file" if member.kind == "other" else f"a {member.kind}"
            scan.findings.append(
                Discrepancy(kind="unsafe", item=name or member.name, expected="a file", observed=observed)
            )
        elif name in scan.entries:
            scan.findings.append(Discrepancy(kind="duplicate", item=name, expected="one entry of this name"))
        else:
            scan.entries[name] = member
            if not reading.skips(name, member.size):
                scan.observed[name] = _hash_member(stream, member.size, meter, reading, name)


def _hash_member(stream: VolumeStream | SeekingStream, size: int, meter: Meter, reading: Reading, name: str) -> Digest:
    compared = reading.begin(name)
    try:
        for chunk in stream.chunks(size):
            reading.check()
            compared.take(chunk)
            meter.advance("verify", len(chunk))
    except OSError:
        compared.cut()
        raise
    return compared.end()
