"""Which names on a Docker Engine are ours: only what a run brought there is ever taken away again."""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bundle.errors import EngineError
from bundle.formats import strict_json
from bundle.storage.files import locked, write_bytes
from clients.engine.engine import Engine

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnName:
    """A name that `step` made for the image `id`; `whole` says that the image itself was not there before either."""

    step: str
    id: str
    whole: bool


class EngineNames:
    """The names that were made, noted in a file as soon as they are there. Safe for several threads and processes.

    An image that a killed run left without a note counts as somebody else's.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._guard = threading.Lock()

    @contextmanager
    def making(self, step: str, name: str, *, subject: str) -> Iterator[None]:
        """Around what gives an image this name: note it as ours, unless the name was there before and not ours."""
        before = self._engine.inspect(name, subject=subject)
        ids = self._engine.ids(subject=subject)
        yield
        after = self._engine.inspect(name, subject=subject)
        with self._changing() as names:
            old = names.get(name)
            if after is None or (before and not old):
                return
            held = any(each.id == after.id and each.whole for each in names.values())
            names[name] = OwnName(step=step, id=after.id, whole=held or after.id not in ids)
            if old and old.id != after.id and old.whole:
                names[old.id] = old  # it has lost its name to the new one

    def made(self, step: str) -> tuple[str, ...]:
        """The names that a step made."""
        with self._guard:
            return tuple(sorted(name for name, own in self._read().items() if own.step == step))

    def remove(self, step: str) -> Iterator[str]:
        """Take the step's names away and say what became of each; what others have changed since is left alone."""
        made = self.made(step)
        places = {_repository(name) for name in made}
        for name in made:
            try:
                yield self._remove(name, places)
            except EngineError as err:
                yield f"{name} stays: {err}"
                continue
            with self._changing() as names:
                names.pop(name, None)

    def _remove(self, name: str, places: Collection[str]) -> str:
        """`places` are the repositories of our names: digests of the image there come from our own pull or push."""
        with self._guard:
            own = self._read()[name]
        image = self._engine.inspect(name, subject=name)
        if image is None:
            return f"{name} is gone already"
        if image.id != own.id:
            return f"{name} stays: it names another image by now"
        digests = [str(each) for each in image.digests if each.repository not in places]
        others = [each for each in (*image.names, *digests) if each != name]
        if name == own.id and others:
            return f"{name} stays: it has names again"
        if not own.whole and not others:
            return f"{name} stays: the image was there before, and this is its only name"
        self._engine.remove(name, subject=name)
        if own.whole and not others and self._engine.inspect(own.id, subject=name):
            self._engine.remove(own.id, subject=name)  # Podman keeps one that has lost its tags but not its digests
        return f"{name} removed from the Docker Engine"

    @contextmanager
    def _changing(self) -> Iterator[dict[str, OwnName]]:
        """The names of this Engine, written back at the end."""
        with self._guard, locked(self._path.with_suffix(".guard")):
            engines = self._all()
            names = self._own(engines)
            yield names
            engines[self._engine.place] = {name: asdict(own) for name, own in names.items()}
            data = {"format": FORMAT_VERSION, "engines": engines}
            write_bytes(self._path, strict_json.readable(data, indent=1, escaped=True), mode=0o600)

    def _read(self) -> Mapping[str, OwnName]:
        return self._own(self._all())

    def _own(self, engines: Mapping[str, Any]) -> dict[str, OwnName]:
        return {name: OwnName(**own) for name, own in engines.get(self._engine.place, {}).items()}

    def _all(self) -> dict[str, Any]:
        """What is noted of all Engines; nothing where the file is not there, or not ours to understand."""
        try:
            data = strict_json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return dict(data["engines"]) if isinstance(data, dict) and data.get("format") == FORMAT_VERSION else {}


def _repository(name: str) -> str:
    """The repository of a name with a tag or a digest."""
    return name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
