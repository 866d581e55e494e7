"""What is looked at: what must hold before the first change, and what a healthy release answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

from schema.spec.repeat import ForEach, repeated
from schema.syntax.notation import optional_path, path_text

CheckKind = Literal["dns", "tcp", "http", "tls", "mysql", "postgres", "database", "run"]
CHECK_KINDS: tuple[CheckKind, ...] = ("dns", "tcp", "http", "tls", "mysql", "postgres", "database", "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    """An address (template) that answers with `status` and a body that holds `text` (empty: any) when all is well.

    `json` are members of the JSON object in the answer, and what they have to be as text (templates).
    """

    url: str
    status: int
    text: str
    json: Mapping[str, str]
    ca: Path | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            url=data["url"],
            status=data["status"],
            text=data["text"],
            json=dict(data["json"]),
            ca=optional_path(data["ca"], base),
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "url": self.url,
            "status": self.status,
            "text": self.text,
            "json": dict(self.json),
            "ca": path_text(self.ca, base),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """Something that must hold before the first change: `subject` (template) is a host, HOST:PORT or a URL by `kind`.

    A check of kind `run` is a program, `run` its argv of templates and `subject` the same as text.
    `from_pod` asks from inside the cluster too. `status` is for http, `min_days` (of the certificate's validity) for
    tls, `min_version` for mysql and for a database that is one (empty: any).
    """

    kind: CheckKind
    subject: str
    from_pod: bool
    ca: Path | None
    status: int
    min_days: int
    min_version: str
    run: tuple[str, ...] = ()
    for_each: ForEach | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            kind=cast("CheckKind", data["kind"]),
            subject=data["subject"],
            from_pod=data["from_pod"],
            ca=optional_path(data["ca"], base),
            status=data["status"],
            min_days=data["min_days"],
            min_version=data["min_version"],
            run=tuple(data["run"]),
            for_each=ForEach.from_dict(data),
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "from_pod": self.from_pod,
            "ca": path_text(self.ca, base),
            "status": self.status,
            "min_days": self.min_days,
            "min_version": self.min_version,
            "run": list(self.run),
            **repeated(self.for_each),
        }
