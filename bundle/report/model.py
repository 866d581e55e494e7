"""The reviewer's report: what a bundle holds, what is proven of it, and what is new (schema/report.schema.json).

The page (bundle/report_page.py) and report.json say the same, from this one model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from bundle.archive.parts import sums_path
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.metadata.checksums import SUMS
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.receipt import RECEIPT
from bundle.oci.digest import Digest
from bundle.report._sharing import Share, left_out, shares
from bundle.report.changes import Changes
from bundle.sbom.summary import LicenceCount, SbomSummary, licence_counts
from bundle.signing.ssh_signature import NAMESPACE
from bundle.signing.trust import CHECK_COMMAND

FORMAT_VERSION = 1
SUBJECTS = ("checksums", "signature", "proof", "rehearsal", "vulnerabilities")

State = Literal["good", "bad", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check found: `good`, `bad`, or `open` where it was not made or did not decide; `details` are sentences."""

    state: State
    summary: str
    details: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"state": self.state, "summary": self.summary, "details": list(self.details)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to type: `lines` for a shell, and what it shows when all is well."""

    title: str
    lines: tuple[str, ...]
    expect: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"title": self.title, "lines": list(self.lines), "expect": self.expect}


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One file as it is carried: the archive or a part of it, and its size in bytes where it is at hand."""

    file: str
    digest: Digest
    size: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"file": self.file, "sha256": self.digest.hex, "size": self.size}


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the page tells. `packages` has the images with an SBOM; `install` the files that the install reads.

    `results` has every one of SUBJECTS. `changes` is None when nothing was named to compare with.
    """

    manifest: BundleManifest
    packages: Mapping[str, SbomSummary]
    install: Mapping[str, Digest]
    media: tuple[Medium, ...]
    results: Mapping[str, Result]
    changes: Changes | None
    commands: tuple[Command, ...]

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """Whose configs and layers take how much, the largest share first."""
        return shares(self.manifest)

    @cached_property
    def licences(self) -> tuple[LicenceCount, ...]:
        """The licences of all packages, the most frequent first."""
        return licence_counts(self.packages)

    @cached_property
    def package_count(self) -> int:
        """Different packages in all images; one that is there in two versions is two."""
        found = {
            (name, each)
            for sbom in self.packages.values()
            for name, versions in sbom.versions.items()
            for each in versions
        }
        return len(found)

    @property
    def image_bytes(self) -> int:
        """What the images' configs and layers take in this bundle, each once."""
        return sum(share.size for share in self.shares)

    def own(self, name: str) -> int:
        """The bytes that only this image needs."""
        return sum(share.size for share in self.shares if share.images == (name,))

    @property
    def left_out_bytes(self) -> int:
        """What a delta leaves out, each blob once."""
        return sum(left_out(self.manifest).values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, of report.schema.json."""
        return {
            "format": FORMAT_VERSION,
            "manifest": self.manifest.to_dict(),
            "images": [self._image(entry.name) for entry in self.manifest.images],
            "image_bytes": self.image_bytes,
            "left_out_bytes": self.left_out_bytes,
            "shares": [share.to_dict() for share in self.shares],
            "packages": self.package_count,
            "licences": [count.to_dict() for count in self.licences],
            "install": [{"file": name, "sha256": digest.hex} for name, digest in self.install.items()],
            "media": [medium.to_dict() for medium in self.media],
            "results": {subject: self.results[subject].to_dict() for subject in SUBJECTS},
            "changes": self.changes.to_dict() if self.changes else None,
            "commands": [command.to_dict() for command in self.commands],
        }

    def encode(self) -> bytes:
        """The bytes of report.json."""
        return strict_json.readable(self.to_dict())

    def _image(self, name: str) -> dict[str, Any]:
        held = self.packages.get(name)
        return {
            "name": name,
            "own": self.own(name),
            "packages": None if held is None else dict(held.types),
            "not_read": [] if held is None else list(held.not_read),
        }


def proof_result(manifest: BundleManifest) -> Result:
    """What the manifest says of the proof that every image the releases use is here."""
    if not manifest.proof:
        return Result(state="open", summary="nothing to prove: the bundle names no release")
    open_ones = [entry for entry in manifest.proof if not entry.proven]
    details = tuple(
        f"{entry.release}: proven" if entry.proven else f"{entry.release}: not proven, {entry.reason}"
        for entry in manifest.proof
    )
    if open_ones:
        summary = f"not proven for {counted(len(open_ones), 'release')} of {len(manifest.proof)}"
        return Result(state="open", summary=summary, details=details)
    summary = f"every image that the charts of {counted(len(manifest.proof), 'release')} render is in the bundle"
    return Result(state="good", summary=summary, details=details)


def check_commands(manifest: BundleManifest) -> Iterator[Command]:
    """From what is carried to what is in it."""
    directory = manifest.stem
    if manifest.archive:
        archive = f"{directory}.tar"
        yield Command(
            title="The archive or its parts, as they are carried",
            lines=(f"sha256sum -c {quote(sums_path(Path(archive)).name)}",),
            expect="OK for each file",
        )
        joined = f"cat {quote(archive)}.[0-9]* | tar -xf -" if manifest.split else f"tar -xf {quote(archive)}"
        yield Command(title="Unpack it", lines=(joined,), expect=f"nothing, and the directory {directory} is there")
    yield Command(title="Into the bundle's directory", lines=(f"cd {quote(directory)}",), expect="nothing")
    if manifest.signed:
        yield Command(
            title="Who made it, by this site's own list of signers and a name in it",
            lines=(CHECK_COMMAND,),
            expect=f'Good "{NAMESPACE}" signature',
        )
    yield Command(title="Every file of the bundle", lines=(f"sha256sum -c --quiet {SUMS}",), expect="nothing")
    yield Command(
        title="Nothing missing or extra, every image whole: by the bundle's own program, so only after the others",
        lines=("python3 airgap.pyz verify" + (f" since={RECEIPT}" if manifest.delta else ""),),
        expect="all checksums match",
    )
