"""What the carried program finds around it: nothing of whoever rehearses but what it may have."""

import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.archive.reader import open_bundle
from bundle.metadata.manifest import BundleManifest
from bundle.oci.platform import Platform
from tasks.rehearsal.environment import architecture, environment, tools
from tasks.rehearsal.result import Scene
from tasks.rehearsal.site import RehearsalSite
from tests.fixtures.benches.connected import script

SITE = RehearsalSite(file=Path("/s.yaml"), env={"PW": "x", "HOME": "/not/this"}, missing=(), spared=(), used=())


def scene(place: Path, assets: Path | None = None) -> Scene:
    return Scene(
        place=place, carried=place, program=place, directory=place, cache=place, site=None, trust=None, assets=assets,
        kubeconfig=None, marks=place, use=(), jobs=1,
    )  # fmt: skip


def test_a_home_of_its_own_and_what_the_site_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of whoever rehearses")
    monkeypatch.setenv("PATH", "/usr/bin")
    home = str(tmp_path / "home")
    assert environment(scene(tmp_path), SITE, None) == {
        "PW": "x",
        "HOME": home,
        "DOCKER_CONFIG": home,
        "TMPDIR": home,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin",
        "KUBECONFIG": f"{home}/no-kubeconfig",
    }
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "home/no-kubeconfig").exists()


def test_a_cluster_only_where_there_is_one(tmp_path: Path) -> None:
    assert environment(scene(tmp_path), SITE, tmp_path / "kube")["KUBECONFIG"] == str(tmp_path / "kube")


@pytest.mark.parametrize(
    ("assets", "on_path", "found"),
    [
        (["helm3", "helm4", "kubectl"], [], {"helm": "helm4", "kubectl": "kubectl"}),
        (["helm3"], [], {"helm": "helm3"}),
        (["helm", "helm4"], [], {"helm": "helm"}),
        (["helm4", "kubectl"], ["helm"], {"kubectl": "kubectl"}),
        ([], [], {}),
    ],
    ids=["the newest helm", "an old one", "helm itself", "one on PATH goes before", "nothing"],
)
def test_programs_of_the_throwaway_cluster_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assets: list[str], on_path: list[str], found: dict[str, str]
) -> None:
    for name in assets:
        script(tmp_path / "assets", name, "true")
    for name in on_path:
        script(tmp_path / "path", name, "true")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "assets").mkdir(exist_ok=True)
    for _ in range(2):  # a second look changes nothing
        place = tools(scene(tmp_path, tmp_path / "assets"))
    assert {path.name: path.readlink().name for path in place.iterdir()} == found


def test_what_can_not_be_run_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    script(tmp_path / "assets", "helm", "true").chmod(0o644)
    assert list(tools(scene(tmp_path, tmp_path / "assets")).iterdir()) == []


@pytest.fixture
def manifest(carried_bundle: Path) -> BundleManifest:
    return open_bundle(carried_bundle).manifest


def of(manifest: BundleManifest, *platforms: Platform | None) -> BundleManifest:
    entry = manifest.images[0]
    return replace(manifest, images=tuple(replace(entry, platform=each) for each in platforms))


def test_the_nodes_are_as_the_images(manifest: BundleManifest) -> None:
    arm = Platform.parse("linux/arm64")
    assert architecture(of(manifest, arm)) == "arm64"
    assert architecture(of(manifest, None, arm)) == "arm64"


@pytest.mark.parametrize(("machine", "expected"), [("aarch64", "arm64"), ("x86_64", "amd64")])
def test_images_for_all_run_on_this_machine(
    manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, machine: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert architecture(of(manifest, None)) == expected
    assert architecture(of(manifest)) == expected
