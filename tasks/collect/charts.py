"""The steps of charts: fetched, checked against their pin, kept in the cache, placed in the bundle."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import AirgapError, LockError, MissingToolError, SignatureError, storage_errors
from bundle.formats.sizes import human
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import LocalChart
from bundle.oci.media_types import HELM_CHART
from bundle.storage.files import place
from bundle.storage.scratch import scratch_directory
from schema.lock import ChartPin
from schema.spec.contents import ChartSpec
from tasks.collect.helm import open_helm
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step

if TYPE_CHECKING:
    from bundle.metadata.entries import ChartEntry


def chart_steps(project: Project) -> Iterator[Step]:
    """`chart:<chart>`: the packaged chart is in the growing bundle, with its provenance file where there is one."""
    for chart in project.spec.charts:
        yield Step(
            base="chart",
            name=chart.name,
            doc=f"bring {chart.source_text} {chart.version}".rstrip() + " into charts/",
            action=partial(_chart, project, chart),
            inputs=partial(_inputs, project, chart),
            outputs=partial(_files, project, chart),
            after=("file",) if chart.keyring else (),  # a carried helm checks the signature where there is no other
            local=(*_local_files(chart), *((chart.keyring,) if chart.keyring else ())),
            clean=partial(_made, project, chart),
        )


def chart_pin(project: Project, chart: ChartSpec) -> ChartPin | None:
    """The chart's pin, when the lock has one that belongs to what the spec says now."""
    pin = project.lock.charts.get(chart.name)
    return pin if pin and pin.fits(chart) else None


def resolve(project: Project, chart: ChartSpec, *, expected: Digest | None = None) -> ChartPin:
    """Fetch the chart into the cache and return its pin; a LockError when it is not the expected one."""
    fetched = project.charts.fetch(
        chart.source, name=chart.name, chart=chart.chart, version=chart.version, expected=expected
    )
    project.store.put(fetched.data)
    pin = ChartPin(
        source=chart.source_text,
        version=fetched.version,
        sha256=fetched.digest,
        size=len(fetched.data),
        provenance=project.store.put(fetched.provenance) if fetched.provenance else None,
        chart=fetched.name if fetched.name != chart.name else "",
    )
    for note in fetched.notes:
        project.console.line(f"   warning: chart {chart.name!r}: {note}")
    check_signed(project, chart, pin)
    return pin


def packaged(project: Project, chart: ChartSpec) -> Path:
    """The packaged chart in the cache, fetched when it is not there or local; the lock stays as it is."""
    pin = chart_pin(project, chart)
    if not pin or isinstance(chart.source, LocalChart) or not _cached(project, pin):
        remote = None if isinstance(chart.source, LocalChart) else pin
        pin = resolve(project, chart, expected=remote.sha256 if remote else None)
    return project.store.path(pin.sha256)


def chart_entry(project: Project, chart: ChartSpec) -> "ChartEntry":
    """What the manifest says of a chart."""
    from bundle.metadata.entries import ChartEntry

    pin = _required_pin(project, chart)
    return ChartEntry(
        name=chart.name,
        version=pin.version,
        source=chart.source_text,
        file=_path(project, chart, pin),
        digest=pin.sha256,
        size=pin.size,
        provenance=f"{_path(project, chart, pin)}.prov" if pin.provenance else "",
        keyring=keyring_digest(chart),
        chart=pin.chart,
    )


def identity(project: Project, chart: ChartSpec) -> Inputs | None:
    """What the manifest says of a chart follows from this; None while it is not pinned."""
    pin = chart_pin(project, chart)
    return {"sha256": str(pin.sha256), "keyring": str(keyring_digest(chart) or "")} if pin else None


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every file that the chart steps made, by its path in the bundle."""
    found = {}
    for chart in project.spec.charts:
        pin = _required_pin(project, chart)
        found[_path(project, chart, pin)] = pin.sha256
        if pin.provenance:
            found[f"{_path(project, chart, pin)}.prov"] = pin.provenance
    return found


def _required_pin(project: Project, chart: ChartSpec) -> ChartPin:
    pin = chart_pin(project, chart)
    if not pin:
        raise LockError(f"chart {chart.name!r} is not pinned", hint=f"doit chart:{chart.name}")
    return pin


def _path(project: Project, chart: ChartSpec, pin: ChartPin) -> str:
    """The chart's path in the bundle."""
    from bundle.charts.artifact import placed_names

    pins = ((each, project.lock.charts.get(each.name)) for each in project.spec.charts)
    known = ((each.name, found.chart or each.name, found.version) for each, found in pins if found)
    return f"charts/{placed_names(known).get(chart.name, chart.name)}-{pin.version}.tgz"


def _inputs(project: Project, chart: ChartSpec) -> Inputs | None:
    pin = chart_pin(project, chart)
    if not pin:
        return None
    inputs = {"source": pin.source, "version": pin.version, "sha256": str(pin.sha256), "tree": str(project.tree)}
    return {**inputs, "keyring": str(keyring_digest(chart))} if chart.keyring else inputs


def _local_files(chart: ChartSpec) -> Sequence[Path]:
    """The files that a local chart is made of; none when they can't be listed, which fetching it will report."""
    from bundle.charts.package import list_chart

    if not isinstance(chart.source, LocalChart):
        return ()
    path = chart.source.path
    try:
        return [file.path for file in list_chart(path, subject=chart.name)] if path.is_dir() else [path]
    except AirgapError:
        return ()


def _files(project: Project, chart: ChartSpec) -> Sequence[Path]:
    pin = chart_pin(project, chart)
    if not pin:
        return ()
    path = project.tree / _path(project, chart, pin)
    return (path, path.with_name(f"{path.name}.prov")) if pin.provenance else (path,)


def _made(project: Project, chart: ChartSpec) -> Sequence[Path]:
    """What `clean` removes: the files in the growing bundle, and those in the cache."""
    pin = chart_pin(project, chart)
    kept = [digest for digest in (pin.sha256, pin.provenance) if digest] if pin else []
    return (*_files(project, chart), *(project.store.path(digest) for digest in kept))


def _chart(project: Project, chart: ChartSpec) -> None:
    project.claim()
    pin = chart_pin(project, chart)
    if not pin or isinstance(chart.source, LocalChart) or not _cached(project, pin):
        found = resolve(project, chart, expected=pin.sha256 if pin else None)
        if found != pin:
            project.change_lock(lambda lock: lock.with_chart(chart.name, found))
        pin = found
    else:
        check_signed(project, chart, pin)
    path = project.tree / _path(project, chart, pin)
    place(project.store.path(pin.sha256), path)
    if pin.provenance:
        place(project.store.path(pin.provenance), path.with_name(f"{path.name}.prov"))
    signed = ", signature checked" if chart.keyring else ""
    project.note(f"chart:{chart.name}", f"{_path(project, chart, pin)}, {human(pin.size)}{signed}")


def _cached(project: Project, pin: ChartPin) -> bool:
    package = Descriptor(media_type=HELM_CHART, digest=pin.sha256, size=pin.size)
    return project.store.has(package) and (not pin.provenance or project.store.get(pin.provenance) is not None)


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
        scratch_directory(project.options.state, "chart-") as scratch,
    ):
        name = pin.chart or chart.name  # helm looks this name up in the signed list
        package = scratch / f"{name}-{pin.version}.tgz"
        place(project.store.path(pin.sha256), package)
        place(project.store.path(pin.provenance), package.with_name(f"{package.name}.prov"))
        helm.verify(package, chart.keyring, subject=subject)
