"""`history.jsonl`: what was done to an installation: when, by whom, with which bundle, and with what result.

A line when a run begins to change something, and one when it ends; a run that was killed has only the first.
"""

import os
import pwd
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, get_args

from bundle.errors import AirgapError, FormatError, storage_errors
from bundle.formats.fields import Fields, time_text
from bundle.formats.strict_json import canonical
from bundle.storage.private import make_private
from tasks.runtime.version import VERSION
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import is_older, last_receipt

HISTORY = "history.jsonl"
Deed = Literal["install", "upgrade", "downgrade", "rollback", "uninstall"]
Outcome = Literal["begun", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One run. `version` and `sums` (the digest of SHA256SUMS) are the bundle's, `before` is the version before it.

    `result` is `begun` while it runs, and ever after when it was killed; `problem` is why it failed, without secrets.
    `target` names the directory of the state; `releases` are those that are there after it.
    """

    run: str
    time: datetime
    what: Deed
    result: Outcome
    who: str
    name: str
    version: str
    sums: str
    before: str = ""
    target: str = ""
    cluster: str = ""
    registry: str = ""
    tool: str = VERSION
    problem: str = ""
    releases: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read one line; FormatError when it is not one."""
        fields = Fields(data=data, subject=HISTORY)
        what, result = fields.text("what"), fields.text("result")
        if what not in get_args(Deed) or result not in get_args(Outcome):
            raise FormatError(f"{HISTORY}: {what!r} with result {result!r} is not known")
        texts: dict[str, Any] = {name: fields.text(name) for name in _TEXTS}
        releases = tuple(each.data for each in fields.objects("releases"))
        return cls(time=fields.time("time"), releases=releases, **texts)

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {"time": time_text(self.time), **texts, "releases": [dict(each) for each in self.releases]}


_BUNDLE = ("name", "version", "sums", "before")
_TEXTS = ("run", "what", "result", "who", *_BUNDLE, "target", "cluster", "registry", "tool", "problem")


def read_history(path: Path) -> Iterator[HistoryEntry]:
    """The runs of one installation in the order of their beginning, each as it ended; other lines are passed over."""
    with storage_errors("read the history", path):
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return
    runs: dict[str, HistoryEntry] = {}
    for line in lines:
        try:
            entry = HistoryEntry.from_dict(Fields.decode(line, HISTORY).data)
        except FormatError:  # the disk was full, or the power went
            continue
        begun = runs.get(entry.run)
        runs[entry.run] = replace(entry, time=begun.time) if begun else entry
    yield from runs.values()


def history_path(receiver: Receiver) -> Path:
    """Where the history of this installation is kept."""
    return receiver.state / HISTORY


def all_histories(state: Path) -> Iterator[HistoryEntry]:
    """The runs of all applications on all targets with this state, oldest first."""
    found = (entry for path in state.glob(f"*/*/{HISTORY}") for entry in read_history(path))
    yield from sorted(found, key=lambda entry: entry.time)


def note_run(receiver: Receiver, selected: Collection[str], result: Outcome, problem: str = "") -> HistoryEntry | None:
    """Note how a run of these steps ended, where it was an install or has begun to change something."""
    if not receiver.carried.has_plan:  # nobody can tell which application that was to be
        return None
    if "install" not in selected and _begun(receiver) is None:
        return None
    return end(receiver, result, problem)


def begin(receiver: Receiver, what: Deed | None = None) -> None:
    """This run is about to change something; without `what`, it installs. A StorageError when it can't be noted."""
    _append(receiver, _entry(receiver, what or _kind(receiver), "begun"))


def end(receiver: Receiver, result: Outcome, problem: str = "") -> HistoryEntry | None:
    """Note how this run ended; None where what it is about could not be told, or the note not be written."""
    try:
        entry = _begun(receiver) or _entry(receiver, _kind(receiver), result)
        last = last_receipt(receiver)
        releases = tuple(each.to_dict() for each in last[1].releases) if last else ()
        ended = replace(entry, time=_now(), result=result, problem=problem, releases=releases)
        _append(receiver, ended)
    except AirgapError as err:
        receiver.project.console.problem(f"warning: this run is missing in the history: {err}")
        return None
    return ended


def _begun(receiver: Receiver) -> HistoryEntry | None:
    return next((each for each in read_history(history_path(receiver)) if each.run == receiver.run), None)


@contextmanager
def recorded(receiver: Receiver, what: Deed) -> Iterator[None]:
    """Note that the body does this, and how it ended."""
    begin(receiver, what)
    try:
        yield
    except AirgapError as err:
        end(receiver, "failed", str(err))
        raise
    except BaseException as err:
        end(receiver, "stopped" if isinstance(err, KeyboardInterrupt) else "failed", type(err).__name__)
        raise
    end(receiver, "done")


def _entry(receiver: Receiver, what: Deed, result: Outcome) -> HistoryEntry:
    manifest, last = receiver.carried.bundle.manifest, last_receipt(receiver)
    return HistoryEntry(
        run=receiver.run,
        time=_now(),
        what=what,
        result=result,
        who=_who(receiver.project.env),
        name=manifest.name,
        version=manifest.version,
        sums=str(receiver.carried.bundle.sums_digest),
        before=last[1].version if last else "",
        target=receiver.target.name,
        cluster=receiver.target.cluster.server,
        registry=receiver.target.registry,
    )


def _kind(receiver: Receiver) -> Deed:
    last = last_receipt(receiver)
    if last is None or last[1].sums == receiver.carried.bundle.sums_digest:
        return "install"
    return "downgrade" if is_older(receiver, last[1]) else "upgrade"


def _append(receiver: Receiver, entry: HistoryEntry) -> None:
    """One line more, on the disk before anything goes on; it begins anew where an earlier one was cut off."""
    path = history_path(receiver)
    with storage_errors("note it in the history", path):
        make_private(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            cut = b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
            os.write(handle, cut + canonical(entry.to_dict(), escaped=True) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)


def _who(env: Mapping[str, str]) -> str:
    """The account that this runs as, whoever called sudo before it, and the machine."""
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        account = f"user {os.geteuid()}"
    caller = env.get("SUDO_USER", "")
    person = f"{caller} (as {account})" if caller and caller != account else account
    return f"{person}@{socket.gethostname()}"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
