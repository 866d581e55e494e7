"""One pass over an archive: what is in it, each file's digest, and what must not be there."""

import hashlib
import os
from dataclasses import dataclass, field

from bundle.archive.zz_finding import Finding
from bundle.errors import FormatError
from bundle.meter import Meter
from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK
from bundle.storage.tar_reader import Member, members
from bundle.storage.volume import VolumeStream


@dataclass(slots=True)
class ArchiveScan:
    """The files by their name below the archive's one top directory.

    `broken` is set when the archive could not be read to its end, `unreadable` when that was the disk's refusal.
    """

    entries: dict[str, Member] = field(default_factory=dict)
    observed: dict[str, Digest] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken: Finding | None = None
    unreadable: bool = False


def scan_archive(stream: VolumeStream, meter: Meter) -> ArchiveScan:
    """Read a stream to its end, whatever is in it."""
    scan = ArchiveScan()
    try:
        try:
            _scan_members(scan, stream, meter)
        except FormatError as err:
            scan.broken = Finding(kind="unreadable", item="archive", observed=err.what)
        while rest := stream.read(CHUNK):
            meter.advance("verify", len(rest))
            if not scan.broken and rest.strip(b"\0"):
                scan.broken = Finding(kind="unreadable", item="archive", observed="data behind its end")
    except OSError as err:
        scan.broken = Finding(kind="unreadable", item="archive", observed=os.strerror(err.errno or 0))
        scan.unreadable = True
    return scan


def _scan_members(scan: ArchiveScan, stream: VolumeStream, meter: Meter) -> None:
    top = ""
    for member in members(stream):
        first, _, name = member.name.partition("/")
        top = top or first
        if member.kind == "unsafe" or first != top:
            scan.findings.append(Finding(kind="unsafe", item=member.name, expected=f"a path below {top}/"))
        elif member.kind == "directory":
            continue
        elif member.kind != "file" or not name:
            observed = "a special file" if member.kind == "other" else f"a {member.kind}"
            scan.findings.append(Finding(kind="unsafe", item=name or member.name, expected="a file", observed=observed))
        elif name in scan.entries:
            scan.findings.append(Finding(kind="duplicate", item=name, expected="one entry of this name"))
        else:
            scan.entries[name] = member
            scan.observed[name] = _hash_member(stream, member.size, meter)


def _hash_member(stream: VolumeStream, size: int, meter: Meter) -> Digest:
    hasher = hashlib.sha256()
    for chunk in stream.chunks(size):
        hasher.update(chunk)
        meter.advance("verify", len(chunk))
    return Digest(algorithm="sha256", hex=hasher.hexdigest())
