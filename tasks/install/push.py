"""Images into the registry inside, from the bundle or by way of a Docker Engine; what is there is left alone."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bundle.errors import FormatError, RegistryError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import ImageSource, Manifest, walk_manifests
from schema.spec.contents import DerivedImageSpec, ImageSpec
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver

if TYPE_CHECKING:
    from bundle.charts.artifact import ChartSource
    from bundle.metadata.entries import ChartEntry
    from bundle.metadata.manifest import ImageEntry
    from bundle.transfer.push import ImageSink


def push_steps(receiver: Receiver) -> Iterator[Step]:
    """`push:<image>`: the registry has the image under its name, with the bundle's digest."""
    for image, before in planned_images(receiver):
        base = (f"push:{image.base}",) if isinstance(image, DerivedImageSpec) else ()
        yield Step(
            base="push",
            name=image.name,
            doc=f"push it to {image.target}",
            action=partial(_push, receiver, image.name),
            inputs=dict,
            ready=partial(_absent, receiver, image.name),
            live=True,
            after=(*before, *base, *_loaded(receiver, image.name)),
        )
    if receiver.carried.plan.registry.charts:
        for chart in receiver.carried.plan.charts:
            yield Step(
                base="push",
                name=f"chart-{chart.name}",
                doc="push the chart as an OCI artifact",
                action=partial(_push_chart, receiver, chart.name),
                inputs=dict,
                ready=partial(_chart_absent, receiver, chart.name),
                live=True,
                after=("transfer",),
            )


def planned_images(receiver: Receiver) -> Iterator[tuple[ImageSpec | DerivedImageSpec, tuple[str, ...]]]:
    """The images that come inside, carried ones and those that are made of them, each with the steps right before."""
    for image in receiver.carried.plan.images:
        yield image, ("transfer",)
    for derived in receiver.carried.plan.derived:
        yield derived, (f"derive:{derived.name}",)


def unmade(receiver: Receiver, name: str) -> str:
    """That an image is not made yet, where it is one to be made: to tell whether it is inside, none is made."""
    made = receiver.derivations.get(name)
    return f"image {name!r} is not made yet" if made and not made.is_known else ""


def image_entry(receiver: Receiver, name: str) -> "ImageEntry":
    """The image of this name: the bundle's, or one that is made of the bundle's."""
    if name in receiver.derivations:
        return receiver.derivations[name].entry
    for entry in receiver.carried.bundle.manifest.images:
        if entry.name == name:
            return entry
    raise FormatError(f"the bundle holds no image {name!r}", hint="make the bundle again")


def image_parts(receiver: Receiver, entry: "ImageEntry") -> Mapping[Digest, Descriptor]:
    """The blobs (configs and layers) that an image consists of."""
    source = receiver.crossing.source(entry)
    manifests = walk_manifests(source.manifest, entry.root, f"image {entry.name!r}")
    return {blob.digest: blob for each in manifests if not each.is_index for blob in each.children()}


def _loaded(receiver: Receiver, name: str) -> list[str]:
    """The step that brings an image into the Docker Engine, where one pushes."""
    return [f"load:{name}"] if receiver.uses_engine else []


def _absent(receiver: Receiver, name: str) -> str:
    return unmade(receiver, name) or receiver.destination.stale(image_entry(receiver, name))


def _push(receiver: Receiver, name: str) -> None:

    project, entry = receiver.project, image_entry(receiver, name)
    source = receiver.crossing.source(entry)
    told = receiver.crossing.delivery.deliver(entry, source, project.transfers)
    push_attachments(receiver, entry, source)
    told += ", with all that is attached to it" if _attachments(receiver, entry) else ""
    project.note(f"push:{name}", told)


def _push_chart(receiver: Receiver, name: str) -> None:
    from bundle.transfer.push import push_image

    project, source = receiver.project, _chart_source(receiver, name)
    target, sink = _chart_place(receiver, name)
    pushed = push_image(
        source,
        source.resolve(),
        sink,
        subject=f"chart {name!r}",
        meter=project.console,
        transfers=project.transfers,
    )
    project.note(f"push:chart-{name}", f"oci://{target}" + ("" if pushed.changed else ", already there"))


def _chart_absent(receiver: Receiver, name: str) -> str:
    found = receiver.crossing.repositories.look_for_chart(name, *_chart_target(receiver, name))
    wanted = _chart_source(receiver, name).resolve().digest
    return "" if found == wanted else f"chart {name!r} is not in the registry"


def _chart_entry(receiver: Receiver, name: str) -> "ChartEntry":
    for entry in receiver.carried.bundle.manifest.charts:
        if entry.name == name:
            return entry
    raise FormatError(f"the bundle holds no chart {name!r}", hint="make the bundle again")


def _chart_source(receiver: Receiver, name: str) -> "ChartSource":
    from bundle.charts.artifact import ChartSource

    entry = _chart_entry(receiver, name)
    return ChartSource(
        receiver.carried.bundle.read(entry.file),
        metadata={"apiVersion": "v2", "name": entry.chart or entry.name, "version": entry.version},
        provenance=receiver.carried.bundle.read(entry.provenance) if entry.provenance else None,
        subject=f"chart {name!r}",
    )


def _chart_place(receiver: Receiver, name: str) -> "tuple[Reference, ImageSink]":
    return receiver.crossing.repositories.chart(name, *_chart_target(receiver, name))


def _chart_target(receiver: Receiver, name: str) -> tuple[str, str]:
    """Where a chart goes below the prefix, and its tag."""
    from bundle.charts.artifact import chart_tag, placed_names

    charts = receiver.carried.bundle.manifest.charts
    placed = placed_names((each.name, each.chart or each.name, each.version) for each in charts)
    path = posixpath.normpath(f"{receiver.carried.plan.registry.charts}/{placed[name]}")
    return path, chart_tag(_chart_entry(receiver, name).version)


# Not logins, limits and faults: these say nothing of what was pushed.
_REFUSED = frozenset({400, 404, 405, 413, 415, 422})


def push_attachments(receiver: Receiver, entry: "ImageEntry", source: ImageSource) -> None:
    """Bring everything that is attached to an image from its source into its repository; the image itself is there.

    A RegistryError says how to do without, where the registry refuses such things.
    """
    for attachment in _attachments(receiver, entry):
        try:
            _push_attachment(receiver, entry, attachment, source)
        except RegistryError as err:
            if err.status in _REFUSED:
                without = f"if this registry takes no such artifacts, set `referrers: false` of image {entry.name!r}"
                err.hint = f"{err.hint}; {without}" if err.hint else without
            raise


def _attachments(receiver: Receiver, entry: "ImageEntry") -> "tuple[Attachment, ...]":
    """What goes inside with an image: nothing by an Engine, which gives it another digest than they refer to."""
    return () if receiver.uses_engine else entry.attachments


def _push_attachment(receiver: Receiver, entry: "ImageEntry", attachment: Attachment, source: ImageSource) -> None:
    from bundle.transfer.push import push_image

    project, repositories = receiver.project, receiver.crossing.repositories
    raw = source.manifest(attachment.root)
    whole = Manifest.parse(raw, media_type=attachment.media_type, digest=attachment.digest)
    for root in whole.manifests if attachment.is_list else (whole.descriptor,):
        digest = root.digest if attachment.is_list else None
        push_image(
            source,
            root,
            repositories.attachment(entry, attachment.tag, digest),
            subject=f"image {entry.name!r}",
            meter=project.console,
            transfers=project.transfers,
            sent=repositories.sent(entry.name),
        )
    if attachment.is_list:
        repositories.lists(entry, attachment.tag).add(attachment.subject, whole)


def load_steps(receiver: Receiver) -> Iterator[Step]:
    """`load:<image>`: the Engine has the image under the name that it is pushed by."""
    if not receiver.uses_engine:
        return
    for image, before in planned_images(receiver):
        yield Step(
            base="load",
            name=image.name,
            doc="load it into the Docker Engine, and name it there",
            action=partial(_load, receiver, image.name),
            inputs=dict,
            ready=partial(_not_loaded, receiver, image.name),
            live=True,
            after=before,
            undo=receiver.project.engine_names(f"load:{image.name}"),
        )


def _not_loaded(receiver: Receiver, name: str) -> str:
    return unmade(receiver, name) or receiver.crossing.engine.not_loaded(image_entry(receiver, name))


def _load(receiver: Receiver, name: str) -> None:
    step = f"load:{name}"
    receiver.project.note(step, receiver.crossing.engine.load(image_entry(receiver, name), step))
