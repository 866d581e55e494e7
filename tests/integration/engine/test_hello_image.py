"""The example's image runs on a real engine."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.fixtures.parts.parts import Engine, Skopeo
from tests.fixtures.places import ROOT

IMAGE = ROOT / "examples" / "hello" / "image"
TEXT = "Hello from the other side of the air gap.\n"


@pytest.fixture
def loaded(engine: Engine, skopeo: Skopeo, tmp_path: Path) -> str:
    """The image in the engine, brought there by skopeo and not by our own code."""
    archive = tmp_path / "hello.tar"
    skopeo.copy(f"oci:{IMAGE}:1.0.0", f"docker-archive:{archive}:hello:1.0.0")
    with tarfile.open(archive) as tar:
        assert "manifest.json" in tar.getnames()
    engine.docker("load", stdin=archive)
    return "hello:1.0.0"


def test_says_hello_and_ends(engine: Engine, loaded: str) -> None:
    assert engine.docker("run", "--rm", "--network", "none", "--read-only", loaded) == TEXT


def test_waits_to_be_stopped(engine: Engine, loaded: str) -> None:
    name = engine.docker("run", "--detach", "--network", "none", loaded, "wait").strip()
    engine.docker("stop", "--time", "30", name)
    (state,) = json.loads(engine.docker("inspect", name))
    assert (state["State"]["ExitCode"], engine.docker("logs", name)) == (0, TEXT)
    engine.docker("rm", name)
