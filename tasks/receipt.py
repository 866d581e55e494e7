"""`receipt.json`: what is inside now, for the people outside; a later bundle can be made against it. No secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bundle.files import write_bytes
from tasks.push import image_parts
from tasks.receiver import Receiver
from tasks.step import Inputs, Step
from tasks.version import VERSION

FORMAT_VERSION = 1


def receipt_steps(receiver: Receiver) -> Iterator[Step]:
    """`receipt`: the receipt tells what the last change made."""
    install = receiver.plan_spec.install
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
    return receiver.state / "receipt.json"


def _inputs(receiver: Receiver) -> Inputs:
    return {
        "bundle": str(receiver.bundle.manifest.id),
        "images": {name: str(target) for name, target in receiver.images.references.items()},
        "releases": {each["name"]: each["revision"] for each in _releases(receiver)},
    }


def _write(receiver: Receiver) -> None:
    manifest = receiver.bundle.manifest
    data = {
        "format": FORMAT_VERSION,
        "tool": VERSION,
        "installed": datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        "bundle": {"name": manifest.name, "version": manifest.version, "id": str(manifest.id)},
        "images": [_image(receiver, entry.name) for entry in manifest.images],
        "charts": [{"name": each.name, "version": each.version, "sha256": each.digest.hex} for each in manifest.charts],
        "releases": _releases(receiver),
    }
    path = receipt_path(receiver)
    write_bytes(path, (json.dumps(data, indent=2, sort_keys=True) + "\n").encode())
    receiver.project.note("receipt", str(path))


def _image(receiver: Receiver, name: str) -> dict[str, Any]:
    entry = receiver.images.images[name]
    parts = image_parts(receiver, entry)
    return {
        "name": name,
        "ref": str(receiver.images.references[name]),
        "digest": str(entry.digest),
        "blobs": {str(digest): part.size for digest, part in sorted(parts.items())},
    }


def _releases(receiver: Receiver) -> list[dict[str, Any]]:
    found = []
    for release in receiver.spec.install.releases:
        now = receiver.release(release)
        if now:
            found.append({"name": now.name, "namespace": now.namespace, "revision": now.revision, "chart": now.chart})
    return found
