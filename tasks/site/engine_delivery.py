"""The registry inside, by way of a Docker Engine: images are loaded into it, checked there, named, and pushed by it."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bundle.errors import AirgapError, EngineError, IntegrityError
from bundle.formats import strict_json
from bundle.images.docker_load import Loadable, LoadTogether
from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.storage.files import locked, write_bytes
from bundle.transfer.image import ImageSource
from bundle.transfer.transfers import Transfers
from tasks.site.destination import Destination, DestinationSettings, Named, Present
from tasks.site.repositories import Repositories

if TYPE_CHECKING:
    from clients.engine.engine import EngineImage
    from clients.engine.source import EngineImages
    from clients.preflight.findings import Finding, Findings


class EngineDelivery:
    """The Delivery of images; charts, which an Engine can't push, go to the registry directly.

    An Engine packs layers anew when it pushes, so the registry then has an image under another digest than the bundle.
    What stays the same is compared: config and unpacked layers in the Engine, and the digest it pushed in the registry.
    """

    def __init__(
        self, settings: DestinationSettings, repositories: Repositories, *, images: "EngineImages", state: Path,
        open_image: Callable[[ImageEntry], ImageSource],
    ) -> None:  # fmt: skip
        """`images` are the Engine's, with what is ours on it; `open_image` gives a bundle's image.

        The registry's `repositories` are asked where the Engine does not offer to.
        """
        self._settings = settings
        self._repositories = repositories
        self._engine = images.engine
        self._images = images
        self._notes = EngineNotes(state / "engine-inside.json")
        self._open_image = open_image

    # The Engine.

    def not_loaded(self, entry: ImageEntry) -> str:
        """Why the image has to be loaded; empty when the Engine has it under its name."""
        target = self._settings.target(entry.name)
        image = self._engine.inspect(str(target), subject=_subject(entry))
        if image is None:
            return f"{target} is not in the Docker Engine"
        wanted = self._loadable(entry)
        if self._is(image, wanted, target, entry):
            return ""
        return f"{target} is {image.id} in the Docker Engine, not {wanted.id}"

    def load(self, entry: ImageEntry, step: str) -> str:
        """Load the image, compare what the Engine made of it, name it; returns what to tell."""
        subject, image = _subject(entry), self._loadable(entry)
        with self._images.turn(), self._images.names.making(step, str(entry.reference), subject=subject):
            size = image.size(entry.reference)
            self._images.local.expect(subject, size)
            self._engine.load(size, self._counted(image.tar(entry.reference), subject), subject=subject)
            made = self._checked(entry, image, entry.reference)
        target = self._settings.target(entry.name)
        if target != entry.reference:
            with self._images.names.making(step, str(target), subject=subject):
                self._engine.tag(made.id, target, subject=subject)
        self._notes.set("loaded", target, entry.digest, Digest.parse(made.id))
        return f"{target} is {made.id}"

    def together(self, entries: Sequence[ImageEntry]) -> LoadTogether:
        """The tar of several images, each under the name that it is pushed by."""
        return LoadTogether({self._settings.target(each.name): self._loadable(each) for each in entries})

    def load_together(
        self, entries: Sequence[ImageEntry], tar: LoadTogether, pieces: Iterator[bytes | memoryview]
    ) -> None:
        """Load them, compare what the Engine made of each, and note it. `pieces` are the bytes of the tar."""
        with self._images.turn(), contextlib.ExitStack() as stack:
            for entry in entries:
                name = str(self._settings.target(entry.name))
                stack.enter_context(self._images.names.making(f"load:{entry.name}", name, subject=_subject(entry)))
            subject = subject_of(entries)
            self._images.local.expect(subject, tar.size)
            self._engine.load(tar.size, self._counted(pieces, subject), subject=subject)
            for entry in entries:
                target = self._settings.target(entry.name)
                made = self._checked(entry, self._loadable(entry), target)
                self._notes.set("loaded", target, entry.digest, Digest.parse(made.id))

    # The registry.

    def deliver(self, entry: ImageEntry, source: ImageSource, transfers: Transfers) -> str:
        """Push the image by the Engine, and compare what the registry has then; returns what to tell."""
        subject, target = _subject(entry), self._settings.target(entry.name)
        if lacking := self.not_loaded(entry):
            hint = f"somebody else works on this Engine; run again, or: load:{entry.name}"
            raise EngineError(f"{subject}: {lacking}, though it was loaded", hint=hint)
        with self._images.turn():
            pushed = self._engine.push(target, subject=subject, meter=self._settings.console)
        found = self.look(entry)
        if found.digest != pushed:
            raise IntegrityError(
                f"{subject}: {target} names {found.digest or 'nothing'} after the push, expected {pushed}",
                hint="somebody else pushes to this tag, or something before the registry changes what it is sent",
            )
        self._notes.set("pushed", target, entry.digest, pushed)
        return f"{target} is {pushed}" + (
            "" if pushed == entry.digest else f", recompressed, digest changed from {entry.digest}"
        )

    def registered(self, image: str, digest: Digest) -> Digest:
        """The digest under which the registry has the image: what was pushed, or its own."""
        return self._notes.made("pushed", self._settings.target(image), digest) or digest

    def missing(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        """The parts to be sent: all, as an Engine does not tell before it pushes."""
        return parts

    def findings(self, destination: Destination) -> "Findings":
        """What stands in the way: no Engine, or a registry that does not let the Engine in."""
        from clients.preflight.findings import finding_of  # only a run that changes something needs the probes

        try:
            self._engine.ping(subject="Docker Engine")
        except EngineError as err:
            return (finding_of(err, "Docker Engine"),)
        found: dict[str, Finding] = {}
        for entry in self._settings.images:
            try:
                destination.present(entry)
            except AirgapError as err:
                host = destination.target(entry).host
                found.setdefault(host, finding_of(err, f"registry {host}"))
        return tuple(found.values())

    def look(self, entry: Named) -> Present:
        """What the registry has under an image's name, as the Engine finds it."""
        from clients.engine.engine import NOT_OFFERED

        target = self._settings.target(entry.name)
        try:
            return Present(digest=self._engine.registry_digest(target, subject=_subject(entry)))
        except EngineError as err:
            if err.status != NOT_OFFERED:
                raise
        return self._repositories.look(entry)

    def _loadable(self, entry: ImageEntry) -> Loadable:
        return Loadable.of(self._open_image(entry), entry.root, subject=_subject(entry))

    def _is(self, image: "EngineImage", wanted: Loadable, target: Reference, entry: ImageEntry) -> bool:
        """Whether the Engine's image is this one. Most call it by its config's digest, some by one of their own."""
        noted = self._notes.made("loaded", target, entry.digest)
        return image.id == str(wanted.id) or (image.id == str(noted) and image.layers == wanted.diff_ids)

    def _checked(self, entry: ImageEntry, wanted: Loadable, name: Reference) -> "EngineImage":
        """The image as the Engine has it after a load under this name."""
        subject = _subject(entry)
        made = self._engine.inspect(str(name), subject=subject)
        if made is None:
            raise EngineError(
                f"{subject}: the Docker Engine has no {name} after loading it",
                hint="look into the Docker daemon's log, and run again",
            )
        if made.layers != wanted.diff_ids:
            raise IntegrityError(
                f"{subject}: the Docker Engine made another image of it: expected the layers "
                f"{', '.join(wanted.diff_ids)}, it has {', '.join(made.layers) or 'none'}",
                hint="look into the Docker daemon's log; it was not pushed",
            )
        return made

    def _counted(self, pieces: Iterator[bytes | memoryview], subject: str) -> Iterator[bytes | memoryview]:
        for piece in pieces:
            yield piece
            self._images.local.advance(subject, len(piece))


def _subject(entry: Named) -> str:
    return f"image {entry.name!r}"


def subject_of(entries: Sequence[Named]) -> str:
    """What several images are called together."""
    if len(entries) == 1:
        return _subject(entries[0])
    named, more = entries[:_NAMED], len(entries) - _NAMED
    return f"images {', '.join(repr(each.name) for each in named)}" + (f" and {more} others" if more > 0 else "")


_NAMED = 4  # images, in one message
FORMAT_VERSION = 1

Kind = Literal["loaded", "pushed"]


class EngineNotes:
    """Notes by the image's name: `made` (an ID or a digest) stands for `content`, the bundle's own digest of it.

    Losing them costs another load and a push that finds its layers there. Safe for several threads and processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()

    def made(self, kind: Kind, name: Reference, content: Digest) -> Digest | None:
        """What was made of this content under this name, as far as it is noted."""
        with self._guard:
            note = self._read().get(kind, {}).get(str(name), {})
        return Digest.parse(note["made"]) if note.get("content") == str(content) else None

    def set(self, kind: Kind, name: Reference, content: Digest, made: Digest) -> None:
        """Note it in the place of what was made before."""
        with self._guard, locked(self._path.with_suffix(".guard")):
            notes = self._read()
            notes = {**notes, kind: {**notes.get(kind, {}), str(name): {"content": str(content), "made": str(made)}}}
            data = {"format": FORMAT_VERSION, **notes}
            write_bytes(self._path, strict_json.readable(data, indent=1, escaped=True), mode=0o600)

    def _read(self) -> Mapping[str, Any]:
        try:
            data = strict_json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return data if isinstance(data, dict) and data.get("format") == FORMAT_VERSION else {}
