"""The `backup` part of a resolved spec: what `doit backup` dumps besides releases, how dumps are tried out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from schema.spec.repeat import ForEach, repeated

DEFAULT_MAX_AGE = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreCheckSpec:
    """A command that looks at what was restored: it must succeed, and print `prints` where that is not None."""

    run: tuple[str, ...]
    prints: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(run=tuple(data["run"]), prints=data.get("prints"))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"run": list(self.run), **({} if self.prints is None else {"prints": self.prints})}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSpec:
    """A command that reads a dump from standard input into a scratch database, and what is checked there.

    `run`, those of `checks`, `prints` and the values of `env` are templates; `env` is for all of them.
    """

    run: tuple[str, ...]
    env: Mapping[str, str]
    checks: tuple[RestoreCheckSpec, ...] = ()

    @property
    def templates(self) -> tuple[str, ...]:
        """All of them."""
        checks = [text for each in self.checks for text in (*each.run, each.prints or "")]
        return (*self.run, *self.env.values(), *checks)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        checks = tuple(RestoreCheckSpec.from_dict(item) for item in data["checks"])
        return cls(run=tuple(data["run"]), env=dict(data["env"]), checks=checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"run": list(self.run), "env": dict(self.env), "checks": [each.to_dict() for each in self.checks]}

    def filled(self, fill: Callable[[str], str]) -> Self:
        """With each template as `fill` makes it."""
        checks = tuple(
            RestoreCheckSpec(run=tuple(map(fill, each.run)), prints=None if each.prints is None else fill(each.prints))
            for each in self.checks
        )
        env = {key: fill(text) for key, text in self.env.items()}
        return replace(self, run=tuple(map(fill, self.run)), env=env, checks=checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpSpec:
    """A command whose standard output is kept, encrypted; `run` and the values of `env` are templates."""

    name: str
    run: tuple[str, ...]
    env: Mapping[str, str]
    for_each: ForEach | None = None
    restore: RestoreSpec | None = None

    @property
    def runs(self) -> tuple[tuple[str, ...], ...]:
        """Every command of it: the dump, and what tries it out."""
        restore = self.restore
        return (self.run, *((restore.run, *(each.run for each in restore.checks)) if restore else ()))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        restore = RestoreSpec.from_dict(data["restore"]) if "restore" in data else None
        run, env = tuple(data["run"]), dict(data["env"])
        return cls(name=data["name"], run=run, env=env, for_each=ForEach.from_dict(data), restore=restore)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        restore = {"restore": self.restore.to_dict()} if self.restore else {}
        return {"name": self.name, "run": list(self.run), "env": dict(self.env), **repeated(self.for_each), **restore}


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
