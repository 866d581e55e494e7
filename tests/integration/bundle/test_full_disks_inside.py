"""Inside a disk is full, ours or the registry's: what lacks and where is told, and more space is enough."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.one_reading import Carried, Inside, brought, make_carried_bundle
from tests.fixtures.parts.registries import RunningRegistry, cncf_registry
from tests.fixtures.servers.faulty_registry import FaultyRegistry

DISK = 32  # MiB
STATE = 10  # MB that preflight asks for at least


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return make_carried_bundle(tmp_path_factory.mktemp("made") / "outside")


def filled(disk: Path, left: int) -> Path:
    """Fill a disk but for so many bytes."""
    ballast = disk / "ballast"
    found = os.statvfs(disk)
    ballast.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - left)))
    return ballast


class Small(Inside):
    """One whose state lies on a disk of its own."""

    disk: Path

    @property
    def state(self) -> Path:
        return self.disk / "state"


@pytest.fixture
def site(made: Carried, faulty: FaultyRegistry, tmp_path: Path, small_disk: Callable[[int], Path]) -> Small:
    plain = brought(made, "archive", tmp_path / "site", faulty.host)
    site = Small(
        place=plain.place, bundle=plain.bundle, program=plain.program, registry=plain.registry, cluster=plain.cluster
    )
    site.disk = small_disk(DISK)
    return site


@pytest.mark.parametrize("left", [0, 8_192, 60_000, 9_000_000])
def test_the_state_directory(site: Small, faulty: FaultyRegistry, left: int) -> None:
    ballast = filled(site.disk, left)
    ran = site.run("install")
    assert ran.code == 1, ran.out
    assert str(site.state) in ran.err, "the path"
    assert f"{site.disk} (tmpfs)" in ran.err, "the file system"
    if left >= 60_000:
        assert f"expected {STATE}.0 MB free, found " in ran.err
    assert re.search(r"free .* or choose another place with (out=DIR or )?state=DIR", ran.err)
    assert not faulty.manifests, "told before anything changed"
    assert not faulty.requests("PATCH ")
    assert site.is_untouched
    ballast.unlink()
    again = site.run("install")
    assert again.code == 0, again.err
    assert not list(site.disk.rglob("*.tmp")), "nothing half-written stays"


def test_temporary_files(site: Small) -> None:
    """Hardly anything is put there, and what is goes elsewhere then."""
    place = site.disk / "tmp"
    place.mkdir()
    filled(site.disk, 0).rename(site.disk / "full")
    site.disk = site.place
    ran = site.run("install", env={"TMPDIR": str(place)})
    assert ran.code == 0, ran.err


@pytest.fixture
def registry(tmp_path: Path, small_disk: Callable[[int], Path]) -> Iterator[RunningRegistry]:
    with cncf_registry(small_disk(DISK)) as running:
        yield running


@pytest.mark.parametrize(
    ("left", "step", "hint"),
    [
        pytest.param(0, "preflight", "check the log and the free space of {}: the fault is on its side", id="at once"),
        pytest.param(
            10_000_000, "transfer", "check the log and the free space of {}, then run again; what is pushed stays",
            id="half-way",
        ),
    ],
)  # fmt: skip
def test_the_registry(
    made: Carried, registry: RunningRegistry, tmp_path: Path, left: int, step: str, hint: str
) -> None:
    """It reports an error of its own: that, who reported it, and where to look is told."""
    site = brought(made, "archive", tmp_path / "site", registry.host)
    ballast = filled(registry.data.parent, left)
    ran = site.run("install")
    assert ran.code == 1, ran.out
    assert f"FAILED {step}: " in ran.err
    assert f"{registry.host} answered 500 Internal Server Error" in ran.err
    assert hint.format(registry.host) in ran.err
    assert "state=DIR" not in ran.err, "no disk of ours is full"
    assert site.is_untouched
    ballast.unlink()
    again = site.run("install")
    assert again.code == 0, again.err
