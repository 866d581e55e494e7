"""The registry inside: where each image of a bundle goes, and what is there already."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import ImageSource
from bundle.transfer.push import ImageSink, ReadBlob, push_image
from schema.site.image_names import ImageNames
from schema.spec.spec import RegistrySpec
from tasks.runtime.console import Console

if TYPE_CHECKING:
    from bundle.transfer.transfers import Transfers
    from clients.http.retry import RetryPolicy
    from clients.preflight.findings import Findings
    from clients.registry.referrers_tag import ReferrerLists
    from clients.registry.upload import Uploads

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

    `env` is the environment that leads to logins, `jobs` how much moves at once.
    """

    images: Sequence[Named]
    names: ImageNames
    registry: RegistrySpec
    override: str
    hosts: Mapping[str, HostSettings]
    console: Console
    env: Mapping[str, str]
    jobs: int


class Destination:
    """Below `registry.push`, which may differ from what the cluster names, or below `override` instead.

    `images` are all that are brought there.
    """

    def __init__(self, place: DestinationSettings) -> None:
        self._place = place
        self._guard = threading.Lock()
        self._found: dict[str, Present | AirgapError] | None = None

    @property
    def images(self) -> Sequence[Named]:
        """All images that are brought there."""
        return self._place.images

    def target(self, entry: Named) -> Reference:
        """Where this machine pushes an image."""
        return self._target(entry.name)

    def _target(self, image: str) -> Reference:
        named = self._place.names.references[image]
        if self._place.override or self._place.registry.push == self._place.registry.prefix:
            return named
        return Reference.parse(
            f"{self._place.registry.push}/{str(named).removeprefix(f'{self._place.registry.prefix}/')}"
        )

    def stale(self, entry: ImageEntry) -> str:
        """Why an image has to be pushed; empty when the registry has it under its name."""
        target, found = self.target(entry), self.present(entry)
        if found is None:
            return f"{target} is not in the registry"
        if found != entry.digest:
            return f"{target} is {found} there, not {entry.digest}"
        lacking = self._told(entry).lacking
        return f"what is attached to it is not in the registry: {', '.join(lacking)}" if lacking else ""

    def deliver(self, entry: ImageEntry, source: ImageSource, transfers: "Transfers") -> str:
        """Push an image; returns what to tell."""
        sink, subject = self._image(self._uploads, entry), f"image {entry.name!r}"
        pushed = push_image(source, entry.root, sink, subject=subject, meter=self._place.console, transfers=transfers)
        parts = {"sent": pushed.pushed, "already there": pushed.present, "mounted": pushed.mounted}
        told = ", ".join(f"{human(size)} {how}" for how, size in parts.items() if size) or "already there"
        return f"{self.target(entry)}: {told}"

    def registered(self, image: str, digest: Digest) -> Digest:
        """The digest under which the registry has an image of this name and own digest, once it is pushed."""
        return digest

    def digest(self, entry: ImageEntry) -> Digest:
        """The digest under which the registry has an image, once it is pushed."""
        return self.registered(entry.name, entry.digest)

    def named(self) -> ImageNames:
        """What images are called inside, with the digests that the registry has them under."""
        return replace(self._place.names, registered=self.registered)

    def held(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """Those of the image's parts that the registry has once it is pushed."""
        return parts

    def missing(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """Those of the image's parts that its repository lacks."""
        sink = self._image(self._uploads, entry)
        with ThreadPoolExecutor(self._place.jobs) as pool:
            there = pool.map(sink.exists, parts.values())
            return {digest: parts[digest] for digest, found in zip(parts, there, strict=True) if not found}

    def findings(self) -> "Findings":
        """What stands in the way of pushing."""
        from clients.preflight.site import registry  # only a run that changes something needs the probes

        return registry(
            [self.target(entry) for entry in self.images],
            hosts=self._place.hosts,
            environment=self._place.env,
        )

    def inside(self, repository: str) -> Reference:
        """Where this machine finds a repository that the cluster names so, or an earlier installation did."""
        below = f"{self._place.registry.prefix}/"
        if repository.startswith(below):
            return Reference.parse(
                f"{self._place.override or self._place.registry.push}/{repository.removeprefix(below)}"
            )
        return Reference.parse(repository)

    def holds(self, place: Reference, blob: Descriptor) -> bool:
        """Whether a repository has a blob."""
        return self._uploads.repository(place, subject=f"repository {place}").exists(blob)

    def remember(self, place: Reference, digest: Digest) -> None:
        """Blobs that a repository is known to have are mounted from it."""
        self._uploads.note(place.host, digest, place.path)

    def read(self, place: Reference, blob: Descriptor, offset: int) -> Iterator[bytes]:
        """A blob's bytes from `offset` on, from a repository that has it; not checked here."""
        return self._uploads.registries.repository(place, subject=f"repository {place}").read(blob, offset)

    def bring(self, place: Reference, blob: Descriptor, read: ReadBlob) -> None:
        """Put a blob into a repository, whatever image it is of."""
        self._uploads.repository(place, subject=f"repository {place}").put_blob(blob, read)

    def chart_target(self, name: str) -> Reference:
        """Where a chart is pushed, without a tag."""
        return Reference.parse(f"{self._place.override or self._place.registry.push}/{name}")

    def chart_sink(self, target: Reference, name: str) -> ImageSink:
        """A chart's repository, to be pushed to."""
        return self._uploads.repository(target, subject=f"chart {name!r} (oci://{target})")

    def attachments(self, entry: ImageEntry) -> tuple[Attachment, ...]:
        """What is attached to an image and goes there with it."""
        return entry.attachments

    def attachment_sink(self, entry: ImageEntry, tag: str, digest: Digest | None = None) -> ImageSink:
        """The image's repository, for something attached to it that has its own tag, or only a digest."""
        place = replace(self.target(entry), tag="" if digest else tag, digest=digest)
        return self._uploads.repository(place, subject=_attached(entry, tag))

    def lists(self, entry: ImageEntry, tag: str) -> "ReferrerLists":
        """The lists of what refers to manifests of an image's repository."""
        from clients.registry.referrers_tag import ReferrerLists  # a run that only verifies needs no HTTP

        return ReferrerLists(self._uploads, self.target(entry), subject=_attached(entry, tag))

    def present(self, entry: Named) -> Digest | None:
        """The digest that the registry has under an image's name; all are asked for side by side, once.

        A registry that does not tell is not asked again: its error is raised for each of its images.
        """
        return self._told(entry).digest

    def _told(self, entry: Named) -> "Present":
        with self._guard:
            if self._found is None:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    found = pool.map(self._look, self.images)
                    self._found = {each.name: told for each, told in zip(self.images, found, strict=True)}
            told = self._found[entry.name]
        if isinstance(told, AirgapError):
            raise told
        return told

    def _look(self, entry: Named) -> "Present | AirgapError":
        try:
            found = self._image(self._glances, entry).current()
            if not isinstance(entry, ImageEntry) or found != entry.digest:
                return Present(digest=found)
            lacking = [each.tag for each in entry.attachments if not self._has(entry, each)]
            return Present(digest=found, lacking=tuple(lacking))
        except AirgapError as err:
            return err

    def _has(self, entry: ImageEntry, attachment: Attachment) -> bool:
        from clients.registry.referrers_tag import ReferrerLists

        subject, target = _attached(entry, attachment.tag), self.target(entry)
        if attachment.is_list:
            lists = ReferrerLists(self._glances, target, subject=subject)
            return attachment.artifacts.keys() <= lists.listed(attachment.subject)
        sink = self._glances.repository(replace(target, tag=attachment.tag), subject=subject)
        return sink.current() == attachment.digest

    def _image(self, uploads: "Uploads", entry: Named) -> ImageSink:
        target = self.target(entry)
        siblings = [self.target(each) for each in self.images]
        return uploads.repository(target, subject=f"image {entry.name!r} ({target})", siblings=siblings)

    @cached_property
    def _uploads(self) -> "Uploads":
        from clients.http.retry import RetryPolicy  # a run that only verifies needs no HTTP

        return self._reached(RetryPolicy())

    @cached_property
    def _glances(self) -> "Uploads":
        """With little patience: a fault that would have passed costs a step that then finds all in place."""
        from clients.http.retry import RetryPolicy

        return self._reached(RetryPolicy(attempts=2, cap=1.0, longest_asked=1.0))

    def _reached(self, retry: "RetryPolicy") -> "Uploads":
        from clients.http.transport import Transport
        from clients.registry.repository import Registries
        from clients.registry.upload import Uploads

        transport = Transport(self._place.hosts, meter=self._place.console, pool_size=self._place.jobs, retry=retry)
        return Uploads(Registries(transport, meter=self._place.console))


def _attached(entry: ImageEntry, tag: str) -> str:
    return f"image {entry.name!r} (what is attached to it, {tag})"
