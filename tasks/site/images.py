"""How a bundle's images get inside: what they are read from, the registry, the way there; each met when needed."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archive.reader import OpenedBundle
from bundle.metadata.manifest import ImageEntry
from bundle.transfer.image import ImageSource
from tasks.site.delta import Inside
from tasks.site.derivation import Derivation
from tasks.site.destination import Destination, DestinationSettings

if TYPE_CHECKING:
    from clients.engine.source import EngineImages


class Crossing:
    """What one installation knows of its images and their registry; what is asked of that is asked once.

    `made` are the images that are made of the bundle's. `engine` gives those of the Docker Engine that loads and
    pushes, which notes what it did in `state`; None where none does.
    """

    def __init__(
        self, bundle: OpenedBundle, place: DestinationSettings, *, made: Callable[[], Mapping[str, Derivation]],
        engine: "Callable[[], EngineImages] | None", state: Path,
    ) -> None:  # fmt: skip
        self._bundle = bundle
        self._place = place
        self._made = made
        self._engine = engine
        self._state = state

    @cached_property
    def destination(self) -> Destination:
        """The registry that images are brought to, by whichever way."""
        if self._engine is None:
            return Destination(self._place)
        from tasks.site.engine_destination import EngineDestination  # few installs use one

        return EngineDestination(self._place, images=self._engine(), state=self._state, open_image=self.source)

    @cached_property
    def inside(self) -> Inside | None:
        """What a delta leaves out, in that registry; None for a full bundle."""
        manifest = self._bundle.manifest
        return Inside(manifest, manifest.delta, self.destination) if manifest.delta else None

    def image(self, entry: ImageEntry) -> ImageSource:
        """An image of the bundle; what a delta leaves out of it is read from the registry."""
        carried = self._bundle.image(entry)
        return self.inside.complete(carried, entry) if self.inside else carried

    def source(self, entry: ImageEntry) -> ImageSource:
        """An image of the bundle, or one that is made of it."""
        made = self._made().get(entry.name)
        return made.source() if made else self.image(entry)
