"""The programs that an installation runs: those that the bundle carries, before those of the machine."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from tasks.site.carried import CarriedBundle


class Programs:
    """The tools of one bundle, copied out of it when one is first needed; `env` is the installing environment."""

    def __init__(self, carried: CarriedBundle, env: Mapping[str, str]) -> None:
        self._carried = carried
        self._env = env

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The environment of a spec's own programs: ours, with the bundle's tools first on PATH."""
        path = os.pathsep.join(filter(None, [str(self._carried.tools), self._env.get("PATH", os.defpath)]))
        return {**self._env, "PATH": path}

    def find(self, name: str) -> Path:
        """The program of this name; a MissingToolError says where was looked."""
        from clients.programs.process import find_program  # a run that only verifies starts no program

        return find_program(name, directories=[self._carried.tools], path=self._env.get("PATH"))
