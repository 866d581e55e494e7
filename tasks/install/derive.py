"""The steps of images that are made at install: derived from one of the bundle's, to be pushed as the others are."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from tasks.runtime.step import Inputs, Step
from tasks.site.receiver import Receiver


def derive_steps(receiver: Receiver) -> Iterator[Step]:
    """`derive:<image>`: the image is made of its base and the site's certificates, and kept beside doit's state."""
    for image in receiver.carried.plan.derived:
        yield Step(
            base="derive",
            name=image.name,
            doc=f"make it of {image.base} and more certificates",
            action=partial(_derive, receiver, image.name),
            inputs=partial(_inputs, receiver, image.name),
            outputs=partial(_files, receiver, image.name),
            after=("transfer",),
        )


def _inputs(receiver: Receiver, name: str) -> Inputs:
    return receiver.derivations[name].inputs


def _files(receiver: Receiver, name: str) -> Iterable[Path]:
    return receiver.derivations[name].files


def _derive(receiver: Receiver, name: str) -> None:
    derivation = receiver.derivations[name]
    derivation.keep()
    made = derivation.made()
    receiver.project.note(f"derive:{name}", f"{made.root.digest}: {'; '.join(dict.fromkeys(made.notes))}")
