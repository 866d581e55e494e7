"""One run's project: the spec, the lock, the places, and the clients, each made when it is first needed.

What talks to the network is imported only then: a run with nothing to do starts in half the time.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import AirgapError, EngineError, SourceError, storage_errors
from bundle.formats.numbers import number
from bundle.oci.locations import ImageLocation, RegistryImage
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import locked
from bundle.storage.private import make_private
from schema.loading.load import load
from schema.lock import Lock
from schema.spec.contents import ImageSpec
from schema.spec.spec import Spec
from tasks.runtime.console import Console, LocalWork
from tasks.runtime.options import Options
from tasks.runtime.state import ValidatedSpecs
from tasks.runtime.step import EngineUndo
from tasks.runtime.work_directory import sweep_out, sweep_work, work_directory

if TYPE_CHECKING:
    from bundle.metadata.base import Base
    from bundle.transfer.image import ReferrerSource
    from bundle.transfer.transfers import Transfers
    from clients.charts.source import Charts
    from clients.engine.source import EngineImages
    from clients.http.transport import Transport
    from clients.registry.repository import Registries

_YEAR_10000 = 253_402_300_800  # seconds; no date of Python's is as late


class Project:
    """What all steps share. Nothing here touches the network or writes a file until a step asks for it."""

    def __init__(self, options: Options, *, env: Mapping[str, str], console: Console | None = None) -> None:
        self.options = options
        self.env = env
        self.console = console or Console()
        self.notes: dict[str, str] = {}
        self.closing = ""  # what is told after the summary of a run
        self._guard = threading.Lock()
        self._lock: Lock | None = None
        self._run_lock: Any = None
        self._validated = ValidatedSpecs(options.state / "validated")

    @cached_property
    def spec(self) -> Spec:
        """The loaded spec; SpecError with all its problems."""
        return load(self.options.spec, env=self.env, valid=self._validated)

    @cached_property
    def base(self) -> "Base | None":
        """What the other side has (`since=FILE`), None without; an AirgapError where the file can't tell it."""
        since = self.since
        if since is None:
            return None
        from bundle.archive.parts import names_archive
        from bundle.metadata.base import Base, read_base

        try:
            base = Base.decode(carried_manifest(since)) if names_archive(since) else read_base(since)
            if self.options.bundle is None:
                base.check_fits(name=self.spec.bundle.name, platform=self.spec.bundle.platform)
        except AirgapError as err:
            whole = f"name the right file, or make a full bundle: {self.options.full}"
            raise SourceError(f"since={os.path.relpath(since)}: {err.what}", hint=err.hint or whole) from err
        return base

    @cached_property
    def since(self) -> Path | None:
        """The file that tells what the other side has: as named, or of a site that is named, its newest receipt."""
        since = self.options.since
        if since is None or since.exists() or not self.has_spec:
            return since
        from bundle.metadata.received import RECEIPTS, last_received

        return last_received(self.options.spec.parent / RECEIPTS, since.name, self.spec.bundle.name) or since

    def check(self) -> tuple[Spec | None, Lock | None, int | None, "Base | None"]:
        """All that a run begins with, read now, so that what is wrong with it is told before the first step."""
        if not self.has_spec:
            return None, None, None, self.base
        return self.spec, self.lock, self.created, self.base

    @property
    def has_spec(self) -> bool:
        """Whether there is a spec to make a bundle from; without one, only with `bundle=` or `from=` is there work."""
        needed = self.options.bundle is None and self.options.source is None
        return not self.options.receiving and (needed or self.options.spec.exists())

    @cached_property
    def store(self) -> BlobStore:
        """The blob cache."""
        return BlobStore(self.options.state / "cache")

    @cached_property
    def transport(self) -> "Transport":
        """HTTP, as the spec's `registries` says."""
        from clients.http.transport import Transport  # a no-op run needs no HTTP

        return Transport(self.spec.hosts, meter=self.console, pool_size=self.options.jobs)

    @cached_property
    def registries(self) -> "Registries":
        """All registries, with the logins that docker's config leads to."""
        from clients.registry.repository import Registries

        return Registries(self.transport, meter=self.console)

    def image_source(self, image: ImageSpec, location: ImageLocation, *, subject: str) -> "ReferrerSource":
        """Where an image comes from: its `location`, which may be pinned, reached as this run reaches images.

        An EngineError where a signature is wanted of what a Docker Engine pulls: it has none to check.
        """
        from clients.images import open_image

        if isinstance(location, RegistryImage) and self.pulls_by_engine(location):
            if image.cosign_key:
                hint = (
                    "build this bundle with engine=none; the air-gapped side may still load and push by a Docker daemon"
                )
                raise EngineError(f"{subject}: its signature can't be checked when a Docker Engine pulls it", hint=hint)
            step = f"pull:{image.name}"
            return self.engine_images.pulled(
                location.reference, platform=image.platform, target=image.target, step=step, subject=subject
            )
        return open_image(
            location,
            subject=subject,
            registries=self.registries,
            engine=lambda: self.engine_images,
            scratch=self.options.state,
        )

    def pulls_by_engine(self, location: ImageLocation) -> bool:
        """Whether a Docker Engine pulls what is there."""
        return isinstance(location, RegistryImage) and (self.options.engine or self.spec.engine) == "docker"

    def engine_names(self, step: str) -> EngineUndo:
        """What a step made on the Docker Engine, to be taken away by `doit clean`."""
        return EngineUndo(step, self.options.state / "engine.json", env=self.env, say=self.console.line)

    @cached_property
    def engine_images(self) -> "EngineImages":
        """The images of the Docker Engine."""
        from clients.engine.engine import Engine
        from clients.engine.names import EngineNames
        from clients.engine.source import EngineImages

        engine = Engine(self.env)
        names = EngineNames(self.options.state / "engine.json", engine)
        local = LocalWork(self.console)
        return EngineImages(engine, self.store, names, meter=self.console, local=local, jobs=self.options.jobs)

    @cached_property
    def charts(self) -> "Charts":
        """Where charts come from."""
        from clients.charts.source import Charts

        return Charts(self.registries)

    @cached_property
    def transfers(self) -> "Transfers":
        """The one bound on transfers."""
        from bundle.transfer.transfers import Transfers  # a no-op run starts no threads

        return Transfers(self.options.jobs)

    # Places. The tree is the bundle as it grows; `directory` puts the finished one at its place in one step.

    @property
    def directory_name(self) -> str:
        """What directory and archive are called. A delta has a name of its own: the full bundle stays beside it."""
        name = self.spec.bundle.directory_name
        return f"{name}-since-{self.base.named.version}" if self.base else name

    @property
    def directory(self) -> Path:
        """The finished bundle directory."""
        return self.options.out / self.directory_name

    @property
    def finished(self) -> Path:
        """The finished bundle as it is carried and read: its directory, or the archive where that is all there is."""
        return self.directory if self.spec.bundle.directory else archive_path(self)

    @property
    def work(self) -> Path:
        """Where the bundle grows: beside the cache, so that its blobs are links, and not where it is carried from."""
        return work_directory(self.options.state, self.options.out, self.directory_name)

    @property
    def tree(self) -> Path:
        """The growing bundle directory."""
        return self.work / "tree"

    @property
    def images(self) -> Path:
        """`images/` of the growing bundle."""
        return self.tree / "images"

    # The lock.

    @property
    def lock_path(self) -> Path:
        """`airgap.lock` for `airgap.yaml`: beside the spec and by its name, so that two specs share none."""
        return self.options.spec.with_suffix(".lock")

    @property
    def lock(self) -> Lock:
        """The pins as they are now."""
        with self._guard:
            if self._lock is None:
                self._lock = Lock.read(self.lock_path)
            return self._lock

    def change_lock(self, change: Callable[[Lock], Lock]) -> None:
        """Change the lock file as one step, among the threads of this run and other runs on the same cache."""
        with self._guard:
            make_private(self.options.state)
        with self._guard, locked(self.options.state / "lock.guard"):
            spec = self.spec
            changed = change(Lock.read(self.lock_path)).restricted_to(
                images={image.name for image in spec.images},
                charts={chart.name for chart in spec.charts},
                files={file.name for file in spec.files},
            )
            changed.write(self.lock_path)
            self._lock = changed

    # Running.

    def claim(self) -> None:
        """Before a step works on this bundle: wait for another run that does, and clear what a killed one left."""
        with self._guard:
            if self._run_lock is not None:
                return
            from bundle.storage.run_lock import RunLock, sweep_state  # a no-op run claims nothing

            make_private(self.options.state)
            self._run_lock = RunLock(self.work / "lock", say=self.console.line)
            self._run_lock.sweep(self.work)
            with storage_errors("clear what an earlier run left", self.options.out):
                sweep_out(self.options.out, self.directory_name)
                sweep_work(self.work, self.options.out)
                sweep_state(self.options.state)
            self._validated.save()

    @property
    def created(self) -> int | None:
        """SOURCE_DATE_EPOCH in seconds since 1970, when it is set: the bundle's date of creation."""
        text = self.env.get("SOURCE_DATE_EPOCH", "")
        if not text:
            return None
        seconds = number(text)
        if seconds is None or seconds >= _YEAR_10000:
            raise AirgapError(f"SOURCE_DATE_EPOCH={text!r} is not a number of seconds since 1970")
        return seconds

    def note(self, task: str, text: str) -> None:
        """What the console shows beside a finished step."""
        self.notes[task] = text


def carried_manifest(archive: Path) -> bytes:
    """The manifest.json in an archive; an AirgapError for one that is not there or not whole."""
    from bundle.archive.reader import open_bundle
    from bundle.metadata.names import MANIFEST

    return open_bundle(archive).read(MANIFEST)


def archive_path(project: Project) -> Path:
    """The archive's name, of which parts are numbered."""
    return project.options.out / f"{project.directory_name}.tar"


def archive_parts(project: Project) -> Sequence[Path]:
    """The archive, or its parts in order, as far as they are there; nothing when the spec wants none."""
    from bundle.archive.parts import find_archive, sums_path

    if not project.spec.bundle.archive or not sums_path(archive_path(project)).exists():
        return ()
    found = find_archive(archive_path(project))
    return tuple(found.path(name) for name in found.names)
