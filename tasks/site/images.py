"""How a bundle's images get inside: what they are read from, the registry, the way there; each met when needed."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archive.reader import OpenedBundle
from bundle.metadata.manifest import ImageEntry
from bundle.oci import media_types
from bundle.transfer.image import ImageSource
from tasks.site.delta import Inside
from tasks.site.derivation import Derivation
from tasks.site.destination import Delivery, Destination, DestinationSettings
from tasks.site.repositories import DirectDelivery, Repositories

if TYPE_CHECKING:
    from clients.engine.source import EngineImages
    from clients.preflight.findings import Findings
    from tasks.site.engine_delivery import EngineDelivery

_DOCKER_KINDS = {
    media_types.DOCKER_MANIFEST: (media_types.DOCKER_MANIFEST,),
    media_types.DOCKER_INDEX: (media_types.DOCKER_INDEX, media_types.DOCKER_MANIFEST),
}


class Crossing:
    """What one installation knows of its images and their registry; what is asked of that is asked once.

    `made` are the images that are made of the bundle's. `engine` gives those of the Docker Engine that loads and
    pushes where `by_engine` says so, and notes what it did in `state`.
    """

    def __init__(
        self, bundle: OpenedBundle, settings: DestinationSettings, *, made: Callable[[], Mapping[str, Derivation]],
        engine: "Callable[[], EngineImages]", by_engine: bool, state: Path,
    ) -> None:  # fmt: skip
        self._bundle = bundle
        self._settings = settings
        self._made = made
        self._engine = engine
        self._by_engine = by_engine
        self._state = state

    @cached_property
    def repositories(self) -> Repositories:
        """The registry's repositories, as this machine reaches them."""
        return Repositories(self._settings)

    @cached_property
    def engine(self) -> "EngineDelivery":
        """The way by the Docker Engine."""
        from tasks.site.engine_delivery import EngineDelivery  # few installs use one

        return EngineDelivery(
            self._settings, self.repositories, images=self._engine(), state=self._state, open_image=self.source
        )

    @cached_property
    def delivery(self) -> Delivery:
        """The way that images take."""
        return self.engine if self._by_engine else DirectDelivery(self._settings, self.repositories)

    @cached_property
    def destination(self) -> Destination:
        """The registry that images are brought to, by whichever way."""
        return Destination(self._settings, self.delivery)

    def findings(self) -> "Findings":
        """What stands in the way of pushing."""
        if self._by_engine:
            return self.engine.findings(self.destination)
        from clients.preflight.site import registry  # only a run that changes something needs the probes

        targets = [self._settings.target(each.name) for each in self._settings.images]
        settings = self._settings
        return registry(
            targets, hosts=settings.hosts, environment=settings.env, meter=settings.console, kinds=self._kinds()
        )

    def _kinds(self) -> Mapping[str, Sequence[str]]:
        """Docker's media types among the bundle's manifests, which some registries refuse, and whose they are.

        An index has manifests of its own kind. Nothing of the bundle is read for it.
        """
        kinds: dict[str, list[str]] = defaultdict(list)
        for entry in self._bundle.manifest.images:
            for kind in _DOCKER_KINDS.get(entry.media_type, ()):
                kinds[kind].append(entry.name)
        return kinds

    @cached_property
    def inside(self) -> Inside | None:
        """What a delta leaves out, in that registry; None for a full bundle."""
        manifest = self._bundle.manifest
        if not manifest.delta:
            return None
        return Inside(manifest, manifest.delta, self.destination, self.repositories)

    def image(self, entry: ImageEntry) -> ImageSource:
        """An image of the bundle; what a delta leaves out of it is read from the registry."""
        carried = self._bundle.image(entry)
        return self.inside.complete(carried, entry) if self.inside else carried

    def source(self, entry: ImageEntry) -> ImageSource:
        """An image of the bundle, or one that is made of it."""
        made = self._made().get(entry.name)
        return made.source() if made else self.image(entry)
