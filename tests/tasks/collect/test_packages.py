"""Who tells what is in an image, and what is said where nobody can."""

import json

import pytest

from bundle.errors import LockError
from tasks.collect.images import pin_steps, pull_steps
from tasks.collect.packages import look_inside
from tasks.runtime.project import Project
from tests.fixtures.benches.connected import connected, script, shown
from tests.fixtures.benches.workbench import Workbench, write_layout
from tests.fixtures.images.images import image
from tests.fixtures.images.layers import layer_of

DPKG = layer_of({"etc/os-release": "ID=debian\nVERSION_ID=12\n", "var/lib/dpkg/status": "Package: a\nVersion: 1\n"})
FOUND = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [{"type": "library", "name": "b", "purl": "pkg:golang/b@2"}],
}


@pytest.fixture
def bench(bench: Workbench) -> Workbench:
    """One image, of which dpkg tells one package."""
    write_layout(bench.place / "images/deb", image(DPKG), "example.com/deb:1")
    bench.spec["images"] = [{"name": "deb", "source": "oci:images/deb", "target": "deb:1"}]
    bench.write()
    return bench


def pulled(bench: Workbench) -> Project:
    project = connected(bench)
    for step in (*pin_steps(project), *pull_steps(project)):
        step.action()
    return project


def test_the_layers_where_there_is_nobody_else(bench: Workbench) -> None:
    project = pulled(bench)
    found = look_inside(project, project.spec.images[0], syft=None)
    (contents,) = found.contents
    assert (contents.origin, contents.platform, found.is_index) == ("layers", "linux/amd64", False)
    assert [package.purl for package in contents.inventory.packages] == ["pkg:deb/debian/a@1?distro=debian-12"]


def test_syft_where_it_is(bench: Workbench) -> None:
    syft = script(bench.place / "bin", "syft", f"echo '{json.dumps(FOUND)}'")
    project = pulled(bench)
    (contents,) = look_inside(project, project.spec.images[0], syft=syft).contents
    assert contents.origin == "syft", shown(project)
    assert [package.name for package in contents.inventory.packages] == ["b"]
    assert list((project.work / "syft").iterdir()) == [], "the layout that it was shown is gone"


def test_a_syft_that_fails_is_told_and_the_layers_are_read(bench: Workbench) -> None:
    syft = script(bench.place / "bin", "syft", "echo 'no space' >&2; exit 1")
    project = pulled(bench)
    (contents,) = look_inside(project, project.spec.images[0], syft=syft).contents
    assert contents.origin == "layers"
    assert [package.name for package in contents.inventory.packages] == ["a"]
    assert "warning: sbom:deb: syft failed with exit code 1: no space; its layers are read instead" in shown(project)


def test_an_image_that_is_not_pinned_has_nothing_to_look_into(bench: Workbench) -> None:
    project = connected(bench)
    with pytest.raises(LockError, match="image 'deb' is not pinned"):
        look_inside(project, project.spec.images[0], syft=None)
