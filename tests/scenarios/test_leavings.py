"""What a run that was stopped by force leaves: nothing outside of its state, and there nothing after the next run."""

import signal
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make, write_layout
from tests.fixtures.images.images import image
from tests.fixtures.images.layers import layer_of

DATABASE = bytes(150_000_000)  # takes a while to be put on the disk


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = make(tmp_path_factory.mktemp("leavings") / "project", images=["rpm"])
    layer = layer_of({"var/lib/rpm/Packages": DATABASE, "etc/os-release": "ID=rhel\n"})
    write_layout(bench.place / "images" / "rpm", image(layer), "example.com/rpm:1.0")
    return bench


def scratch(bench: Workbench) -> list[Path]:
    return [path for path in bench.place.rglob("sbom-*") if path.is_dir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_databases_that_were_read_for_an_sbom(project: Workbench, tmp_path: Path, number: signal.Signals) -> None:
    project.env["TMPDIR"] = str(tmp_path)
    run = project.start("bundle")
    with run:
        deadline = time.monotonic() + 60
        while not any(list(path.rglob("Packages")) for path in scratch(project)) and run.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        run.send_signal(number)
        run.communicate(timeout=60)
    assert run.returncode in (128 + number, -number), "it was stopped while it read"
    assert list(tmp_path.iterdir()) == []
    ran = project.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    assert "sbom:rpm" in ran.steps
    assert scratch(project) == []
    assert list(tmp_path.iterdir()) == []
    assert project.doit("forget", "sbom:rpm").code == 0
