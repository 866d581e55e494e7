"""The bundle's tools come before the machine's."""

import os
from pathlib import Path
from typing import Any, cast

import pytest
from tasks.site.programs import Programs

from bundle.errors import MissingToolError
from tasks.site.carried import CarriedBundle


class Tools:
    """Stands for a carried bundle: a directory with its tools, which is made when it is asked for."""

    def __init__(self, place: Path) -> None:
        self._place = place

    @property
    def tools(self) -> Path:
        self._place.mkdir(exist_ok=True)
        return self._place


def program(directory: Path, name: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text("#!/bin/sh\n")
    (directory / name).chmod(0o755)
    return directory / name


def programs(tmp_path: Path, **env: str) -> Programs:
    carried: Any = Tools(tmp_path / "tools")
    return Programs(cast("CarriedBundle", carried), {"PATH": str(tmp_path / "bin"), **env})


def test_the_bundles_own_is_found_first(tmp_path: Path) -> None:
    machine = program(tmp_path / "bin", "helm")
    assert programs(tmp_path).find("helm") == machine
    own = program(tmp_path / "tools", "helm")
    assert programs(tmp_path).find("helm") == own


def test_one_that_is_nowhere_is_told_with_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="kubectl"):
        programs(tmp_path).find("kubectl")


def test_what_the_specs_own_programs_find(tmp_path: Path) -> None:
    env = programs(tmp_path, GIVEN="yes").env
    assert env["PATH"].split(os.pathsep) == [str(tmp_path / "tools"), str(tmp_path / "bin")]
    assert env["GIVEN"] == "yes"
    carried: Any = Tools(tmp_path / "tools")
    assert Programs(carried, {}).env["PATH"] == f"{tmp_path / 'tools'}{os.pathsep}{os.defpath}"
