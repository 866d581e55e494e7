"""The carried bundle: its files as a directory and out of an archive, and that all of them come by one way."""

import gc
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.archive.reader import OpenedBundle
from bundle.errors import FormatError, StorageError
from schema.site.site import Site
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.site.carried import CarriedBundle
from tests.fixtures.benches.workbench import make

SCRIPTS = ("action.sh", "check.sh", "dump.sh", "restore.sh")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything that an install opens as a file, as a directory and as an archive."""
    place = tmp_path_factory.mktemp("carried")
    bench = make(place, bundle={"archive": True})
    for name in SCRIPTS:
        (place / name).write_text("#!/bin/sh\n")
        (place / name).chmod(0o755)
    (place / "values.yaml").write_text("{}\n")
    (place / "helper").write_text("#!/bin/sh\necho helper\n")
    install = {
        "releases": [{"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}],
        "actions": [{"name": "go", "run": ["./action.sh"], "after": ["app"]}],
        "checks": [{"run": ["./check.sh"]}],
        "backup": {"commands": [{"name": "data", "run": ["./dump.sh"], "restore": {"run": ["./restore.sh"]}}]},
    }
    files = [{"name": "helper", "source": "helper", "tool": True}]
    bench.write({**bench.spec, "install": install, "files": files})
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return bench.dist


def carried(path: Path, state: Path) -> CarriedBundle:
    options = Options.parse(
        {"bundle": str(path), "state": str(state)}, cwd=path.parent, default_jobs=1, user_state=state
    )
    return CarriedBundle(Project(options, env={}), site=Site)


def place(state: Path, dist: Path) -> Path:
    """Where the copies of the bundle are."""
    return state / "carried" / hashlib.sha256((dist / "app-1.0/SHA256SUMS").read_bytes()).hexdigest()[:16]


def places(state: Path) -> set[str]:
    return {path.name for path in (state / "carried").iterdir() if path.is_dir()}


def copied(dist: Path, target: Path, check: bytes) -> Path:
    """The bundle with another check.sh, of which its list of checksums tells."""
    shutil.copytree(dist / "app-1.0", target)
    was = hashlib.sha256((target / "install/check.sh").read_bytes()).hexdigest()
    (target / "install/check.sh").write_bytes(check)
    sums = target / "SHA256SUMS"
    sums.write_text(
        sums.read_text().replace(f"{was}  install/check.sh", f"{hashlib.sha256(check).hexdigest()}  install/check.sh")
    )
    return target


def named(found: CarriedBundle) -> list[Path]:
    """The files that the spec leads to."""
    install = found.spec.install
    values = [item.file for release in install.releases for item in release.values]
    return [*values, *(found.base / name for name in SCRIPTS)]


@pytest.mark.parametrize("name", ["app-1.0", "app-1.0.tar"])
def test_only_copies_of_what_is_needed_are_used(dist: Path, tmp_path: Path, name: str) -> None:
    state = tmp_path / "state"
    found = carried(dist / name, state)
    assert found.plan.install.releases
    assert not state.exists(), "to tell the steps nothing is written"
    paths = named(found)
    assert all(path.is_file() and path.is_relative_to(place(state, dist)) for path in paths)
    assert [path.name for path in paths if os.access(path, os.X_OK)] == list(SCRIPTS)
    assert not [*state.rglob("*.tgz")]
    chart = found.chart("app")
    assert chart == place(state, dist) / "charts/app-1.0.0.tgz"
    assert chart.read_bytes() == (dist / "app-1.0" / "charts" / "app-1.0.0.tgz").read_bytes()


def test_every_file_comes_by_one_way(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    take = OpenedBundle.extract

    def taking(self: OpenedBundle, name: str, target: Path, *, mode: int = 0o644) -> None:
        taken.append(name)
        take(self, name, target, mode=mode)

    monkeypatch.setattr(OpenedBundle, "extract", taking)
    for path in (dist / "app-1.0", dist / "app-1.0.tar"):
        taken.clear()
        found = carried(path, tmp_path / path.name)
        named(found)
        found.chart("app")
        assert sorted(taken) == ["charts/app-1.0.0.tgz", *(f"install/{each}" for each in (*SCRIPTS, "values.yaml"))]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_copies_lie_where_nobody_else_can_write(dist: Path, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        found = carried(dist / "app-1.0", tmp_path / "above/state")
        paths = named(found)
    finally:
        os.umask(before)
    assert {path.parent for path in paths} == {place(tmp_path / "above/state", dist) / "install"}
    for directory in (
        tmp_path / "above/state",
        tmp_path / "above/state/carried",
        place(tmp_path / "above/state", dist),
    ):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600, 0o700}


@pytest.mark.parametrize("what", ["state", "state/carried", "the place"])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o722])
def test_a_place_that_others_can_write_to_is_refused(dist: Path, tmp_path: Path, what: str, mode: int) -> None:
    state = tmp_path / "state"
    named(carried(dist / "app-1.0", state))
    bad = place(state, dist) if what == "the place" else tmp_path / what
    bad.chmod(mode)
    with pytest.raises(StorageError, match=f"others can write to directory '{bad}': its mode is {mode:04o}") as caught:
        named(carried(dist / "app-1.0", state))
    assert caught.value.hint.startswith(f"chmod -R go-w {bad} where nobody has changed")
    subprocess.run(["chmod", "-R", "go-w", bad], check=True)
    named(carried(dist / "app-1.0", state))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_place_of_another_user_is_refused(dist: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    named(carried(dist / "app-1.0", state))
    os.chown(state, 65534, 65534)
    with pytest.raises(StorageError, match="belongs to nobody, expected root: what lies there is trusted"):
        named(carried(dist / "app-1.0", state))


def other_bytes(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\necho evil\n")


def other_bytes_of_the_same_look(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def a_link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def no_program(path: Path) -> None:
    path.chmod(0o600)


@pytest.mark.parametrize("change", [Path.unlink, other_bytes, other_bytes_of_the_same_look, a_link, no_program])
@pytest.mark.parametrize("name", ["install/check.sh", "charts/app-1.0.0.tgz", "tools/helper"])
def test_a_copy_is_compared_when_it_is_used_again(
    dist: Path, tmp_path: Path, change: Callable[[Path], object], name: str
) -> None:
    def used() -> None:
        found = carried(dist / "app-1.0", tmp_path / "state")
        named(found)
        found.chart("app")
        assert (found.tools / "helper").is_file()

    used()
    copy = place(tmp_path / "state", dist) / name
    good, mode = copy.read_bytes(), copy.stat().st_mode
    change(copy)
    used()
    assert (copy.read_bytes(), copy.lstat().st_mode) == (good, mode)


def test_a_good_copy_is_not_made_again(dist: Path, tmp_path: Path) -> None:
    (first,) = {path.stat().st_ino for path in named(carried(dist / "app-1.0", tmp_path)) if path.name == "check.sh"}
    (again,) = {
        path.stat().st_ino for path in named(carried(dist / "app-1.0.tar", tmp_path)) if path.name == "check.sh"
    }
    assert first == again


def test_copies_of_other_bundles_go_unless_somebody_uses_them(dist: Path, tmp_path: Path) -> None:
    twin = copied(dist, tmp_path / "twin", b"#!/bin/sh\necho other\n")
    state = tmp_path / "state"
    (state / "carried/0123456789abcdef/install").mkdir(parents=True)  # as an earlier release left it
    first = carried(dist / "app-1.0", state)
    named(first)
    assert places(state) == {place(state, dist).name}
    second = carried(twin, state)
    named(second)
    assert len(places(state)) == 2, "the first one is still in use"
    del first
    gc.collect()
    third = carried(twin, state)
    named(third)
    assert len(places(state)) == 1, "nobody uses the first one any more"
    assert all(path.is_file() for path in named(second))


def test_what_a_killed_run_left_goes(dist: Path, tmp_path: Path) -> None:
    named(carried(dist / "app-1.0", tmp_path))
    gc.collect()
    left = place(tmp_path, dist) / "install/.check.sh.1-2-3.tmp"
    left.write_text("half")
    holder = carried(dist / "app-1.0", tmp_path)
    named(holder)
    assert not left.exists()
    left.write_text("being written by somebody else")
    named(carried(dist / "app-1.0", tmp_path))
    assert left.exists(), "somebody uses this directory"


def test_a_chart_that_is_not_there(dist: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no chart 'other'"):
        carried(dist / "app-1.0", tmp_path).chart("other")
