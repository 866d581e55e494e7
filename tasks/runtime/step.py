"""One step of the graph: what it does, what its result depends on, and which files it leaves."""

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from doit.dependency import UptodateCalculator
from doit.exceptions import InvalidDodoFile, TaskFailed

from bundle.errors import AirgapError, storage_errors
from tasks.runtime.groups import GROUPS
from tasks.runtime.installation import missing_package
from tasks.runtime.state import signature

if TYPE_CHECKING:
    from clients.engine.names import EngineNames

Inputs = Mapping[str, Any]
NOT_KNOWN = "what it depends on is not known yet"  # why a step would run, before others have
_loading = threading.Lock()
_OF_THE_PLACE = {"at": "the bundle's place", "tree": "the bundle's place"}  # where it is made, by the names of inputs


class Undo(Protocol):
    """What a step made elsewhere than in files, and how to take that away again."""

    def made(self) -> Sequence[str]:
        """The names of what there is, looked up without asking anybody."""

    def remove(self) -> None:
        """Take it away; what stays, and why, is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A doit task in our terms.

    `inputs` gives what the result depends on as plain JSON data, or None while that is unknown (nothing is pinned).
    `outputs` gives the files it then leaves. A step is up to date when its inputs are those of its last success and
    its outputs are untouched since; both are asked for without network and without reading a large file.
    `local` are files of the user's that it reads, watched by doit itself; `ready` adds a condition of its own: a reason
    to run, or an empty string. A `live` step is judged by `ready` alone: by what is there, not by what was noted.
    With `unless`, it is left out when those other steps have nothing to do.
    `undo` takes back, on `doit clean`, what it did elsewhere than in files.
    `after` orders steps; what a step `follows` also makes it run whenever that ran.
    """

    base: str
    doc: str
    action: Callable[[], None]
    name: str = ""
    inputs: Callable[[], Inputs | None]
    outputs: Callable[[], Iterable[Path]] = tuple
    ready: Callable[[], str] = str
    live: bool = False
    unless: "GroupUpToDate | None" = None
    after: Sequence[str] = ()
    follows: Sequence[str] = ()
    local: Sequence[Path] = ()
    clean: Callable[[], Iterable[Path]] | None = None
    undo: Undo | None = None

    @property
    def task_name(self) -> str:
        """doit's name, `base:name` or `base`."""
        return f"{self.base}:{self.name}" if self.name else self.base

    def to_doit(self) -> dict[str, Any]:
        """The task dictionary that doit wants."""
        task: dict[str, Any] = {
            "basename": self.base,
            "actions": [self._guarded],
            "uptodate": [UpToDate(self) if self.unless is None else self.unless],
            "task_dep": [*self.after, *self.follows],
            "file_dep": [str(path) for path in self.local],
            "clean": [Removal(self.clean or self.outputs, self.undo)],
            "doc": self.doc,
            "verbosity": 0,
            "meta": {"follows": list(self.follows)},
            "io": {"capture": False},
        }
        return {**task, "name": self.name} if self.name else task

    def _guarded(self) -> TaskFailed | None:
        """Run the action; a failure that the user can understand becomes doit's failure, exit code 1."""
        try:
            with storage_errors(f"finish {self.task_name}", Path()):
                load_once()
                self.action()
        except AirgapError as err:
            return TaskFailed(str(err), report=True)
        except ModuleNotFoundError as err:
            missing = missing_package(err)
            if not missing:
                raise
            return TaskFailed(missing, report=True)
        return None


def load_once() -> None:
    """Load what imports itself in a circle (urllib3) by one thread, while the others wait.

    Two threads that begin it at different ends lock each other out, and Python gives one of them half a module.
    """
    with _loading:
        importlib.import_module("clients.http.transport")


class Removal:
    """What `doit clean` does for a step: its files are removed, and directories that are empty then, and all undone."""

    def __init__(self, files: Callable[[], Iterable[Path]], undo: Undo | None) -> None:
        self._files = files
        self._undo = undo

    def __call__(self, dryrun: bool) -> None:
        """Called by doit, which looks for the parameter of this name."""
        paths = [] if dryrun else list(self._files())
        for path in paths:
            path.unlink(missing_ok=True)
        for directory in {path.parent for path in paths}:
            with contextlib.suppress(OSError):
                os.removedirs(directory)
        if self._undo and not dryrun:
            self._undo.remove()

    def there(self) -> tuple[set[Path], Sequence[str]]:
        """What there is to remove: files, and names on the Docker Engine."""
        return {path for path in self._files() if path.exists()}, self._undo.made() if self._undo else ()


class UpToDate:
    """doit's question whether a step may be skipped. Remembers why not, for `doit info` and `doit plan`."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.asked = False
        self.reason = ""

    def configure_task(self, task: Any) -> None:
        """Called by doit: note inputs and outputs whenever the task succeeds."""
        task.value_savers.append(self._noted)

    def _noted(self) -> dict[str, Any]:
        self.reason = ""
        paths = [str(path) for path in self.step.outputs()]
        return {"inputs": self.step.inputs(), "outputs": {path: _signature(path) for path in paths}}

    def __call__(self, task: Any, values: Mapping[str, Any]) -> bool:  # doit passes by these names
        self.asked = True
        try:
            self.reason = self._why(values)
        except (AirgapError, OSError) as err:  # the step itself will meet it again, and report it
            self.reason = str(err)
        return not self.reason

    def _why(self, values: Mapping[str, Any]) -> str:
        if self.step.live:
            return self.step.ready()
        if not values:
            return "has not run yet"
        inputs = self.step.inputs()
        if inputs is None:
            return NOT_KNOWN
        if inputs != values.get("inputs"):
            return _difference(values.get("inputs") or {}, inputs)
        for path, noted in values.get("outputs", {}).items():
            now = _signature(path)
            if now != noted:
                return f"{path} {'is missing' if now is None else 'was changed'}"
        return self.step.ready()

    def __repr__(self) -> str:
        return self.reason or "up to date"


class GroupUpToDate(UptodateCalculator):  # type: ignore[misc]
    """A group is up to date when each of its tasks is.

    With `bases` it is not about a group, but about all tasks of these names, the group itself not being one of them.
    """

    def __init__(self, bases: Sequence[str] = ()) -> None:
        super().__init__()
        self.reason = ""
        self._bases = bases
        self._manager: Any = None

    def setup(self, dep_manager: Any, tasks_dict: Mapping[str, Any]) -> None:
        """Called by doit before it asks."""
        super().setup(dep_manager, tasks_dict)
        self._manager = dep_manager

    def __call__(self, task: Any) -> bool:
        stale = [name for name in self._names(task) if not self._fresh(name)]
        self.reason = f"{', '.join(stale[:3])}{' and others' if len(stale) > 3 else ''} would run" if stale else ""
        return not stale

    def _names(self, task: Any) -> Sequence[str]:
        if not self._bases:
            return list(task.task_dep)
        return [name for name, each in self.tasks_dict.items() if each.subtask_of in self._bases]

    def _fresh(self, name: str) -> bool:
        """Whether a task is up to date; what this run has found out already is not asked again."""
        task = self.tasks_dict[name]
        checks = [check for check, _, _ in task.uptodate if isinstance(check, UpToDate) and check.asked]
        if checks and not task.file_dep:
            return not checks[0].reason
        return bool(self._manager.get_status(task, self.tasks_dict).status == "up-to-date")

    def __repr__(self) -> str:
        return self.reason or "up to date"


def group(base: str, *, after: Sequence[str] = ()) -> dict[str, Any]:
    """A task without work of its own: the common name of `base:*`, or of the tasks in `after`."""
    doc = GROUPS[base].purpose
    task: dict[str, Any] = {"basename": base, "actions": None, "uptodate": [GroupUpToDate()], "doc": doc}
    return {**task, "task_dep": list(after)} if after else {**task, "name": None}


def to_doit(base: str, steps: Iterable[Step]) -> Iterator[dict[str, Any]]:
    """A task with its steps below it, or the one step that has no name of its own, as doit's generators yield them."""
    try:
        listed = list(steps)
    except AirgapError as err:
        raise InvalidDodoFile(str(err)) from err
    if [step.name for step in listed] != [""]:
        yield group(base)
    for step in listed:
        yield step.to_doit()


def _signature(path: str) -> list[int] | None:
    try:
        return signature(os.stat(path))
    except OSError:
        return None


def _difference(old: Inputs, new: Inputs) -> str:
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    key = changed[0]
    if _readable(old.get(key)) and _readable(new.get(key)):
        return f"{key} changed: {old[key]} -> {new[key]}"
    return f"{', '.join(dict.fromkeys(_OF_THE_PLACE.get(key, key) for key in changed))} changed"


def _readable(value: Any) -> bool:
    """Whether a value means something to whoever reads a plan: neither a sealed digest nor a path of ours."""
    return isinstance(value, int) or (isinstance(value, str) and not value.startswith(("hmac-", "/")))


class EngineUndo:
    """What `doit clean` takes back on a Docker Engine: the names that `step` made there, as `state` notes them.

    The Engine is asked only to remove them.
    """

    def __init__(self, step: str, state: Path, *, env: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._step = step
        self._state = state
        self._env = env
        self._say = say

    def made(self) -> tuple[str, ...]:
        """The names, without asking the Engine."""
        try:
            return self._names.made(self._step) if self._state.exists() else ()
        except AirgapError:
            return ()

    def remove(self) -> None:
        """Take them away, and say so; what stays, and why, is said too."""
        if not self._state.exists():
            return
        try:
            for told in self._names.remove(self._step):
                self._say(f"   {told}")
        except AirgapError as err:
            for line in f"{self._step}: {err}".splitlines():
                self._say(f"   {line}")

    @property
    def _names(self) -> "EngineNames":
        from clients.engine.engine import Engine  # only cleaning up needs it
        from clients.engine.names import EngineNames

        return EngineNames(self._state, Engine(self._env))
