"""Images out of a Docker Engine, as sources: those it has, and those that it pulls first.

An Engine keeps layers unpacked, so what it gives has other digests than the image that was once pulled. What never
changes are the config, whose digest most Engines call the image's ID, and the digests of the unpacked layers. The same
config gives the same manifest, each time and from every Engine.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from bundle.errors import EngineError, SourceError
from bundle.images.docker_save import SaveSource, keep_saved
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Choice, Platform, platform_text
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import ImageSource
from clients.engine.engine import Engine, EngineImage
from clients.engine.names import EngineNames


class EngineImages:
    """What all images of a run share: the Engine, the cache that they are kept in, and the names made on it.

    `meter` counts what the Engine fetches, `local` what it hands over; `jobs` images are handed over at once.
    """

    def __init__(
        self, engine: Engine, store: BlobStore, names: EngineNames, *, meter: Meter, local: Meter, jobs: int
    ) -> None:
        self.engine = engine
        self.store = store
        self.names = names
        self.meter = meter
        self.local = local
        self._turns = threading.BoundedSemaphore(jobs)

    def turn(self) -> AbstractContextManager[object]:
        """Wait for a turn to move an image."""
        return self._turns

    def present(self, name: str, *, subject: str) -> "EngineSource":
        """An image that the Engine has under this name or ID (`docker-daemon:`)."""

        def find() -> EngineImage:
            image = self.engine.inspect(name, subject=subject)
            if image is None:
                raise EngineError(
                    f"{subject}: the Docker Engine at {self.engine.place} has no image {name}",
                    hint="see `docker images`; build or pull it first",
                )
            return image

        return EngineSource(self, find, subject=subject)

    def pulled(
        self, reference: Reference, *, platform: Choice, target: Reference, step: str, subject: str
    ) -> "PulledSource":
        """An image that the Engine pulls, for one platform, and names `target`; `step` is what the names belong to."""
        return PulledSource(self, reference, platform=platform, target=target, step=step, subject=subject)


class EngineSource:
    """One image that the Engine saves when it is first asked for. `subject` is the image as the user wrote it."""

    def __init__(self, images: EngineImages, find: Callable[[], EngineImage], *, subject: str) -> None:
        self._images = images
        self._find = find
        self._subject = subject
        self._guard = threading.Lock()
        self._saved: ImageSource | None = None

    def resolve(self) -> Descriptor:
        """The descriptor of the manifest that is made of what the Engine has."""
        return self._source().resolve()

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest made; a SourceError when what the Engine has is not what `descriptor` stands for."""
        made = self._source().resolve()
        if made.digest != descriptor.digest:
            raise SourceError(
                f"{self._subject}: the Docker Engine has another image than is pinned: expected {descriptor.digest}, "
                f"it has {made.digest}",
                hint="bring the pinned one back, or run `doit lock` to take this one",
            )
        return self._source().manifest(descriptor)

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on. Not checked here: whoever stores them does."""
        yield from self._source().read(descriptor, offset)

    def tagged(self, tag: str) -> None:
        """An Engine keeps nothing of what refers to an image."""

    def referring(self, subject: Digest) -> None:
        """An Engine keeps nothing of what refers to an image."""

    def _source(self) -> ImageSource:
        with self._guard:
            if self._saved is None:
                with self._images.turn():
                    self._saved = self._save(self._find())
            return self._saved

    def _save(self, image: EngineImage) -> ImageSource:
        """Have it saved by its ID, so that nobody can move the name meanwhile, and keep its layers in the cache."""
        local, subject = self._images.local, self._subject
        local.expect(subject, image.size, len(image.layers))
        told = 0

        def counted() -> Iterator[bytes]:
            nonlocal told
            for chunk in self._images.engine.save(image.id, subject=subject):
                step = min(len(chunk), image.size - told)
                told += step
                local.advance(subject, step)
                yield chunk

        tree = keep_saved(counted(), self._images.store, subject=subject)
        local.advance(subject, image.size - told)
        return SaveSource(tree, "", subject)


class PulledSource(EngineSource):
    """One image that the Engine pulls when it is first asked for, checks the platform of, and names as inside."""

    def __init__(
        self,
        images: EngineImages,
        reference: Reference,
        *,
        platform: Choice,
        target: Reference,
        step: str,
        subject: str,
    ) -> None:
        super().__init__(images, self._pull, subject=subject)
        self._reference = reference
        self._platform = platform
        self._target = target
        self._step = step
        self._pulled: Digest | None = reference.digest

    @property
    def upstream(self) -> Digest:
        """The digest under which the registry has what was pulled; it pulls when that is not known yet."""
        if self._pulled is None:
            self._source()
        if self._pulled is None:
            raise EngineError(
                f"{self._subject}: the Docker Engine does not tell the digest of what it pulled",
                hint=f"name it by its digest: {self._reference.repository}@sha256:...",
            )
        return self._pulled

    def _pull(self) -> EngineImage:
        if not isinstance(self._platform, Platform):
            raise EngineError(
                f"{self._subject}: a Docker Engine takes one platform of an image, and "
                f"`{platform_text(self._platform)}` was asked for",
                hint="name one as the image's `platform`, or work without the Docker daemon: engine=none",
            )
        images, subject, reference = self._images, self._subject, self._reference
        at = f"@{reference.digest}" if reference.digest else f":{reference.tag or 'latest'}"
        with images.names.making(self._step, f"{reference.repository}{at}", subject=subject):
            image, self._pulled = images.engine.pull(reference, self._platform, subject=subject, meter=images.meter)
        with images.names.making(self._step, str(self._target), subject=subject):
            images.engine.tag(image.id, self._target, subject=subject)
        return image
