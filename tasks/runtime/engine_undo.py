"""What `doit clean` takes back on a Docker Engine: the names that a step made there, and no others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import AirgapError

if TYPE_CHECKING:
    from clients.engine.names import EngineNames


class EngineUndo:
    """The names that `step` made, as `state` notes them. The Engine is asked only to remove them."""

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
            self._say(f"   {self._step}: {err}")

    @property
    def _names(self) -> "EngineNames":
        from clients.engine.engine import Engine  # only cleaning up needs it
        from clients.engine.names import EngineNames

        return EngineNames(self._state, Engine(self._env))
