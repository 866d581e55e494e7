"""The carried bundle: its files as a directory and out of an archive, and that all of them come by one way."""

import os
from pathlib import Path

import pytest

from bundle.errors import FormatError
from schema.site.site import Site
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.site.carried import CarriedBundle
from tests.fixtures.benches.workbench import make

SCRIPTS = ("action.sh", "check.sh", "dump.sh")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything that an install opens as a file, as a directory and as an archive."""
    place = tmp_path_factory.mktemp("carried")
    bench = make(place, bundle={"archive": True})
    for name in SCRIPTS:
        (place / name).write_text("#!/bin/sh\n")
        (place / name).chmod(0o755)
    (place / "values.yaml").write_text("{}\n")
    install = {
        "releases": [{"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}],
        "actions": [{"name": "go", "run": ["./action.sh"], "after": ["app"]}],
        "checks": [{"run": ["./check.sh"]}],
        "backup": {"commands": [{"name": "data", "run": ["./dump.sh"]}]},
    }
    bench.write({**bench.spec, "install": install})
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return bench.dist


def carried(path: Path, state: Path) -> CarriedBundle:
    options = Options.parse(
        {"bundle": str(path), "state": str(state)}, cwd=path.parent, default_jobs=1, user_state=state
    )
    return CarriedBundle(Project(options, env={}), site=Site)


def named(found: CarriedBundle) -> list[Path]:
    """The files that the spec leads to."""
    install = found.spec.install
    values = [item.file for release in install.releases for item in release.values]
    return [*values, *(found.base / name for name in SCRIPTS)]


def test_a_directory_is_used_where_it_lies(dist: Path, tmp_path: Path) -> None:
    found = carried(dist / "app-1.0", tmp_path / "state")
    assert all(path.is_file() and path.is_relative_to(dist / "app-1.0") for path in named(found))
    assert found.chart("app") == dist / "app-1.0" / "charts" / "app-1.0.0.tgz"
    assert not (tmp_path / "state").exists()


def test_of_an_archive_only_what_is_needed_is_copied(dist: Path, tmp_path: Path) -> None:
    found = carried(dist / "app-1.0.tar", tmp_path)
    assert found.plan.install.releases
    assert list(tmp_path.iterdir()) == []
    paths = named(found)
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in paths)
    assert [path.name for path in paths if os.access(path, os.X_OK)] == list(SCRIPTS)
    assert not [*tmp_path.rglob("*.tgz")]
    assert found.chart("app").read_bytes() == (dist / "app-1.0" / "charts" / "app-1.0.0.tgz").read_bytes()


def test_every_file_comes_by_one_way(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    take = CarriedBundle.file

    def taking(self: CarriedBundle, name: str) -> Path:
        taken.append(name)
        return take(self, name)

    monkeypatch.setattr(CarriedBundle, "file", taking)
    for path in (dist / "app-1.0", dist / "app-1.0.tar"):
        taken.clear()
        found = carried(path, tmp_path)
        wanted = [*named(found), found.chart("app")]
        assert {str(each).partition("/install/")[2] for each in wanted[:-1]} <= {
            name.removeprefix("install/") for name in taken
        }
        assert "charts/app-1.0.0.tgz" in taken


def test_a_chart_that_is_not_there(dist: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no chart 'other'"):
        carried(dist / "app-1.0", tmp_path).chart("other")
