"""`doit scan` by the real grype with a database of two vulnerabilities: found where they are, and nowhere else."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, write_layout
from tests.fixtures.images.images import image
from tests.fixtures.images.layers import Content, layer_of
from tests.fixtures.made.published import faults

SITE = "usr/lib/python3/dist-packages"
DEMO = "CVE-2026-10001 airgap-demo 1.0-1"
SAMPLE = "GHSA-aaaa-bbbb-cccc airgap-sample 1.4"


def debian(demo: str, sample: str) -> dict[str, Content]:
    """A Debian with these versions of the two packages that the database knows."""
    about = f"Package: airgap-demo\nStatus: install ok installed\nVersion: {demo}\nArchitecture: amd64\n"
    python = f"Metadata-Version: 2.1\nName: airgap-sample\nVersion: {sample}\n"
    return {
        "etc/os-release": "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n",
        "var/lib/dpkg/status": about,
        f"{SITE}/airgap_sample-{sample}.dist-info/METADATA": python,
    }


@pytest.fixture
def bench(grype: Mapping[str, str], tmp_path: Path) -> Workbench:
    """A bundle with an image that has both, and one with the versions that they are fixed in."""
    bench = Workbench(place=tmp_path / "project", env=dict(grype))
    for name, versions in {"old": ("1.0-1", "1.4"), "new": ("2.0-1", "1.5")}.items():
        write_layout(bench.place / "images" / name, image(layer_of(debian(*versions))), f"example.com/{name}:1.0")
    write(bench, "old", "new")
    return bench


def write(bench: Workbench, *names: str) -> None:
    images = [{"name": name, "source": f"oci:images/{name}", "target": f"{name}:1"} for name in names]
    registry = {"prefix": "registry.example.com/team"}
    bench.write({"version": 1, "bundle": {"name": "app", "version": "1.0"}, "registry": registry, "images": images})
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err


def test_what_is_known_is_found_and_reported(bench: Workbench, tmp_path: Path) -> None:
    ran = bench.doit("scan", "--write", str(tmp_path / "scan.json"), "--fail-on", "high")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"critical   {DEMO} in old, fixed in 2.0-1",
        f"medium     {SAMPLE} in old, fixed in 1.5",
        "grype: 1 critical, 1 medium in 2 images of app 1.0",
    ]
    assert "1 stand against it at --fail-on high:\n  critical CVE-2026-10001 in airgap-demo" in ran.err
    written = (tmp_path / "scan.json").read_text()
    assert faults("scan", written) == []
    assert [each["images"] for each in json.loads(written)["vulnerabilities"]] == [["old"], ["old"]]
    reported = bench.doit("report", f"bundle={bench.bundle}")
    assert reported.code == 0, reported.err
    assert "critical: CVE-2026-10001 in airgap-demo 1.0-1" in (bench.dist / "app-1.0.report.html").read_text()
    assert bench.doit("scan", "--before", str(tmp_path / "scan.json"), "--fail-on", "low").code == 0


def test_nothing_is_found_where_nothing_is(bench: Workbench) -> None:
    write(bench, "new")
    ran = bench.doit("scan", "--fail-on", "unknown")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "grype: no known vulnerabilities in 1 image of app 1.0\n"


def test_without_a_database_nothing_was_scanned(bench: Workbench, tmp_path: Path) -> None:
    bench.env["GRYPE_DB_CACHE_DIR"] = str(tmp_path / "nowhere")
    ran = bench.doit("scan")
    assert ran.code == 1
    assert "grype failed with exit code 1: " in ran.err
    assert "grype db import FILE" in ran.err
