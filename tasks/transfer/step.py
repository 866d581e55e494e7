"""`transfer`: every file of the bundle is read once, compared, and what is lacking inside goes there in that reading.

What anybody can see (a tag, a manifest, a namespace, a secret, a release) changes after it only, when all are good.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bundle.errors import BundleError
from bundle.formats.sizes import counted, human
from tasks.runtime.console import LocalWork
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver
from tasks.transfer.record import compared_whole, lie, note_whole

if TYPE_CHECKING:
    from bundle.archive.use import Compared, Consumer
    from bundle.metadata.manifest import ImageEntry
    from tasks.transfer.way import Way


def transfer_steps(receiver: Receiver) -> Iterator[Step]:
    """`transfer`: left out when all is inside, and the bundle was compared whole as it lies there."""
    yield Step(
        base="transfer",
        doc="read every file of the bundle once: compare it, and send what is not inside yet",
        action=partial(_transfer, receiver),
        inputs=dict,
        ready=partial(_must, receiver),
        live=True,
        after=("verify", "preflight"),
    )


def _must(receiver: Receiver) -> str:
    from tasks.transfer.lacking import lacking_blobs, lacking_images  # only to tell what is there

    if not compared_whole(receiver):
        return "not every file of the bundle was compared since it came, or was changed"
    if receiver.uses_engine:
        images = lacking_images(receiver)
        return f"{counted(len(images), 'image')} are not in the Docker Engine" if images else ""
    blobs = [each.blob.size for each in lacking_blobs(receiver).values()]
    return f"{counted(len(blobs), 'blob')} ({human(sum(blobs))}) are not in the registry" if blobs else ""


def _transfer(receiver: Receiver) -> None:
    from bundle.archive.use import Reading
    from tasks.transfer.way import way

    lay, chosen = lie(receiver), way(receiver)
    files = _Files(receiver, chosen)
    one_reader = receiver.uses_engine  # into an Engine goes one blob after the other
    readers = 1 if one_reader else max(2, min(8, receiver.options.jobs))
    try:
        reading = Reading(begin=files.begin, check=chosen.check, readers=readers)
        report = receiver.carried.compare(reading, LocalWork(receiver.project.console))
        if not report.findings:
            told = chosen.finish()
    except BaseException:
        chosen.abort()
        raise
    if report.findings:
        left = chosen.abort()
        raise BundleError(
            f"bundle {str(report.path)!r} is damaged ({len(report.findings)} found, {report.files} files compared); "
            "nothing was installed",
            [*(str(finding) for finding in report.findings), f"inside: {left}"],
            hint="carry what is named here over again from the connected side, then install again; "
            "if it is the same there, make the bundle anew",
        )
    note_whole(receiver, lay)
    receiver.project.note("transfer", f"{report.files} files, {human(report.size)}, all checksums match; {told}")


class _Files:
    """Who gets the bytes of each file of the bundle."""

    def __init__(self, receiver: Receiver, chosen: "Way") -> None:
        self._bundle = receiver.carried.bundle
        self._way = chosen
        images = self._bundle.manifest.images
        self._images: Mapping[str, ImageEntry] = {file: each for each in images for file in each.files}

    def begin(self, name: str) -> "Compared":
        from bundle.archive.use import Compared

        listed = self._bundle.listed(name)
        return Compared(listed, self._consumer(name) if listed else None)

    def _consumer(self, name: str) -> "Consumer | None":
        from bundle.archive.use import Contained, Within
        from bundle.images.layout import named_digest

        if entry := self._images.get(name):
            places = self._bundle.blobs(entry, name)
            wanted = {digest: self._way.use(digest) for digest in places}
            return Contained(
                [
                    Within(start=places[digest].offset, size=places[digest].size, digest=digest, use=use)
                    for digest, use in wanted.items()
                    if use
                ]
            )
        digest = named_digest(name.removeprefix("images/"))
        return self._way.use(digest) if digest else None
