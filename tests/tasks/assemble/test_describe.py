"""The report that travels in a bundle."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.workbench import Workbench, make


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = make(tmp_path / "project")
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    return bench


def made(bench: Workbench) -> Workbench:
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return bench


def data(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def states(report: dict[str, Any]) -> dict[str, str]:
    return {subject: result["state"] for subject, result in report["results"].items()}


def test_the_bundle_carries_a_report_that_its_checksums_cover(bench: Workbench) -> None:
    made(bench)
    sums = (bench.bundle / "SHA256SUMS").read_text()
    assert "  report.html\n" in sums
    assert "  report.json\n" in sums
    report = data(bench.bundle / "report.json")
    assert report["manifest"] == data(bench.bundle / "manifest.json")
    assert set(states(report).values()) == {"open"}
    assert report["changes"] is None
    assert report["manifest"]["images"][0]["digest"] in (bench.bundle / "report.html").read_text()
    assert bench.doit("bundle").steps == []


def test_none_when_the_spec_says_so(tmp_path: Path) -> None:
    bench = made(make(tmp_path / "project"))
    assert (bench.bundle / "report.html").exists()
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0", "report": False}})
    made(bench)
    assert not (bench.bundle / "report.html").exists()
    assert "report" not in (bench.bundle / "SHA256SUMS").read_text()
    assert bench.doit("report").code == 0
