"""Which revisions the last install made, so that `doit rollback` can return to those before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.formats import strict_json
from bundle.storage.files import locked, write_bytes
from schema.spec.install import ReleaseSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One release of the last install: its revisions before (0: it was not there) and after."""

    name: str
    namespace: str
    before: int
    after: int

    def to_dict(self) -> dict[str, Any]:
        """For the state file and the receipt."""
        return {"name": self.name, "namespace": self.namespace, "before": self.before, "after": self.after}


class Revisions:
    """The record of the last run that changed a release, in order; a new run begins a new record."""

    def __init__(self, state: Path) -> None:
        self._path = state / "revisions.json"

    def note(self, release: ReleaseSpec, *, before: int, after: int, run: str) -> None:
        """A release was changed by the run of this name."""
        with locked(self._path.with_suffix(".lock")):
            made = Revision(name=release.name, namespace=release.namespace, before=before, after=after)
            data = self._data()
            kept = self.read() if data.get("run") == run else ()
            begun = {name: found for name, found in data.get("begun", {}).items() if name != _name(release)}
            self._write({"run": run, "releases": [each.to_dict() for each in (*kept, made)], "begun": begun})

    def begin(self, release: ReleaseSpec, *, before: int) -> None:
        """A release is about to be changed: remembered until `note`, also by a run that is killed in between."""
        with locked(self._path.with_suffix(".lock")):
            data = self._data()
            self._write({**data, "begun": {**data.get("begun", {}), _name(release): before}})

    def begun(self, release: ReleaseSpec) -> int | None:
        """The revision before a change that was begun and not noted; None when there is none."""
        found = self._data().get("begun", {}).get(_name(release))
        return found if isinstance(found, int) else None

    def read(self) -> tuple[Revision, ...]:
        """The releases that the last changing run changed, in its order; none when there was no such run."""
        return tuple(Revision(**each) for each in self._data().get("releases", ()))

    def drop(self, gone: Revision) -> None:
        """Forget one, after it was rolled back: when another can't be, the next rollback goes on with the rest."""
        with locked(self._path.with_suffix(".lock")):
            kept = [each.to_dict() for each in self.read() if each != gone]
            self._write({**self._data(), "releases": kept})

    def clear(self) -> None:
        """Forget them, after they were rolled back."""
        self._path.unlink(missing_ok=True)

    def _write(self, data: Mapping[str, Any]) -> None:
        write_bytes(self._path, json.dumps(data, indent=1).encode(), mode=0o600)

    def _data(self) -> dict[str, Any]:
        try:
            data = strict_json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def _name(release: ReleaseSpec) -> str:
    return f"{release.namespace}/{release.name}"
