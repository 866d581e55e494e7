"""doit's memory: which step succeeded with what. Written after every success, so that a killed run forgets nothing.

doit itself writes its state once, at the end of a run; a run of an hour that is killed in its last minute would start
anew. Here each success is one appended line, and the file is rewritten (atomically) only when it has grown stale.
"""

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator, MutableSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from doit.dependency import FileChangedChecker

from bundle.formats import strict_json
from bundle.storage.files import sync_directories, write_bytes
from bundle.storage.private import make_private


class Codec(Protocol):
    """doit's codec for values."""

    def encode(self, data: Any) -> str: ...
    def decode(self, data: str) -> Any: ...


class JournalDB:
    """A doit backend: one JSON line for each finished or forgotten task, the last one of a task counts.

    A half-written last line (the process was killed there) is ignored. When the disk is full the run goes on; the steps
    that could not be noted are checked again next time.
    """

    desc = "append-only journal, safe against kill -9"

    def __init__(self, name: str, codec: Codec, *, module_name: str | None = None) -> None:
        self.name = name
        self.codec = codec
        self._tasks: dict[str, dict[str, Any]] = {}
        self._lines = 0
        self._torn = b""
        self._new: set[str] = set()
        self._load()

    def _load(self) -> None:
        try:
            text = Path(self.name).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return
        self._torn = b"" if not text or text.endswith("\n") else b"\n"
        for line in text.splitlines():
            try:
                task_id, values = strict_json.loads(line)
            except ValueError:
                continue
            self._lines += 1
            if values is None:
                self._tasks.pop(task_id, None)
            else:
                self._tasks[task_id] = values

    def get(self, task_id: str, dependency: str) -> Any:
        """One value of a task, None when there is none."""
        return self._tasks.get(task_id, {}).get(dependency)

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Remember one value; doit sets `deps:` last, which completes a task's success."""
        self._tasks.setdefault(task_id, {})[dependency] = value
        done = dependency == "deps:" and (value or self._tasks[task_id].get("_values_:"))
        if done or dependency == "ignore:":
            self._append(task_id, self._tasks[task_id])

    def in_(self, task_id: str) -> bool:
        """Whether anything is known of a task."""
        return task_id in self._tasks

    def remove(self, task_id: str) -> None:
        """Forget a task."""
        if self._tasks.pop(task_id, None) is not None:
            self._append(task_id, None)

    def remove_all(self) -> None:
        """Forget everything."""
        for task_id in tuple(self._tasks):
            self.remove(task_id)

    def dump(self) -> None:
        """End of a run, before it is reported: what was done in it is on the disk, and so is the journal.

        The journal is rewritten when most of its lines are superseded. The bytes of files were synced when they were
        written; here it is their names, once for each directory. After a power cut in the middle of a run, a line of
        the journal may be there without its outputs: they are looked at, and the step runs again.
        """
        kept = {
            task_id: values for task_id, values in self._tasks.items() if values.get("_values_:") or "ignore:" in values
        }
        if self._lines > 2 * len(kept) + 20:
            lines = (json.dumps([task_id, values]) + "\n" for task_id, values in kept.items())
            with contextlib.suppress(OSError):
                write_bytes(Path(self.name), "".join(lines).encode(), mode=0o600)
        if self._new:
            self._settle()

    def _settle(self) -> None:
        noted = (self._tasks.get(task_id, {}).get("_values_:") or {} for task_id in self._new)
        outputs = (Path(path) for values in noted for path in values.get("outputs", {}))
        journal = Path(self.name).absolute()
        sync_directories(str(above) for path in (*outputs, journal) for above in path.parents)
        with contextlib.suppress(OSError), journal.open("rb") as file:
            os.fsync(file.fileno())
        self._new.clear()

    def _append(self, task_id: str, values: dict[str, Any] | None) -> None:
        line = self._torn + (json.dumps([task_id, values]) + "\n").encode()
        self._torn = b""
        self._lines += 1
        self._new.add(task_id)
        with contextlib.suppress(OSError):
            make_private(Path(self.name).parent)
            handle = os.open(self.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, line)
            finally:
                os.close(handle)


@dataclass(frozen=True, slots=True)
class JournalPlaces:
    """Where successes are noted: those of the connected side in `built`, those of one installation in `installed()`.

    The latter is asked for when the first step of an installation is met: it takes reading what the site is.
    """

    built: Path
    installed: Callable[[], Path]
    receiving: Collection[str]  # the names of an installation's tasks; the steps of one are NAME:...


class Journals:
    """A doit backend of two journals: what is installed elsewhere makes no step of this installation stale."""

    desc = JournalDB.desc

    def __init__(self, name: str | JournalPlaces, codec: Codec, *, module_name: str | None = None) -> None:
        self._places = name if isinstance(name, JournalPlaces) else JournalPlaces(Path(name), lambda: Path(name), ())
        self._codec = codec
        self._open: dict[Path, JournalDB] = {}
        self.name = str(self._places.built)

    def _journal(self, task_id: str) -> JournalDB:
        is_received = task_id.partition(":")[0] in self._places.receiving
        path = self._places.installed() if is_received else self._places.built
        if path not in self._open:
            self._open[path] = JournalDB(str(path), self._codec)
        return self._open[path]

    def get(self, task_id: str, dependency: str) -> Any:
        """One value of a task, None when there is none."""
        return self._journal(task_id).get(task_id, dependency)

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Remember one value."""
        self._journal(task_id).set(task_id, dependency, value)

    def in_(self, task_id: str) -> bool:
        """Whether anything is known of a task."""
        return self._journal(task_id).in_(task_id)

    def remove(self, task_id: str) -> None:
        """Forget a task."""
        self._journal(task_id).remove(task_id)

    def remove_all(self) -> None:
        """Forget everything, of the connected side and of this installation."""
        for task_id in ("", *self._places.receiving):
            self._journal(task_id).remove_all()

    def dump(self) -> None:
        """End of a run."""
        for journal in self._open.values():
            journal.dump()


class StatChecker(FileChangedChecker):  # type: ignore[misc]
    """A file has changed when its modification time, size or inode has; nothing is read.

    (doit's md5 checker reads multi-gigabyte files, and fails on hosts in FIPS mode.)
    """

    def check_modified(self, file_path: str, file_stat: os.stat_result, state: Any) -> bool:
        """Whether the file differs from its noted signature."""
        return signature(file_stat) != list(state)

    def get_state(self, dep: str, current_state: Any) -> list[int]:
        """The signature to note."""
        return signature(Path(dep).stat())


def signature(stat: os.stat_result) -> list[int]:
    """What changes whenever a file is written or replaced: time in ns, size in bytes, inode."""
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


class ValidatedSpecs(MutableSet[str]):
    """Fingerprints of specs that were found valid, so that a run with nothing to do need not load JSON Schema.

    Read when first asked; kept by `save`, which a run calls that writes anyway.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new: str = ""

    @cached_property
    def _known(self) -> frozenset[str]:
        try:
            return frozenset(self._path.read_text(encoding="ascii").split())
        except (OSError, UnicodeDecodeError):
            return frozenset()

    def __contains__(self, item: object) -> bool:
        return item in self._known or item == self._new

    def __iter__(self) -> Iterator[str]:
        return iter({*self._known, self._new} - {""})

    def __len__(self) -> int:
        return len({*self._known, self._new} - {""})

    def add(self, value: str) -> None:
        """Remember one more until `save`."""
        self._new = value

    def discard(self, value: str) -> None:
        """Nothing is ever taken back: a fingerprint names content, whose verdict can't change."""

    def save(self) -> None:
        """Keep the last few fingerprints."""
        if self._new:
            write_bytes(self._path, "\n".join([*sorted(self._known)[-20:], self._new, ""]).encode(), mode=0o600)
