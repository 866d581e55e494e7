"""The `backup` part of a resolved spec: what `doit backup` dumps besides releases, and which upgrades wait for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from schema.spec.repeat import ForEach, repeated

DEFAULT_MAX_AGE = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpSpec:
    """A command whose standard output is kept, encrypted; `run` and the values of `env` are templates."""

    name: str
    run: tuple[str, ...]
    env: Mapping[str, str]
    for_each: ForEach | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        run, env = tuple(data["run"]), dict(data["env"])
        return cls(name=data["name"], run=run, env=env, for_each=ForEach.from_dict(data))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"name": self.name, "run": list(self.run), "env": dict(self.env), **repeated(self.for_each)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSpec:
    """`before_upgrade` names releases that get another chart only after a backup, at most `max_age` seconds old."""

    before_upgrade: tuple[str, ...] = ()
    max_age: int = DEFAULT_MAX_AGE
    commands: tuple[DumpSpec, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(
            before_upgrade=tuple(data["before_upgrade"]),
            max_age=data["max_age"],
            commands=tuple(DumpSpec.from_dict(item) for item in data["commands"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `max_age` in seconds."""
        return {
            "before_upgrade": list(self.before_upgrade),
            "max_age": self.max_age,
            "commands": [item.to_dict() for item in self.commands],
        }


NO_BACKUP = BackupSpec()
