"""`doit lock`: ask every source what it gives now, and pin that. The only command that moves a pin."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from typing import TypeVar

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError
from bundle.oci.digest import Digest
from schema.lock import ImagePin, Lock
from schema.spec.contents import ChartSpec, FileSpec, ImageSpec
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.collect import charts, files, images
from tasks.runtime.project import Project

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One pin looked at: what it was (empty when it is new), what it is now, and how the lock notes it."""

    subject: str
    old: str
    new: str
    note: Callable[[Lock], Lock]


Look = tuple[str, Callable[[], Move]]
"""The name of an image, chart or file, and how to find out what its pin should be."""


class LockCommand(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Pins tags, charts and files anew."""

    name = "lock"
    doc_purpose = COMMANDS["lock"].purpose
    doc_usage = "[NAME ...]"
    doc_description = (
        "Asks each source what it gives now and prints what moved, old -> new. With names of images, charts or files, "
        "only those. When one fails, all pins stay as they were."
    )

    def _execute(self, pos_args: list[str]) -> int:
        project: Project = self.loader.namespace["PROJECT"]
        if not project.has_spec:
            raise InvalidCommand("there is no spec to lock; name it with spec=FILE")
        return move_pins(project, selected(_looks(project), pos_args))


def selected(looks: Iterable[tuple[str, Callable[[], _T]]], names: Collection[str]) -> list[Callable[[], _T]]:
    """Those of these names, all where none is given; an InvalidCommand for names that none has."""
    looks = list(looks)
    if unknown := sorted(set(names) - {name for name, _ in looks}):
        raise InvalidCommand(f"no image, chart or file is named {', '.join(unknown)}")
    return [look for name, look in looks if not names or name in names]


def move_pins(project: Project, looks: Sequence[Callable[[], Move]]) -> int:
    """Look at the sources in parallel and write the lock once; returns the exit code."""
    console = project.console
    with ThreadPoolExecutor(project.options.jobs) as pool:
        found = [pool.submit(look) for look in looks]
    problems = [error for future in found if (error := future.exception())]
    for problem in problems:
        if not isinstance(problem, AirgapError):
            raise problem
        console.problem(f"FAILED lock: {problem}")
    if problems:
        return 1
    moves = [future.result() for future in found]
    try:
        project.change_lock(lambda lock: reduce(lambda before, move: move.note(before), moves, lock))
    except AirgapError as err:
        console.problem(f"FAILED lock: {err}")
        return 1
    moved = [move for move in moves if move.old != move.new]
    for move in moved:
        console.line(f"{move.subject}: {move.old} -> {move.new}" if move.old else f"{move.subject}: {move.new}")
    console.line(f"{project.lock_path}: {len(moved)} updated, {len(moves) - len(moved)} unchanged")
    return 0


def _looks(project: Project) -> Iterator[Look]:
    spec = project.spec
    yield from ((image.name, partial(_image, project, image)) for image in spec.images)
    yield from ((chart.name, partial(_chart, project, chart)) for chart in spec.charts)
    yield from ((file.name, partial(_file, project, file)) for file in spec.files)


def _image(project: Project, image: ImageSpec) -> Move:
    old, new = project.lock.images.get(image.name), images.resolve(project, image)
    return Move(
        subject=f"image {image.name}",
        old=_told(old) if old else "",
        new=_told(new),
        note=lambda lock: lock.with_image(image.name, new),
    )


def _told(pin: ImagePin) -> str:
    """An image's digest, with what refers to it in short, so that it is seen when only that changed."""
    if not pin.referrers:
        return str(pin.digest)
    together = Digest.of("".join(str(each.digest) for each in pin.referrers).encode())
    return f"{pin.digest} with {len(pin.referrers)} that refer to it ({together.hex[:12]})"


def _chart(project: Project, chart: ChartSpec) -> Move:
    old, new = project.lock.charts.get(chart.name), charts.resolve(project, chart)
    return Move(
        subject=f"chart {chart.name}",
        old=f"{old.version} {old.sha256}" if old else "",
        new=f"{new.version} {new.sha256}",
        note=lambda lock: lock.with_chart(chart.name, new),
    )


def _file(project: Project, file: FileSpec) -> Move:
    old, new = project.lock.files.get(file.name), files.resolve(project, file)
    return Move(
        subject=f"file {file.name}",
        old=str(old.sha256) if old else "",
        new=str(new.sha256),
        note=lambda lock: lock.with_file(file.name, new),
    )
