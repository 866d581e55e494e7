from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bundle.images.layers.stream import LayerStream
from bundle.sbom import inventory as inventory_module
from bundle.sbom._filesystem import OpenZstd
from bundle.sbom.inventory import Inventory, LayerBlob, SharedLayers, take_inventory
from tests.fixtures.images.layers import Content, Link, layer_of, no_zstd

DEBIAN: Mapping[str, Content] = {
    "etc/os-release": Link(target="../usr/lib/os-release"),
    "usr/lib/os-release": "ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian 12\n",
    "var/lib/dpkg/status.d/base": "Package: base\nVersion: 1\nArchitecture: all\n",
    "var/lib/dpkg/status.d/base.md5sums": "d41d8cd98f00b204e9800998ecf8427e  etc/x\n",
    "var/lib/dpkg/status": "Package: lib\nStatus: install ok installed\nVersion: 2:3\nSource: src (4)\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    "Package: half\nStatus: install ok unpacked\nVersion: 1\n",
    "usr/share/doc/lib": Link(target="half"),
    "usr/share/doc/half/copyright": "Format: x\n\nFiles: *\nLicense: Expat\n",
}
PYTHON: Mapping[str, Content] = {
    "opt/a-1.dist-info/METADATA": "Name: a\nVersion: 1\nLicense-Expression: MIT OR Apache-2.0\n\nText",
    "opt/b.egg-info/PKG-INFO": "Name: b\nVersion: 2\nLicense: BSD\n",
    "opt/c-3.egg-info": "Name: c\nVersion: 3\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n",
    "opt/d.dist-info/METADATA": "Name: nothing else\n",
    "opt/b.egg-info/requires.txt": "x",
}
NODE: Mapping[str, Content] = {
    "app/node_modules/x/package.json": '{"name": "x", "version": "1.0.0", "license": "MIT"}',
    "app/node_modules/@s/y/package.json": '{"name": "@s/y", "version": "2.0.0", "licenses": [{"type": "ISC"}]}',
    "app/node_modules/x/node_modules/x/package.json": '{"name": "x", "version": "1.0.0"}',
    "app/node_modules/x/test/package.json": '{"name": "no", "version": "1"}',
    "app/node_modules/bad/package.json": "{",
    "app/node_modules/odd/package.json": '{"name": 3, "version": []}',
    "app/package.json": '{"name": "app", "version": "1.0.0"}',
}


def take(tmp_path: Path, *layers: Mapping[str, Content] | bytes | str) -> Inventory:
    blobs = []
    for number, content in enumerate(layers):
        path = tmp_path / str(number)
        unusable = content if isinstance(content, str) else ""
        if not isinstance(content, str):
            path.write_bytes(content if isinstance(content, bytes) else layer_of(content).data)
        blobs.append(LayerBlob(name=f"layer {number}", path=path, unusable=unusable))
    return take_inventory(blobs, open_zstd=no_zstd, room=tmp_path)


def told(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    return {package.purl: package.licences for package in inventory.packages}


@pytest.mark.parametrize(
    ("content", "packages"),
    [
        pytest.param(
            DEBIAN,
            {
                "pkg:deb/debian/base@1?arch=all&distro=debian-12": (),
                "pkg:deb/debian/half@1?distro=debian-12": ("MIT",),
                "pkg:deb/debian/lib@2:3?distro=debian-12&upstream=src%404": ("MIT",),
            },
            id="debian",
        ),
        pytest.param(
            PYTHON,
            {"pkg:pypi/a@1": ("MIT OR Apache-2.0",), "pkg:pypi/b@2": ("BSD",), "pkg:pypi/c@3": ("MIT",)},
            id="python",
        ),
        pytest.param(NODE, {"pkg:npm/%40s/y@2.0.0": ("ISC",), "pkg:npm/x@1.0.0": ("MIT",)}, id="node"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_packages(tmp_path: Path, content: Mapping[str, Content], packages: dict[str, tuple[str, ...]]) -> None:
    inventory = take(tmp_path, content)
    assert told(inventory) == packages
    assert inventory.not_read == ()


def test_one_package_has_all_its_places(tmp_path: Path) -> None:
    package = take(tmp_path, NODE).packages[-1]
    assert package.places == ("app/node_modules/x/node_modules/x/package.json", "app/node_modules/x/package.json")


def test_a_removed_package_is_gone(tmp_path: Path) -> None:
    assert told(take(tmp_path, NODE, {"app/node_modules/.wh.x": "", "app/.wh.other": ""})) == {
        "pkg:npm/%40s/y@2.0.0": ("ISC",)
    }


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        pytest.param("it is no tar, but text/plain", "layer 1: it is no tar, but text/plain", id="no tar"),
        pytest.param(layer_of(PYTHON).data[:300], "layer 1: its compression is cut off", id="cut off"),
        pytest.param(b"\x28\xb5\x2f\xfd", "layer 1: there is no zstd", id="zstd"),
        pytest.param(b"rubbish", "layer 1: tar is cut off", id="rubbish"),
        pytest.param({"var/lib/rpm/Packages": "x"}, "var/lib/rpm/Packages: the database is cut off", id="database"),
        pytest.param({"opt/x.jar": "", "opt/y.war": ""}, "Java archives: 2, such as opt/x.jar", id="other kinds"),
        pytest.param(
            {"app/node_modules/big/package.json": "x" * (1024**2 + 1)},
            "app/node_modules/big/package.json: its 1048577 bytes are too many",
            id="too large",
        ),
        pytest.param(
            {"etc/os-release": "ID=arch\nPRETTY_NAME='Arch Linux'\n"},
            "packages of Arch Linux: no database of dpkg, apk or rpm lists any",
            id="unknown system",
        ),
    ],
)
def test_what_is_not_read_is_told(tmp_path: Path, layer: Mapping[str, Content] | bytes | str, reason: str) -> None:
    inventory = take(tmp_path, NODE, layer)
    assert [each.startswith(reason) for each in inventory.not_read] == [True], inventory.not_read
    assert len(inventory.packages) == 2


class Images:
    """Images of layers that they may share, listed side by side; `opened` counts how often each layer is read."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: Counter[str] = Counter()
        self.shared = SharedLayers()
        self._place = place
        real = inventory_module.open_layer

        def counted(path: Path, open_zstd: OpenZstd) -> AbstractContextManager[LayerStream]:
            self.opened[path.name] += 1
            return real(path, open_zstd)

        monkeypatch.setattr(inventory_module, "open_layer", counted)

    def layer(self, name: str, content: Mapping[str, Content] | bytes, *, unusable: str = "") -> LayerBlob:
        path = self._place / name
        path.write_bytes(content if isinstance(content, bytes) else layer_of(content).data)
        return LayerBlob(name=name, path=path, unusable=unusable)

    def take(self, *layers: LayerBlob) -> Inventory:
        return take_inventory(layers, open_zstd=no_zstd, room=self._place, shared=self.shared)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    return Images(tmp_path, monkeypatch)


def alone(images: Images, *layers: LayerBlob) -> Inventory:
    """What is told of an image whose layers nobody else has read."""
    return take_inventory(layers, open_zstd=no_zstd, room=layers[0].path.parent)


def test_what_images_have_in_common_is_read_once_and_what_each_puts_on_it_stays_its_own(images: Images) -> None:
    base, python = images.layer("base", DEBIAN), images.layer("python", PYTHON)
    node = images.layer("node", {**NODE, "usr/share/doc/half/.wh.copyright": ""})
    gone = images.layer("gone", {"opt/.wh..wh..opq": "", "var/lib/dpkg/.wh.status.d": ""})
    damaged = images.layer("damaged", b"no tar")
    several: Sequence[tuple[LayerBlob, ...]] = (
        (base, python, node), (base, python, gone), (base, node), (base,), (python, base), (base, damaged, node),
        (base, damaged, gone), (base, python, node),
    )  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda layers: images.take(*layers), several))
    read = dict(images.opened)
    assert found == [alone(images, *layers) for layers in several]
    assert len({told for each in found for told in (tuple(map(str, each.packages)),)}) > 3, "they do differ"
    chains = {layers[: count + 1] for layers in several for count in range(len(layers))}
    assert read == Counter(chain[-1].path.name for chain in chains)


def test_a_layer_that_one_image_can_not_use_is_read_for_the_other(images: Images) -> None:
    base, top = images.layer("base", DEBIAN), images.layer("top", PYTHON)
    strange = images.layer("base", DEBIAN, unusable="it is no tar")
    assert images.take(strange, top) == alone(images, strange, top)
    assert images.take(base, top) == alone(images, base, top)


def test_an_rpm_database_is_read_for_each_image(images: Images) -> None:
    base = images.layer("base", {"usr/lib/sysimage/rpm/rpmdb.sqlite": b"damaged", "etc/os-release": "ID=rocky\n"})
    found = [images.take(base), images.take(base)]
    assert images.opened == {"base": 2}
    assert found == [alone(images, base)] * 2


def test_what_is_kept_for_other_images_has_a_bound(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_module, "_MOST_SHARED", 10)
    base = images.layer("base", DEBIAN)
    assert images.take(base) == images.take(base) == alone(images, base)
    assert images.opened == {"base": 3}
