"""The registry inside: where each image of a bundle goes, and what is there already."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from bundle.errors import AirgapError
from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.image import ImageSource
from schema.site.image_names import ImageNames
from schema.spec.spec import RegistrySpec
from tasks.runtime.console import Console

if TYPE_CHECKING:
    from bundle.transfer.transfers import Transfers

_AT_ONCE = 16  # questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What the registry has under an image's name, and the tags of what is attached to it and lacking."""

    digest: Digest | None
    lacking: tuple[str, ...] = ()


class Named(Protocol):
    """An image of the bundle, or one that is made of it."""

    @property
    def name(self) -> str:
        """What the spec calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSettings:
    """What goes inside, and where: all images, their names, the registry (or `override` instead of it).

    Images go below `registry.push`, which may differ from what the cluster names. `env` is the environment that leads
    to logins, `jobs` how much moves at once.
    """

    images: Sequence[Named]
    names: ImageNames
    registry: RegistrySpec
    override: str
    hosts: Mapping[str, HostSettings]
    console: Console
    env: Mapping[str, str]
    jobs: int

    def target(self, image: str) -> Reference:
        """Where this machine pushes an image."""
        named = self.names.references[image]
        return named if self.override else self.inside(str(named))

    def inside(self, repository: str) -> Reference:
        """Where this machine finds a repository that the cluster names so, or an earlier installation did."""
        below = f"{self.registry.prefix}/"
        if repository.startswith(below):
            return self.below(repository.removeprefix(below))
        return Reference.parse(repository)

    def below(self, path: str) -> Reference:
        """A repository beside those of the images."""
        return Reference.parse(f"{self.override or self.registry.push}/{path}")


class Delivery(Protocol):
    """A way of images into the registry: straight from the bundle, or by a Docker Engine."""

    def look(self, entry: Named) -> Present:
        """What the registry has under an image's name."""

    def deliver(self, entry: ImageEntry, source: ImageSource, transfers: "Transfers") -> str:
        """Push an image; returns what to tell."""

    def registered(self, image: str, digest: Digest) -> Digest:
        """The digest under which the registry has an image of this name and own digest, once it is pushed."""

    def missing(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """Those of the image's parts that would be sent, as far as that can be known."""


class Destination:
    """What is known of the images in the registry, whichever way they are delivered."""

    def __init__(self, settings: DestinationSettings, delivery: Delivery) -> None:
        self._settings = settings
        self._delivery = delivery
        self._guard = threading.Lock()
        self._found: dict[str, Present | AirgapError] | None = None

    def target(self, entry: Named) -> Reference:
        """Where this machine pushes an image."""
        return self._settings.target(entry.name)

    def inside(self, repository: str) -> Reference:
        """Where this machine finds a repository that the cluster names so, or an earlier installation did."""
        return self._settings.inside(repository)

    def stale(self, entry: ImageEntry) -> str:
        """Why an image has to be pushed; empty when the registry has it under its name."""
        target, told, wanted = self.target(entry), self._told(entry), self.digest(entry)
        if told.digest is None:
            return f"{target} is not in the registry"
        if told.digest != wanted:
            return f"{target} is {told.digest} there, not {wanted}"
        return f"what is attached to it is not in the registry: {', '.join(told.lacking)}" if told.lacking else ""

    def digest(self, entry: ImageEntry) -> Digest:
        """The digest under which the registry has an image, once it is pushed."""
        return self._delivery.registered(entry.name, entry.digest)

    def named(self) -> ImageNames:
        """What images are called inside, with the digests that the registry has them under."""
        return replace(self._settings.names, registered=self._delivery.registered)

    def held(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """Those of the image's parts that the registry has once it is pushed: none that are known in a repacked one."""
        return parts if self.digest(entry) == entry.digest else {}

    def present(self, entry: Named) -> Digest | None:
        """The digest that the registry has under an image's name; all are asked for side by side, once.

        A registry that does not tell is not asked again: its error is raised for each of its images.
        """
        return self._told(entry).digest

    def _told(self, entry: Named) -> Present:
        images = self._settings.images
        with self._guard:
            if self._found is None:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    found = pool.map(self._look, images)
                    self._found = {each.name: told for each, told in zip(images, found, strict=True)}
            told = self._found[entry.name]
        if isinstance(told, AirgapError):
            raise told
        return told

    def _look(self, entry: Named) -> Present | AirgapError:
        try:
            return self._delivery.look(entry)
        except AirgapError as err:
            return err
