from collections.abc import Mapping
from pathlib import Path

import pytest

from bundle.sbom.inventory import Inventory, LayerBlob, take_inventory
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
