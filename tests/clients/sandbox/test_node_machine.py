"""The processes and mounts that a node has for itself."""

from pathlib import Path

import pytest

from bundle.errors import ProgramError
from clients.sandbox._node_machine import Machine, machine


@pytest.fixture
def made(tmp_path: Path) -> Machine:
    (tmp_path / "tool").touch(mode=0o755)
    return Machine(first=4711, path=f"{tmp_path}:/usr/sbin:/usr/bin")


def test_programs_are_found_by_its_own_path(made: Machine, tmp_path: Path) -> None:
    enter = ["nsenter", "--target=4711", "--mount", "--pid", "--", "env", f"PATH={made.path}"]
    assert made.inside(["tool", "--x"]) == [*enter, str(tmp_path / "tool"), "--x"]
    assert made.inside(["not-there"]) == [*enter, "not-there"]


def test_what_fails_there_is_told() -> None:
    gone = Machine(first=999_999_999, path="/usr/bin")
    assert gone.run("true").code != 0
    with pytest.raises(ProgramError, match="the node can't be made: true: nsenter: "):
        gone.do("true")
    gone.end()


@pytest.mark.parametrize("root", ["/run/x", "/var/log/x"])
def test_its_files_can_not_lie_where_it_has_its_own(tmp_path: Path, root: str) -> None:
    with (
        pytest.raises(ProgramError, match=f"a node's files can't lie below .*, as {root} does"),
        machine(tmp_path, Path(root)),
    ):
        pass
