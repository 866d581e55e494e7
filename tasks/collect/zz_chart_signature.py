"""Whether a chart is signed with a key that its keyring holds, as `helm verify` finds it (Helm, "Provenance")."""

import tempfile
from pathlib import Path

from bundle.errors import MissingToolError, SignatureError, storage_errors
from bundle.oci.digest import Digest
from bundle.storage.files import place
from schema.lock import ChartPin
from schema.spec.contents import ChartSpec
from tasks.collect.helm import open_helm
from tasks.runtime.project import Project


def keyring_digest(chart: ChartSpec) -> Digest | None:
    """The sha256 of the file with the keys that a chart must be signed with, where it must."""
    if chart.keyring is None:
        return None
    with storage_errors(f"read the keyring of chart {chart.name!r}", chart.keyring):
        return Digest.of(chart.keyring.read_bytes())


def check_signed(project: Project, chart: ChartSpec, pin: ChartPin) -> None:
    """Does nothing for a chart without a keyring; a SignatureError for one that must be signed and is not.

    The package and its provenance file are in the cache. A MissingToolError when there is no helm to ask.
    """
    if chart.keyring is None:
        return
    subject = f"chart {chart.name!r}"
    if pin.provenance is None:
        raise SignatureError(
            f"{subject} is not signed, which verify.keyring wants: {chart.source_text} has no .prov file for it",
            hint="ask its publisher for a signed package (`helm package --sign`)",
        )
    try:
        helm = open_helm(project)
    except MissingToolError as err:
        raise MissingToolError(f"{subject}: {err.what}, so its signature can't be checked", hint=err.hint) from err
    with (
        storage_errors(f"check the signature of {subject}", project.options.state),
        tempfile.TemporaryDirectory(prefix="chart-", dir=project.options.state) as scratch,
    ):
        package = Path(scratch) / f"{chart.name}-{pin.version}.tgz"  # helm looks this name up in the signed list
        place(project.store.path(pin.sha256), package)
        place(project.store.path(pin.provenance), package.with_name(f"{package.name}.prov"))
        helm.verify(package, chart.keyring, subject=subject)
