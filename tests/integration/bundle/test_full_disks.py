"""A disk that is full at one place after the other: what lacks is told, and more space is enough."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.workbench import Workbench, make, write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.images.layers import layer_of

KB = 1000
LEFT = re.compile(r"found ([0-9.]+) MB free on (\S+) \(tmpfs\)")

# What is on the small disk, how many bytes are left there, the bundle, and the step that meets it. `known`: the bytes
# are asked for before anything is written.
PLACES = [
    pytest.param("state", 150 * KB, {}, "pull:big", True, id="the cache, an image"),
    pytest.param("state", 900 * KB, {}, "file:note.txt", False, id="the cache, a file"),
    pytest.param("state", 3_300 * KB, {}, "sbom:rpm", False, id="the databases of an SBOM"),
    pytest.param("state", 4_500 * KB, {"sbom": False}, "zipapp", False, id="the program"),
    pytest.param("out", 100 * KB, {}, "directory", True, id="blobs beside the cache"),
    pytest.param("out", 100 * KB, {"layout": "docker-archive"}, "directory", True, id="images' archives"),
    pytest.param("out", 20_000 * KB, {"archive": True}, "pack", True, id="the archive"),
    pytest.param("out", 20_000 * KB, {"split": "1MB"}, "pack", True, id="its parts"),
    pytest.param("out", 2_000 * KB, {"archive": "only"}, "pack", True, id="the archive alone"),
    pytest.param("out", 2_000 * KB, {"archive": "only", "layout": "docker-archive"}, "pack", True, id="images in it"),
]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = make(tmp_path / "project", images=["small"])
    write_layout(bench.place / "images/big", image(layer("big", 1_000_000)), "example.com/big:1.0")
    rpm = layer_of({"var/lib/rpm/Packages": bytes(6_000_000), "etc/os-release": "ID=rhel\n"})
    write_layout(bench.place / "images/rpm", image(rpm), "example.com/rpm:1.0")
    (bench.place / "note.txt").write_bytes(random.Random(1).randbytes(1_000_000))
    names = ("small", "big", "rpm")
    bench.spec["images"] = [{"name": name, "source": f"oci:images/{name}", "target": f"{name}:1.0"} for name in names]
    return bench


@pytest.mark.parametrize(("where", "left", "bundle", "step", "known"), PLACES)
def test_full(
    bench: Workbench, small_disk: Callable[[int], Path], where: str, left: int, bundle: dict[str, Any], step: str,
    known: bool,
) -> None:  # fmt: skip
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0", **bundle}})
    disk = small_disk(48)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(48 * 1024**2 - left))
    # One step at a time: side by side they take the space from each other, and any of them may meet the full disk.
    ran = bench.doit("run", "-n", "1", "bundle", f"{where}={disk / where}")
    assert ran.code == 1, ran.out
    failures = ran.err.split("FAILED ")[1:]
    assert failures
    for failed in failures:
        assert "No space left on device" in failed
        assert str(disk / where) in failed, "the path"
        told = LEFT.search(failed)
        assert told, failed
        assert told[2] == str(disk)
        assert "free some space or choose another place" in failed
    met = [failed for failed in failures if failed.startswith(f"{step}: ")]
    assert met, ran.err
    assert not known or re.search(r"expected [0-9.]+ MB free", met[0])
    ballast.unlink()
    again = bench.doit("bundle", f"{where}={disk / where}")
    assert again.code == 0, again.err
    assert not list(disk.rglob("*.tmp")), "nothing half-written stays"
    assert bench.doit("bundle", f"{where}={disk / where}").steps == []
