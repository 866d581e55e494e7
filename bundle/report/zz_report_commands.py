"""What a reviewer types to check a bundle with what every Linux has, before anything of it is run."""

from collections.abc import Iterator
from pathlib import Path

from bundle.archive.parts import sums_path
from bundle.metadata.checksums import SUMS
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.receipt import RECEIPT
from bundle.report.model import Command
from bundle.signing.ssh_signature import NAMESPACE
from bundle.signing.trust import CHECK_COMMAND


def check_commands(manifest: BundleManifest) -> Iterator[Command]:
    """From what is carried to what is in it."""
    directory = manifest.stem
    if manifest.archive:
        archive = f"{directory}.tar"
        yield Command(
            title="The archive or its parts, as they are carried",
            lines=(f"sha256sum -c {sums_path(Path(archive)).name}",),
            expect="OK for each file",
        )
        joined = f"cat {archive}.[0-9]* | tar -xf -" if manifest.split else f"tar -xf {archive}"
        yield Command(title="Unpack it", lines=(joined,), expect=f"nothing, and the directory {directory} is there")
    yield Command(title="Into the bundle's directory", lines=(f"cd {directory}",), expect="nothing")
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
        expect="all as their checksums say",
    )
