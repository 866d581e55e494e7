"""The repositories of the registry inside, over HTTP: what they hold, and images straight from the bundle."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from bundle.errors import NetworkError
from bundle.formats.sizes import human
from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import ImageSource
from bundle.transfer.push import ImageSink, ReadBlob, push_image
from tasks.site.destination import DestinationSettings, Named, Present

if TYPE_CHECKING:
    from bundle.transfer.transfers import Transfers
    from clients.http.retry import RetryPolicy
    from clients.registry.referrers_tag import ReferrerLists
    from clients.registry.upload import Uploads


class Repositories:
    """Repositories by their places, and those that images, charts and what is attached to images go to."""

    def __init__(self, settings: DestinationSettings) -> None:
        self._settings = settings
        self._unreached: dict[str, NetworkError] = {}
        self._sent: dict[str, set[Digest]] = defaultdict(set)

    def note_sent(self, image: str, blob: Descriptor) -> None:
        """A blob has gone into an image's repository in this run, before the image is pushed."""
        self._sent[image].add(blob.digest)

    def sent(self, image: str) -> Collection[Digest]:
        """The blobs that have gone there so."""
        return self._sent[image]

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

    def image(self, entry: Named) -> ImageSink:
        """An image's repository, to be pushed to."""
        target = self._settings.target(entry.name)
        return self._uploads.repository(target, subject=_named(entry, target), siblings=self._targets)

    def chart(self, name: str, path: str, tag: str) -> tuple[Reference, ImageSink]:
        """Where a chart is pushed, and that repository; `path` is that below the prefix."""
        target = replace(self._settings.below(path), tag=tag)
        return target, self._uploads.repository(target, subject=f"chart {name!r} (oci://{target})")

    def look_for_chart(self, name: str, path: str, tag: str) -> Digest | None:
        """What is under a chart's name; as `look`, of a host that could not be reached too."""
        target = replace(self._settings.below(path), tag=tag)
        return self._current(self._glances.repository(target, subject=f"chart {name!r} (oci://{target})"), target.host)

    def attachment(self, entry: ImageEntry, tag: str, digest: Digest | None = None) -> ImageSink:
        """The image's repository, for something attached to it that has its own tag, or only a digest."""
        place = replace(self._settings.target(entry.name), tag="" if digest else tag, digest=digest)
        return self._uploads.repository(place, subject=_attached(entry, tag))

    def lists(self, entry: ImageEntry, tag: str) -> "ReferrerLists":
        """The lists of what refers to manifests of an image's repository."""
        return self._lists(self._uploads, entry, tag)

    def look(self, entry: Named) -> Present:
        """What is under an image's name, and what of its attachments is not.

        A host that could not be reached is not asked again: its error comes at once.
        """
        target = self._settings.target(entry.name)
        found = self._current(self._glances.repository(target, subject=_named(entry, target)), target.host)
        if not isinstance(entry, ImageEntry) or found != entry.digest:
            return Present(digest=found)
        lacking = [each.tag for each in entry.attachments if not self._has(entry, each)]
        return Present(digest=found, lacking=tuple(lacking))

    def _current(self, sink: ImageSink, host: str) -> Digest | None:
        if known := self._unreached.get(host):
            raise known
        try:
            return sink.current()
        except NetworkError as err:
            self._unreached[host] = err
            raise

    def _has(self, entry: ImageEntry, attachment: Attachment) -> bool:
        if attachment.is_list:
            lists = self._lists(self._glances, entry, attachment.tag)
            return attachment.artifacts.keys() <= lists.listed(attachment.subject)
        target = replace(self._settings.target(entry.name), tag=attachment.tag)
        sink = self._glances.repository(target, subject=_attached(entry, attachment.tag))
        return sink.current() == attachment.digest

    def _lists(self, uploads: "Uploads", entry: ImageEntry, tag: str) -> "ReferrerLists":
        from clients.registry.referrers_tag import ReferrerLists  # a run that only verifies needs no HTTP

        return ReferrerLists(uploads, self._settings.target(entry.name), subject=_attached(entry, tag))

    @cached_property
    def _targets(self) -> Sequence[Reference]:
        return [self._settings.target(each.name) for each in self._settings.images]

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

        settings = self._settings
        transport = Transport(settings.hosts, meter=settings.console, pool_size=settings.jobs, retry=retry)
        return Uploads(Registries(transport, meter=settings.console))


class DirectDelivery:
    """The Delivery straight from the bundle: an image keeps its digest, and only what is missing is sent."""

    def __init__(self, settings: DestinationSettings, repositories: Repositories) -> None:
        self._settings = settings
        self._repositories = repositories

    def look(self, entry: Named) -> Present:
        """What the registry has under an image's name."""
        return self._repositories.look(entry)

    def deliver(self, entry: ImageEntry, source: ImageSource, transfers: "Transfers") -> str:
        """Push an image; returns what to tell."""
        sink, subject = self._repositories.image(entry), f"image {entry.name!r}"
        meter = self._settings.console
        sent = self._repositories.sent(entry.name)
        pushed = push_image(source, entry.root, sink, subject=subject, meter=meter, transfers=transfers, sent=sent)
        parts = {"sent": pushed.pushed, "already there": pushed.present, "mounted": pushed.mounted}
        told = ", ".join(f"{human(size)} {how}" for how, size in parts.items() if size) or "already there"
        return f"{self._settings.target(entry.name)}: {told}"

    def registered(self, image: str, digest: Digest) -> Digest:
        """The image's own digest."""
        return digest

    def missing(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """Those of the image's parts that its repository lacks."""
        sink = self._repositories.image(entry)
        with ThreadPoolExecutor(self._settings.jobs) as pool:
            there = pool.map(sink.exists, parts.values())
            return {digest: parts[digest] for digest, found in zip(parts, there, strict=True) if not found}


def _named(entry: Named, target: Reference) -> str:
    return f"image {entry.name!r} ({target})"


def _attached(entry: ImageEntry, tag: str) -> str:
    return f"image {entry.name!r} (what is attached to it, {tag})"
