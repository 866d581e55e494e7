"""What a bundle says that it holds: of the spec and its pins alone, and anew when one of them is another."""

import json
from typing import Any

import pytest

from bundle.metadata.manifest import BundleManifest
from bundle.oci.digest import Digest
from tasks.assemble.manifest import identity, manifest_steps, stated
from tasks.runtime.project import Project
from tests.fixtures.benches.connected import connected
from tests.fixtures.benches.workbench import Workbench, bundled


@pytest.fixture
def project(bench: Workbench) -> Project:
    """A project whose bundle is made."""
    return connected(bundled(bench))


def written(project: Project) -> BundleManifest:
    """The manifest, written anew into the growing tree."""
    (step,) = manifest_steps(project)
    project.tree.mkdir(parents=True, exist_ok=True)
    step.action()
    assert {path.name for path in step.outputs()} == {
        "manifest.json",
        "manifest.txt",
        "airgap.json",
        "site.example.yaml",
        "site.schema.json",
    }
    assert all(path.is_file() for path in step.outputs())
    return BundleManifest.decode((project.tree / "manifest.json").read_bytes())


def test_what_is_not_pinned_has_no_identity(bench: Workbench) -> None:
    project = connected(bench)
    assert identity(project) is None
    (step,) = manifest_steps(project)
    assert step.inputs() is None


def test_each_item_is_told_as_it_is_pinned(project: Project) -> None:
    manifest = written(project)
    pins = json.loads(project.lock_path.read_text())
    assert {each.name: str(each.digest) for each in manifest.images} == {
        name: pin["digest"] for name, pin in pins["images"].items()
    }
    one = manifest.images[0]
    assert str(one.reference) == "registry.example.com/team/one:1.0"
    assert len(one.blobs) == 3
    assert one.size > sum(one.blobs.values())
    assert [(each.name, each.version, each.file) for each in manifest.charts] == [
        ("app", "1.0.0", "charts/app-1.0.0.tgz")
    ]
    assert [(each.name, str(each.digest)) for each in manifest.files] == [("note.txt", str(Digest.of(b"read me\n")))]
    assert manifest.registries == ("registry.example.com/team/one", "registry.example.com/team/two")
    assert (manifest.layout, manifest.delta, manifest.signed) == ("oci", None, False)


def test_the_date_is_the_one_that_is_given(bench: Workbench) -> None:
    project = connected(bundled(bench))
    project.env = {**bench.env, "SOURCE_DATE_EPOCH": "1700000000"}
    assert f"{written(project).created:%Y-%m-%dT%H:%M:%SZ}" == "2023-11-14T22:13:20Z"


def test_people_and_programs_are_told_the_same(project: Project) -> None:
    manifest = written(project)
    text = (project.tree / "manifest.txt").read_text()
    for each in manifest.images:
        assert str(each.reference) in text
        assert each.digest.hex[:12] in text
    assert json.loads((project.tree / "airgap.json").read_text()) == project.spec.to_dict()


def test_the_identity_is_of_spec_and_pins_and_no_time(bench: Workbench) -> None:
    before = identity(connected(bundled(bench)))
    assert before is not None
    assert identity(connected(bench)) == before
    bench.write({**bench.spec, "files": []})
    after: Any = identity(connected(bench))
    assert after["spec"] != before["spec"]
    assert (after["images"], after["files"]) == (before["images"], {})
    assert identity(connected(bench), proof=[])["proof"] == []  # type: ignore[index]


def test_another_file_in_the_tree_is_told(project: Project) -> None:
    written(project)
    before = stated(project, "manifest.txt")
    assert all(before.values())
    (project.tree / "airgap.pyz").unlink()
    assert stated(project)["airgap.pyz"] is None
    (project.tree / "airgap.pyz").write_bytes(b"program")
    after = stated(project, "manifest.txt")
    assert {name for name in after if after[name] != before[name]} == {"airgap.pyz"}
