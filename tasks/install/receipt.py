"""`receipt`: what is inside now, for the people outside; a later bundle can be made against it. No secret."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import FormatError, StorageError, storage_errors
from bundle.storage.files import inside, write_bytes
from bundle.storage.private import make_private
from schema.syntax import template
from tasks.install.push import image_entry, image_parts
from tasks.runtime.step import Inputs, Step
from tasks.runtime.version import VERSION
from tasks.site.receiver import Receiver

if TYPE_CHECKING:
    from bundle.metadata.receipt import Receipt, ReceivedImage, ReceivedRelease


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


def receipt_path(receiver: Receiver) -> Path:
    """Where the receipt is written: beside doit's state."""
    from bundle.metadata.receipt import RECEIPT

    return receiver.state / RECEIPT


def own_receipt_path(receiver: Receiver) -> Path:
    """Where this application's receipt stays when another application is installed with the same state."""
    from bundle.metadata.receipt import RECEIPT

    return inside(receiver.state, receiver.carried.bundle.manifest.name) / RECEIPT


def last_receipt(receiver: Receiver) -> "tuple[Path, Receipt] | None":
    """What the last install of this application left; None when there was none, or its receipt tells nothing."""
    from bundle.metadata.receipt import Receipt

    for path in (receipt_path(receiver), own_receipt_path(receiver)):
        with contextlib.suppress(FormatError, StorageError), storage_errors("read the receipt", path):
            if (
                path.exists()
                and (found := Receipt.decode(path.read_bytes())).name == receiver.carried.bundle.manifest.name
            ):
                return path, found
    return None  # the next receipt puts it right


def renew_releases(receiver: Receiver) -> None:
    """Have the receipt, where there is one, tell the charts and revisions that run now; all else of it stays."""
    if last := last_receipt(receiver):
        _keep(receiver, replace(last[1], releases=tuple(_releases(receiver))))


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
    )
    _keep(receiver, receipt)
    receiver.project.note("receipt", str(receipt_path(receiver)))
    if not receiver.options.rehearsal:  # nobody has anything to do in a throwaway target
        receiver.project.closing = closing_notes(receiver)


def _keep(receiver: Receiver, receipt: "Receipt") -> None:
    own = own_receipt_path(receiver)
    make_private(own.parent)
    for path in (own, receipt_path(receiver)):
        write_bytes(path, receipt.encode())


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
