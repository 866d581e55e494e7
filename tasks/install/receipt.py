"""`receipt`: what is inside now, for the people outside; a later bundle can be made against it. No secret."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from schema.syntax import template
from tasks.install.push import image_entry, image_parts
from tasks.runtime.step import Inputs, Step
from tasks.runtime.version import VERSION
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import keep_receipt, last_receipt, receipt_path
from tasks.site.records.left_over import left_over, made_secrets, told

if TYPE_CHECKING:
    from bundle.metadata.receipt import ReceivedImage, ReceivedRelease


def receipt_steps(receiver: Receiver) -> Iterator[Step]:
    """`receipt`: the receipt tells what the last change made."""
    install = receiver.carried.plan.install
    yield Step(
        base="receipt",
        doc="write receipt.json",
        action=partial(_write, receiver),
        inputs=partial(_inputs, receiver),
        outputs=lambda: (receipt_path(receiver),),
        after=[
            "push",
            "secret",
            *(f"health:{release.name}" for release in install.releases),
            *(f"action:{action.name}" for action in install.actions),
        ],
    )


def renew_releases(receiver: Receiver) -> None:
    """Have the receipt, where there is one, tell the charts and revisions that run now, and what is left over."""
    if last := last_receipt(receiver):
        now = replace(
            last[1],
            releases=tuple(_releases(receiver)),
            secrets=tuple(made_secrets(receiver)),
            left_over=left_over(receiver),
        )
        keep_receipt(receiver, now)


def closing_notes(receiver: Receiver) -> str:
    """What the spec has people told at the end of an install; empty where it has nothing."""
    notes = template.parse(receiver.carried.spec.install.notes)
    return f"\n{template.render(notes, receiver.facts_before_secrets)}" if notes else ""


def _inputs(receiver: Receiver) -> Inputs:
    return {
        "bundle": str(receiver.carried.bundle.sums_digest),
        "images": {name: str(target) for name, target in receiver.images.references.items()},
        "digests": {
            name: str(receiver.destination.digest(image_entry(receiver, name))) for name in receiver.images.references
        },
        "releases": {each.name: each.revision for each in _releases(receiver)},
    }


def _write(receiver: Receiver) -> None:
    from bundle.metadata.receipt import Receipt, ReceivedChart

    manifest = receiver.carried.bundle.manifest
    receipt = Receipt(
        tool=VERSION,
        installed=datetime.now(UTC).replace(microsecond=0),
        name=manifest.name,
        version=manifest.version,
        id=manifest.id,
        sums=receiver.carried.bundle.sums_digest,
        created=manifest.created,
        platform=manifest.platform,
        images=tuple(_image(receiver, name) for name in receiver.images.references),
        charts=tuple(ReceivedChart(name=e.name, version=e.version, digest=e.digest) for e in manifest.charts),
        releases=tuple(_releases(receiver)),
        secrets=tuple(made_secrets(receiver)),
        left_over=left_over(receiver),
    )
    keep_receipt(receiver, receipt)
    receiver.project.note("receipt", str(receipt_path(receiver)))
    notes = "" if receiver.options.rehearsal else closing_notes(receiver)  # a throwaway target needs nobody
    receiver.project.closing = "\n".join([*told(receipt.left_over), notes])


def _image(receiver: Receiver, name: str) -> "ReceivedImage":
    from bundle.metadata.receipt import ReceivedImage

    entry = image_entry(receiver, name)
    parts = receiver.destination.held(entry, image_parts(receiver, entry))
    return ReceivedImage(
        name=name,
        reference=receiver.images.references[name],
        digest=receiver.destination.digest(entry),
        blobs={digest: part.size for digest, part in parts.items()},
    )


def _releases(receiver: Receiver) -> "Iterator[ReceivedRelease]":
    from bundle.metadata.receipt import ReceivedRelease

    for release in receiver.carried.spec.install.releases:
        now = receiver.cluster.release(release)
        if now:
            yield ReceivedRelease(name=now.name, namespace=now.namespace, revision=now.revision, chart=now.chart)
