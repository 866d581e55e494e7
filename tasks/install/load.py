"""Images into the Docker Engine inside, before it pushes them; only where one is to be used."""

from collections.abc import Iterator
from functools import partial

from tasks.install.push import image_entry, planned_images, unmade
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver


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
    return unmade(receiver, name) or receiver.crossing.engine.not_loaded(image_entry(receiver, name))


def _load(receiver: Receiver, name: str) -> None:
    step = f"load:{name}"
    receiver.project.note(step, receiver.crossing.engine.load(image_entry(receiver, name), step))
