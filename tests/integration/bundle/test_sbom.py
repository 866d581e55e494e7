"""SBOMs of real images against what dpkg, rpm, pip and npm themselves say is in them."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from packageurl import PackageURL
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from bundle.sbom._rpm import read_database
from tests.fixtures.benches.workbench import Workbench, write_layout
from tests.fixtures.images.images import image
from tests.fixtures.images.layers import Content, Link, layer_of
from tests.fixtures.parts import systems
from tests.fixtures.parts.parts import Engine, PartError, program

_DOCKERFILE = """\
FROM debian:base
COPY app /opt/app
RUN dpkg --purge --force-depends tzdata e2fsprogs logsave && dpkg --remove --force-depends adduser
RUN rm -r /opt/app/site/idna* /opt/app/node_modules/is-odd \
 && cp -l /opt/app/site/six.py /opt/app/linked.py && mv /opt/app/site/six-*.dist-info /opt/app/
"""


_SCHEMAS = ("bom-1.6", "spdx", "jsf-0.82")


def bench_of(place: Path, source: str) -> Workbench:
    bench = Workbench(place=place)
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.example.com/team"},
            "images": [{"name": "app", "source": source, "target": "app:1.0"}],
        }
    )
    return bench


def sbom_of(bench: Workbench) -> dict[str, Any]:
    """Make the bundle, and read its SBOM after others found that it follows its schema."""
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    text = (bench.bundle / "sbom/app.cdx.json").read_text()
    assert list(validator().iter_errors(json.loads(text))) == []
    return dict(json.loads(text))


def validator() -> Draft7Validator:
    """By CycloneDX's own schema, as its library carries it.

    Not by the library's validator: what that wants installed makes every start of JSON Schema two seconds slower.
    """
    place = resources.files("cyclonedx") / "schema/_res"
    schemas = {name: json.loads((place / f"{name}.SNAPSHOT.schema.json").read_bytes()) for name in _SCHEMAS}
    known = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", each) for name, each in schemas.items()]
    registry = Registry[Any]().with_resources((url, Resource(each, DRAFT7)) for url, each in known)
    return Draft7Validator(schemas["bom-1.6"], registry=registry)


def packages(sbom: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The components of one purl type by name."""
    found = [each for each in sbom["components"] if each.get("purl", "").startswith(f"pkg:{kind}/")]
    return {"/".join(filter(None, (each.get("group"), each["name"]))): each for each in found}


def not_read(sbom: Mapping[str, Any]) -> list[str]:
    return [each["value"] for each in sbom["metadata"]["properties"] if each["name"] == "airgap:sbom:not-read"]


def licences(component: Mapping[str, Any]) -> list[str]:
    return [
        each["expression"] if "expression" in each else each["license"].get("id") or each["license"]["name"]
        for each in component.get("licenses", [])
    ]


@pytest.fixture
def debian() -> Path:
    try:
        program("npm")
        return systems.debian_tar()
    except PartError as err:
        pytest.skip(str(err))


def test_a_debian_image_is_as_dpkg_pip_and_npm_say(engine: Engine, debian: Path, tmp_path: Path) -> None:
    app = tmp_path / "context/app"
    systems.pip_install(app / "site", ["six==1.17.0", "packaging==24.2", "idna==3.10", "attrs==25.3.0"])
    systems.npm_install(app / "npm", ["is-odd@3.0.1", "@sindresorhus/is@7.0.1", "left-pad@1.3.0"])
    (app / "npm/node_modules").rename(app / "node_modules")
    (tmp_path / "context/Dockerfile").write_text(_DOCKERFILE)
    engine.docker("import", str(debian), "debian:base")
    engine.docker("build", "--quiet", "--network", "none", "--tag", "app:1", str(tmp_path / "context"))
    engine.docker("save", "--output", str(tmp_path / "app.tar"), "app:1")

    sbom = sbom_of(bench_of(tmp_path / "project", f"docker-archive:{tmp_path / 'app.tar'}"))

    assert not_read(sbom) == []
    form = "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"
    told = engine.docker("run", "--rm", "--network", "none", "app:1", "dpkg-query", "-W", "-f", form).splitlines()
    installed = [tuple(line.split()[1:]) for line in told if line.startswith("installed ")]
    listed = packages(sbom, "deb")
    assert {(each["name"], each["version"]) for each in listed.values()} == {each[:2] for each in installed}
    purls = [PackageURL.from_string(each["purl"]) for each in listed.values()]
    assert {(each.name, each.version, each.qualifiers["arch"]) for each in purls} == set(installed)  # type: ignore[index]
    assert {"tzdata", "e2fsprogs", "logsave", "adduser"}.isdisjoint(listed)
    assert any(line.startswith("config-files adduser ") for line in told), "a removed package that dpkg still knows"
    assert "GPL-3.0-or-later" in licences(listed["bash"])
    assert sum(not licences(each) for each in listed.values()) <= len(listed) / 10

    container = engine.docker("create", "app:1", "true").strip()
    engine.docker("cp", f"{container}:/opt/app", str(tmp_path / "final"))
    engine.docker("rm", container)
    engine.docker("rmi", "app:1")  # with the images of its steps, which the engine removes in no other order
    places = [word for path in (tmp_path / "final", tmp_path / "final/site") for word in ("--path", str(path))]
    pip = json.loads(systems.run(sys.executable, "-m", "pip", "list", "--format=json", *places))
    listed = packages(sbom, "pypi")
    assert {each["name"]: each["version"] for each in listed.values()} == {
        each["name"]: each["version"] for each in pip
    }
    assert listed.keys() == {"six", "packaging", "attrs"}
    assert {name: licences(each) for name, each in listed.items()} == {
        "six": ["MIT"], "packaging": ["Apache-2.0", "BSD License"], "attrs": ["MIT"],
    }  # fmt: skip
    listed = packages(sbom, "npm")
    (tmp_path / "final/package.json").write_text('{"name": "app", "version": "1.0.0"}')
    npm = json.loads(_npm_list(tmp_path / "final"))["dependencies"]
    assert {name: each["version"] for name, each in listed.items()} == {
        name: each["version"] for name, each in npm.items()
    }
    assert {"is-number", "left-pad", "@sindresorhus/is"} == listed.keys()
    assert licences(listed["left-pad"]) == ["WTFPL"]


def _npm_list(place: Path) -> str:
    """npm's own list; it ends with 1, because nothing asks for what is installed."""
    argv = [program("npm"), "ls", "--all", "--json"]
    return subprocess.run(argv, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def rpm_root(tmp_path: Path) -> Path:
    try:
        return systems.rpm_tree(tmp_path / "rpm")
    except PartError as err:
        pytest.skip(str(err))


def entries(root: Path) -> Iterator[tuple[str, Content]]:
    for path in sorted(root.rglob("*")):
        yield str(path.relative_to(root)), path.read_bytes() if path.is_file() else None


def as_rpm_says(sbom: Mapping[str, Any]) -> set[str]:
    """Our list in the words of `rpm_packages`."""
    found = set()
    for each in packages(sbom, "rpm").values():
        qualifiers = PackageURL.from_string(each["purl"]).qualifiers
        assert isinstance(qualifiers, dict)
        # CycloneDX wants several licences each by itself; rpm's tag is one text
        found.add(f"{each['name']} {qualifiers['epoch']} {each['version']} {qualifiers['arch']} {licences(each)[0]}")
    return found


def test_an_rpm_image_is_as_rpm_says(rpm_root: Path, tmp_path: Path) -> None:
    database = rpm_root / "var/lib/rpm"
    # As Fedora has it: the database in usr/lib, a link in var/lib; a later layer adds a link over links.
    files = {name.replace("var/lib/rpm", "usr/lib/sysimage/rpm"): data for name, data in entries(rpm_root)}
    system = {"etc/os-release": 'ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n'}
    base = layer_of({**files, **system, "var/lib/rpm": Link(target="../../usr/lib/sysimage/rpm")})
    write_layout(tmp_path / "image", image(base, layer_of({"opt/note": "x"})), "example.com/rpm:1.0")

    sbom = sbom_of(bench_of(tmp_path / "project", f"oci:{tmp_path / 'image'}"))

    assert not_read(sbom) == []
    assert as_rpm_says(sbom) == systems.rpm_packages(database)
    assert packages(sbom, "rpm")["demo"]["purl"].startswith("pkg:rpm/fedora/demo@1.2-3?arch=noarch&distro=fedora-40&")


def test_a_berkeley_database_is_as_rpm_says(rpm_root: Path, tmp_path: Path) -> None:
    try:
        load = program("db5.3_load", "db_load")
    except PartError as err:
        pytest.skip(str(err))
    headers = list(read_database(rpm_root / "var/lib/rpm/rpmdb.sqlite"))
    expected = systems.rpm_packages(rpm_root / "var/lib/rpm")
    old = tmp_path / "old"
    old.mkdir()
    pairs = [(0, struct.pack("<I", len(headers))), *enumerate(headers, 1)]
    lines = [text for number, data in pairs for text in (f" {struct.pack('<I', number).hex()}", f" {data.hex()}")]
    dump = "\n".join(["VERSION=3", "format=bytevalue", "type=hash", "HEADER=END", *lines, "DATA=END", ""])
    subprocess.run([load, str(old / "Packages")], input=dump, text=True, check=True)
    assert systems.rpm_packages(old, "_db_backend bdb_ro") == expected, "rpm itself reads what was made"
    made = layer_of({"var/lib/rpm/Packages": (old / "Packages").read_bytes()})
    write_layout(tmp_path / "image", image(made), "example.com/rpm:1.0")

    sbom = sbom_of(bench_of(tmp_path / "project", f"oci:{tmp_path / 'image'}"))

    assert not_read(sbom) == []
    assert as_rpm_says(sbom) == expected
