"""Memory stays the same whatever the layers hold and however many they are: all is streamed."""

import os
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from bundle.oci.digest import Digest
from bundle.transfer.courier import AHEAD
from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.memory import MIB, most_memory
from tests.fixtures.benches.workbench import make, write_layout
from tests.fixtures.images.images import Layer, image, layer
from tests.fixtures.images.layers import tar_of
from tests.fixtures.places import ROOT

MOST = 100 * MIB
MORE = (25 * MIB, 25 * MIB + AHEAD)  # than for a small image, outside and inside


def large(size: int) -> Layer:
    data = tar_of({"data/large": bytes(size)})
    return Layer(data=data, diff_id=Digest.of(data), compressed=False)


def crossed(place: Path, layers: Sequence[Layer], **bundle: object) -> tuple[int, int]:
    """Bundle an image of these layers as an archive and install it; the most memory of both in bytes."""
    bench = make(place / "outside", images=["big"], bundle={"archive": "only", **bundle})
    write_layout(bench.place / "images/big", image(*layers), "example.com/big:1.0")
    words, env = bench.command("bundle")
    outside = most_memory(place, ["doit", *words], env, ROOT)
    with ZipFile(bench.work / "tree/airgap.pyz") as program:
        program.extractall(place / "program")
    with throwaway_registry(place / "registry") as (_, host):
        words = [str(place / "program"), "install", f"bundle={bench.dist / 'app-1.0.tar'}"]
        words += [f"state={place / 'inside'}", f"registry=http://{host}/team"]
        inside = most_memory(place, words, {**os.environ, "NO_PROXY": "127.0.0.1"}, place)
    return outside, inside


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    return crossed(tmp_path_factory.mktemp("small"), [layer("base", 1000)])


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_a_large_layer_and_many_small_ones(tmp_path: Path, small: tuple[int, int], layout: str) -> None:
    many = [layer(f"small-{number}", 1000) for number in range(40)]
    found = crossed(tmp_path, [large(320 * MIB), *many], layout=layout)
    for most, least, more in zip(found, small, MORE, strict=True):
        print(f"{most} bytes, {least} for a small image")
        assert most < MOST
        assert most - least < more
