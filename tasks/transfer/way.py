"""The ways of blobs inside while they are read: each into its repository, or all of them into a Docker Engine."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from bundle.formats.sizes import counted, human
from bundle.oci.digest import Digest
from tasks.site.receiver import Receiver
from tasks.transfer.lacking import lacking_blobs, lacking_images

if TYPE_CHECKING:
    from bundle.archive.use import Consumer
    from bundle.metadata.manifest import ImageEntry
    from bundle.transfer.courier import Wanted

_PATIENCE = 10.0  # seconds for an Engine to end, once something has failed


class Way(Protocol):
    """Takes the blobs that are lacking inside; nothing that has a name there changes before `finish`."""

    def use(self, digest: Digest) -> "Consumer | None":
        """Who takes the bytes of a blob that comes by; None where it is not wanted."""

    def check(self) -> None:
        """Raise what has failed by now."""

    def finish(self) -> str:
        """All files of the bundle are good: wait until all is inside, and tell it; raises what has failed."""

    def abort(self) -> str:
        """The bundle is not good, or something has failed: give up what is under way; what is inside by now is told."""


class RegistryWay:
    """Each lacking blob into the repository of the first image that needs it; the others mount it from there."""

    def __init__(self, receiver: Receiver, wanted: "Mapping[Digest, Wanted]") -> None:
        from bundle.transfer.courier import Courier

        self._receiver = receiver
        project = receiver.project
        stopped = project.transfers.check
        self._courier = Courier(wanted, jobs=project.options.jobs, meter=project.console, stopped=stopped)
        self.use = self._courier.use
        self.check = self._courier.check

    def finish(self) -> str:
        """Part of Way."""
        self._courier.close()
        moved = self._courier.moved
        for each in moved["sent"]:
            self._receiver.crossing.repositories.note_sent(each.image, each.blob)
        told = {how: sum(each.blob.size for each in moved[how]) for how in ("sent", "mounted")}
        return ", ".join(f"{human(size)} {how}" for how, size in told.items() if size) or "nothing was lacking"

    def abort(self) -> str:
        """Part of Way."""
        self._courier.abort()
        sent = [each.blob.size for each in self._courier.moved["sent"]]
        if not sent:
            return "nothing was sent"
        told = f"{counted(len(sent), 'blob')} ({human(sum(sent))}) that were sent before"
        return f"no image names the {told}: the registry keeps them until it collects its garbage"


class EngineWay:
    """All images that the Engine lacks in one `docker load`, whose last file is the list that makes images of them."""

    def __init__(self, receiver: Receiver, entries: "Sequence[ImageEntry]") -> None:
        from bundle.transfer.handover import Handover
        from tasks.site.engine_delivery import subject_of

        self._stopped = receiver.project.transfers.check
        self._delivery = receiver.crossing.engine
        self._entries = entries
        self._tar = self._delivery.together(entries)
        self._wanted = dict(self._tar.blobs)
        self._handover = Handover(subject_of(entries), self._tar.size)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._load, name="engine", daemon=True)
        self._thread.start()

    def use(self, digest: Digest) -> "Consumer | None":
        """Part of Way; one blob is given after the other."""
        from bundle.images.docker_load import LoadedBlob

        size = self._wanted.pop(digest, None)
        return None if size is None else LoadedBlob(digest, size, self._handover)

    def check(self) -> None:
        """Part of Way."""
        self._stopped()
        if self._error:
            raise self._error

    def finish(self) -> str:
        """Part of Way."""
        self._tar.finish(self._handover)
        while self._thread.is_alive():
            self._thread.join(0.2)
            self._stopped()
        self.check()
        return f"{counted(len(self._entries), 'image')} loaded into the Docker Engine"

    def abort(self) -> str:
        """Part of Way."""
        self._handover.end(good=False)
        self._thread.join(_PATIENCE)
        return "the Docker Engine has made no image of what it was given"

    def _load(self) -> None:
        try:
            self._delivery.load_together(self._entries, self._tar, self._handover.chunks())
        except BaseException as err:  # carried over to the thread that reads
            self._error = err
        finally:
            self._handover.abandon()


class NoWay:
    """Nothing is lacking inside: the bundle is only compared."""

    def __init__(self, receiver: Receiver) -> None:
        self.check = receiver.project.transfers.check

    def use(self, digest: Digest) -> None:
        """Part of Way."""

    def finish(self) -> str:
        """Part of Way."""
        return "nothing was lacking inside"

    def abort(self) -> str:
        """Part of Way."""
        return "nothing was sent"


def way(receiver: Receiver) -> Way:
    """The way of what is lacking inside now."""
    if receiver.uses_engine:
        entries = lacking_images(receiver)
        return EngineWay(receiver, entries) if entries else NoWay(receiver)
    wanted = lacking_blobs(receiver)
    return RegistryWay(receiver, wanted) if wanted else NoWay(receiver)
