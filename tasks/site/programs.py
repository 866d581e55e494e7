"""The programs that an installation runs: those that the bundle carries, before those of the machine."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundle.archive.reader import OpenedBundle


class Programs:
    """The tools of one bundle, copied out of it when one is first needed; `env` is the installing environment."""

    def __init__(self, bundle: "OpenedBundle", state: Path, env: Mapping[str, str]) -> None:
        self._bundle = bundle
        self._state = state
        self._env = env

    @cached_property
    def directory(self) -> Path:
        """Where the bundle's tools can be executed."""
        place = self._state / "tools" / self._bundle.manifest.id.hex[:16]
        for file in self._bundle.manifest.files:
            if file.tool and not (place / file.name).exists():
                self._bundle.extract(file.file, place / file.name, mode=0o755)
        return place

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The environment of a spec's own programs: ours, with the bundle's tools first on PATH."""
        path = os.pathsep.join(filter(None, [str(self.directory), self._env.get("PATH", os.defpath)]))
        return {**self._env, "PATH": path}

    def find(self, name: str) -> Path:
        """The program of this name; a MissingToolError says where was looked."""
        from clients.programs.process import find_program  # a run that only verifies starts no program

        return find_program(name, directories=[self.directory], path=self._env.get("PATH"))
