"""Whether a cluster could pull every image that the releases use: from the throwaway registry, and from there alone."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bundle.errors import AirgapError, FormatError, SourceError, storage_errors
from bundle.formats.fields import Fields
from bundle.metadata.receipt import RECEIPT
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from clients.charts.images import FoundImage, find_images, ignored
from clients.http.transport import Transport
from clients.registry.repository import Registries
from schema.site.site import Site
from schema.site.stand_ins.charts import StandIns, shaped
from schema.spec.contents import DerivedImageSpec
from schema.spec.install import ReleaseSpec
from schema.values.chart import ChartValues
from schema.values.rendered import rendered_file
from tasks.site.receiver import Receiver


def unpullable(receiver: Receiver, release: ReleaseSpec, site: Path) -> tuple[int, list[str]]:
    """How many images a release uses as rendered by helm, and what stands in the way of pulling them."""
    spec = receiver.carried.spec
    generated = {secret.name: secret.generate for secret in spec.install.secrets if secret.generate}
    made = {image.name: partial(_pushed, receiver, image) for image in spec.derived}
    lookup = StandIns(images=replace(receiver.images, derived=made), site=Site.load(site), generated=generated)
    chart = receiver.carried.chart(release.chart)
    values = receiver.values(release, lookup)
    defaults = ChartValues.read(chart.read_bytes(), subject=f"chart {release.chart!r}")
    with rendered_file(shaped(values, defaults)) as path:
        text = receiver.cluster.helm.template(release.name, chart, namespace=release.namespace, values=path)
    found = find_images(text, fields=spec.discovery.fields, subject=f"release {release.name!r}")
    certain = {each.text: each for each in found if each.certain and not ignored(each, release.ignore_images)}
    return len(certain), [problem for each in certain.values() for problem in _problem(receiver, release, each)]


def _pushed(receiver: Receiver, image: DerivedImageSpec) -> Digest:
    """What the rehearsed install has made of an image of the bundle."""
    found = receiver.destination.present(image)
    if found is None:
        raise SourceError(f"image {image.name!r} is not in the registry")
    return found


def _problem(receiver: Receiver, release: ReleaseSpec, found: FoundImage) -> Iterator[str]:
    where = f"release {release.name!r}, {found.object}, {found.field}: image {found.text!r}"
    try:
        reference = _inside(receiver, Reference.parse(found.text))
    except FormatError as err:
        yield f"{where} is no image reference: {err.what}"
        return
    host = receiver.options.registry.partition("/")[0]
    if reference.host != host:
        yield (
            f"{where} is not in the bundle's registry: nodes inside can't pull it\n"
            "next: add it to images: and name it in the values as ${image.NAME.ref}"
        )
        return
    try:
        with Transport(receiver.hosts, meter=receiver.project.console, pool_size=1) as transport:
            Registries(transport).repository(reference, subject=f"image {found.text!r}").resolve()
    except AirgapError as err:
        yield f"{where} can't be pulled: {err.what}\nnext: is its name and tag that of an image of the bundle?"


def _inside(receiver: Receiver, reference: Reference) -> Reference:
    """A name below the spec's own prefix leads to the throwaway registry, which stands for it."""
    text, prefix = str(reference), f"{receiver.carried.spec.registry.prefix}/"
    if not text.startswith(prefix):
        return reference
    return Reference.parse(f"{receiver.options.registry}/{text.removeprefix(prefix)}")


def compare_receipt(receiver: Receiver, path: Path) -> tuple[list[str], list[str]]:
    """Each image inside as receipt and registry tell of it: those that are as they left, and failures in words."""
    with storage_errors("read the receipt", path):
        receipt = Fields.decode(path.read_bytes(), RECEIPT)
    told = {each.text("name"): each.text("digest") for each in receipt.objects("images")}
    arrived, failures = [], []
    for entry in receiver.carried.bundle.manifest.images:
        found = receiver.destination.present(entry)
        if found != entry.digest or told.get(entry.name) != str(entry.digest):
            said = f"the receipt {told.get(entry.name)}, the registry {found}, expected {entry.digest}"
            failures.append(f"image {entry.name!r} is not inside as it left: {said}")
        else:
            arrived.append(f"image {entry.name}: {entry.digest}, the same on both sides")
    for image in receiver.carried.spec.derived:
        found = receiver.destination.present(image)
        if str(found) != told.get(image.name):
            failures.append(f"image {image.name!r}: the receipt says {told.get(image.name)}, the registry {found}")
        else:
            arrived.append(f"image {image.name}: {found}, made of {image.base}")
    return arrived, failures
