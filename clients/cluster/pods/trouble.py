"""What keeps a release from coming up, and how long each kind may still heal by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A Kubernetes event about one object; `last` is when it was seen last (RFC 3339, so that texts sort by time)."""

    kind: str
    name: str
    type: str
    reason: str
    message: str
    count: int = 1
    last: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a core/v1 Event; its newer fields (eventTime, series) stand in for the older ones."""
        involved, series = data.get("involvedObject") or {}, data.get("series") or {}
        metadata = data.get("metadata") or {}
        times = (data.get("lastTimestamp"), series.get("lastObservedTime"), data.get("eventTime"))
        return cls(
            kind=str(involved.get("kind") or ""),
            name=str(involved.get("name") or ""),
            type=str(data.get("type") or ""),
            reason=str(data.get("reason") or ""),
            message=" ".join(str(data.get("message") or "").split()),
            count=int(data.get("count") or series.get("count") or 1),
            last=str(next((each for each in times if each), metadata.get("creationTimestamp") or "")),
        )

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.reason}: {self.message}{times}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an object does not come up. `patience`: seconds that it may last before it counts as a cause that stays.

    `events` and `log` (the last lines, oldest first) are filled in when the trouble is told.
    """

    kind: str
    name: str
    reason: str
    message: str
    hint: str
    patience: float = 0.0
    container: str = ""
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while the trouble lasts, whatever its message counts up."""
        return (self.kind, self.name, self.reason)

    def __str__(self) -> str:
        lines = [f"{self.kind} {self.name}: {self.reason}: {self.message}"]
        lines += ["  events:", *(f"    {line}" for line in self.events)] if self.events else []
        lines += ["  last log lines:", *(f"    {line}" for line in self.log)] if self.log else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what may heal by itself may take, in seconds; `restarts` is a number."""

    restarts: int = 5
    unreached_registry: float = 90.0
    missing_config: float = 30.0
    unschedulable: float = 60.0
    unbound_volume: float = 30.0
    failed_mount: float = 60.0
    refused_pods: float = 30.0
