"""Images into the Docker Engine inside, before it pushes them; only where one is to be used."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from tasks.install.push import image_entry, planned_images, unmade
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver

if TYPE_CHECKING:
    from tasks.site.engine_destination import EngineDestination


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
            ready=partial(_absent, receiver, image.name),
            live=True,
            after=before,
            undo=receiver.project.engine_names(f"load:{image.name}"),
        )


def _absent(receiver: Receiver, name: str) -> str:
    return unmade(receiver, name) or _destination(receiver).not_loaded(image_entry(receiver, name))


def _load(receiver: Receiver, name: str) -> None:
    step = f"load:{name}"
    receiver.project.note(step, _destination(receiver).load(image_entry(receiver, name), step))


def _destination(receiver: Receiver) -> "EngineDestination":
    """By way of the Engine that these steps are there for."""
    return cast("EngineDestination", receiver.destination)
