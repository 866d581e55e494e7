"""What keeps a release from coming up, and how long each kind may still heal by itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bundle.formats.numbers import count

_CONTAINER = re.compile(r"spec\.\w+\{(.+)\}")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)


def plain(text: object) -> str:
    """One line of what a program or the API said, without control characters and terminal escapes."""
    shown = _ESCAPE.sub("", str(text or ""))
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A Kubernetes event about one object; `first` and `last` are when it was seen (RFC 3339: texts sort by time).

    `uid` is the object's own, for names come again; `container` is the one it is about, empty for the whole object.
    """

    kind: str
    name: str
    type: str
    reason: str
    message: str
    count: int = 1
    last: str = ""
    first: str = ""
    uid: str = ""
    container: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a core/v1 Event; its newer fields (eventTime, series) stand in for the older ones."""
        involved, series = data.get("involvedObject") or {}, data.get("series") or {}
        made = str((data.get("metadata") or {}).get("creationTimestamp") or "")
        newest = (data.get("lastTimestamp"), series.get("lastObservedTime"), data.get("eventTime"))
        oldest = (data.get("firstTimestamp"), data.get("eventTime"))
        field = _CONTAINER.fullmatch(str(involved.get("fieldPath") or ""))
        return cls(
            kind=str(involved.get("kind") or ""),
            name=str(involved.get("name") or ""),
            type=str(data.get("type") or ""),
            reason=str(data.get("reason") or ""),
            message=plain(data.get("message")),
            count=count(data.get("count")) or count(series.get("count")) or 1,
            last=str(next((each for each in newest if each), made)),
            first=str(next((each for each in oldest if each), made)),
            uid=str(involved.get("uid") or ""),
            container=field[1] if field else "",
        )

    @property
    def lasted(self) -> float:
        """Seconds between its first and its last time, by the clock of whoever reported it."""
        begun, ended = moment(self.first), moment(self.last)
        return max(0.0, (ended - begun).total_seconds()) if begun and ended else 0.0

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.reason}: {self.message}{times}"


def moment(text: object) -> datetime | None:
    """A time as the API writes it (RFC 3339); None for none."""
    try:
        found = datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an object does not come up. `patience`: seconds that it may last before it counts as a cause that stays.

    `cause` is what has to last: kubelet names one and the same thing by several reasons in turn (ErrImagePull and
    ImagePullBackOff). While it `rests` it does not show, and has not gone either: a container of a crash loop runs
    again. One that `waits` is no fault as yet, only what the release waits for. `awaits` is the object (kind, name)
    whose coming heals it. `events` and `log` (the last lines, oldest first) are filled in when the trouble is told.
    """

    kind: str
    name: str
    reason: str
    message: str
    hint: str
    cause: str
    uid: str = ""
    container: str = ""
    patience: float = 0.0
    rests: bool = False
    waits: bool = False
    awaits: tuple[str, str] | None = None
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same while the trouble lasts, whatever its reason is called and its message counts up."""
        return (self.kind, self.uid or self.name, self.container, self.cause)

    @property
    def brief(self) -> str:
        """One line: the object and the message, and the last that was said."""
        said = f"; its last log line: {self.log[-1]}" if self.log else ""
        return f"{self.kind} {self.name}: {self.message}{said}"

    def __str__(self) -> str:
        lines = [f"{self.kind} {self.name}: {self.reason}: {self.message}"]
        lines += ["  events:", *(f"    {line}" for line in self.events)] if self.events else []
        lines += ["  last log lines:", *(f"    {line}" for line in self.log)] if self.log else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what may heal by itself may take, in seconds; `restarts` is a number.

    A crash loop counts after so many restarts and so much time since its first end was seen. kubelet restarts what ends
    at once after 0, 10, 30 and 70 seconds and more: what it needs may come until then. `crash_loop_beside` is for one
    beside a pod that runs and is not ready, which may be what it waits for. Pulls are tried again after some 10, 40 and
    100 seconds: one that comes within the first minute is met by one of them.
    """

    restarts: int = 4
    crash_loop: float = 60.0
    crash_loop_beside: float = 300.0
    unreached_registry: float = 120.0
    unready_node: float = 120.0
    missing_config: float = 30.0
    unschedulable: float = 60.0
    unbound_volume: float = 30.0
    failed_mount: float = 60.0
    refused_pods: float = 30.0
