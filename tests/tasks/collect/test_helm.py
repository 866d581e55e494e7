"""The helm of the connected side: this machine's, else the one that is carried."""

import pytest

from bundle.errors import MissingToolError, ProgramError
from tasks.collect.helm import INSTALL_HINT, find_helm, is_carried, open_helm
from tests.fixtures.benches.connected import connected, script
from tests.fixtures.benches.workbench import Workbench


@pytest.fixture
def bench(bench: Workbench) -> Workbench:
    """Carries a helm, and has none on PATH."""
    bench.env["PATH"] = str(bench.place / "bin")
    script(bench.place, "helm", "echo v4.0.0")
    bench.spec["files"] = [{"name": "helm", "source": "helm", "tool": True}]
    bench.write()
    return bench


def test_one_that_is_not_carried_yet_is_none(bench: Workbench) -> None:
    project = connected(bench)
    assert is_carried(project)
    assert find_helm(project) is None
    with pytest.raises(MissingToolError, match="helm is not on PATH, and the bundle carries none") as caught:
        open_helm(project)
    assert caught.value.hint == INSTALL_HINT


def test_the_carried_one_serves_where_there_is_no_other(bench: Workbench) -> None:
    project = connected(bench)
    carried = script(project.tree / "files", "helm", "echo v4.0.0")
    assert find_helm(project) == carried
    assert str(open_helm(project).version()) == "4.0.0"
    own = script(bench.place / "bin", "helm", "echo v3.20.0")
    assert find_helm(project) == own


def test_what_lies_there_of_an_earlier_spec_does_not_count(bench: Workbench) -> None:
    script(connected(bench).tree / "files", "helm", "echo v4.0.0")
    bench.spec["files"] = []
    bench.write()
    project = connected(bench)
    assert not is_carried(project)
    assert find_helm(project) is None


@pytest.mark.parametrize("text", ["echo v3.1.0", "echo hello", "exit 1"], ids=["too old", "no helm", "fails"])
def test_one_that_can_not_serve_is_refused(bench: Workbench, text: str) -> None:
    script(bench.place / "bin", "helm", text)
    with pytest.raises(ProgramError):
        open_helm(connected(bench))
