"""Bundles made by hand (`images/*.tar`, `charts/*.tgz`, `manifest.txt`): what is in one, and what it lacks."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archive.hand_made import SavedImage, chart_files, image_files, read_archive_images
from bundle.errors import AirgapError, BundleError, FormatError, storage_errors
from bundle.formats.sizes import human
from bundle.metadata.checksums import SUMS
from bundle.metadata.names import MANIFEST, MANIFEST_TEXT
from bundle.meter import Meter
from bundle.oci.locations import RegistryImage
from bundle.oci.reference import Reference
from clients.charts.metadata import read_metadata
from schema.spec.contents import ChartSpec, ImageSpec
from schema.spec.spec import Spec

if TYPE_CHECKING:
    from bundle.images.compressed import OpenZstd


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedChart:
    """A packaged chart, with what its Chart.yaml says."""

    file: Path
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMade:
    """What such a directory holds; `bad` tells of each file that can't be used. `text` is its manifest.txt, if any."""

    path: Path
    images: tuple[SavedImage, ...]
    charts: tuple[SavedChart, ...]
    bad: tuple[str, ...]
    text: str | None


def read_hand_made(path: Path, *, meter: Meter, open_zstd: "OpenZstd | None" = None) -> HandMade:
    """Read all images and charts to their end; what can't be used does not stop the rest."""
    images: list[SavedImage] = []
    charts: list[SavedChart] = []
    bad: list[str] = []
    for file in image_files(path):
        place, faults = str(file.relative_to(path)), list[AirgapError]()
        try:
            images += read_archive_images(file, meter=meter, bad=faults, open_zstd=open_zstd)
        except AirgapError as err:
            faults.append(err)
        bad += [_told(place, file.name, err) for err in faults]
    for file in chart_files(path):
        try:
            with storage_errors(f"read {file.name!r}", file):
                metadata = read_metadata(file.read_bytes(), subject=file.name).metadata
            charts.append(SavedChart(file=file, name=metadata.name, version=metadata.version))
        except AirgapError as err:
            bad.append(_told(f"charts/{file.name}", file.name, err))
    text = path / MANIFEST_TEXT
    told = text.read_text("utf-8", "replace") if text.is_file() else None
    return HandMade(path=path, images=tuple(images), charts=tuple(charts), bad=tuple(bad), text=told)


def check_hand_made(path: Path, spec: Spec | None, *, meter: Meter) -> None:
    """Raise the BundleError that tells what such a bundle lacks: it is never one that could be installed as it is.

    With a spec, also what of it is not there.
    """
    made = read_hand_made(path, meter=meter)
    found = [*_found(made), *_lacks(made), *made.bad, *(_absent(made, spec) if spec else ())]
    raise BundleError(
        f"bundle {str(path)!r} was made by hand: {len(made.images)} images and {len(made.charts)} charts can be used",
        found,
        hint=f"doit adopt bundle={shlex.quote(str(path))} makes them the sources of a spec; "
        "doit bundle then makes a whole one",
    )


def match_image(image: ImageSpec, saved: Sequence[SavedImage]) -> SavedImage | None:
    """The saved image that a spec's image is: by its name inside or at its source, else by its last part alone."""
    wanted = {str(image.target)}
    if isinstance(image.source, RegistryImage):
        wanted.add(_full(image.source.reference))
    named = {each: reference for each in saved if (reference := reference_of(each))}
    exact = [each for each, reference in named.items() if _full(reference) in wanted]
    short = f"{image.target.name}:{image.target.tag}"
    alike = [each for each, reference in named.items() if f"{reference.name}:{reference.tag or 'latest'}" == short]
    return next(iter(exact), alike[0] if len(alike) == 1 else None)


def match_chart(chart: ChartSpec, saved: Sequence[SavedChart]) -> SavedChart | None:
    """The packaged chart that a spec's chart is: of its name and version."""
    return next((each for each in saved if each.name == chart.name and chart.version in ("", each.version)), None)


def reference_of(saved: SavedImage) -> Reference | None:
    """The name in the archive as a reference; None when it is none. A layout's bare tag is one of its directory."""
    if saved.file.is_dir() and saved.ref and not {"/", ":", "@"} & set(saved.ref):
        name = f"{saved.file.name}:{saved.ref}"
    else:
        name = saved.ref
    try:
        return Reference.parse(name)
    except FormatError:
        return None


def _full(reference: Reference) -> str:
    return f"{reference.repository}:{reference.tag or 'latest'}"


def _told(place: str, subject: str, err: AirgapError) -> str:
    what = err.what.removeprefix(f"{subject}: ").removeprefix(f"{subject} ")
    return f"unusable: {place}: {what}" + (f"; {err.hint}" if err.hint else "")


def _found(made: HandMade) -> Iterator[str]:
    for image in made.images:
        others = "other platforms are not in it" if image.partial else ""
        about = ", ".join(filter(None, [image.platform, human(image.size), others]))
        yield f"found: {image.file.relative_to(made.path)}: {image.ref or 'an image without a name'} ({about})"
    for chart in made.charts:
        yield f"found: charts/{chart.file.name}: chart {chart.name} {chart.version}"


def _lacks(made: HandMade) -> Iterator[str]:
    yield f"absent: {SUMS}: nothing shows whether a file was damaged on the way"
    yield f"absent: {MANIFEST}: nothing says which digests the images are to have, or had at their source"
    yield "absent: airgap.json, airgap.pyz: nothing installs it, and nothing proves that the charts' images are here"
    if made.text is None:
        yield f"absent: {MANIFEST_TEXT}: images and versions are stated nowhere"
        return
    for image in made.images:
        reference = reference_of(image)
        if reference and not (reference.name in made.text and reference.tag in made.text):
            yield f"absent: {MANIFEST_TEXT} does not name image {image.ref}"


def _absent(made: HandMade, spec: Spec) -> Iterator[str]:
    for image in spec.images:
        if match_image(image, made.images) is None:
            yield f"missing: image {image.name!r} of {spec.path.name} ({image.target}) is in no archive"
    for chart in spec.charts:
        if match_chart(chart, made.charts) is None:
            yield f"missing: chart {chart.name!r} {chart.version} of {spec.path.name} is not in charts/"
