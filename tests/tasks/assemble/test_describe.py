"""The report that travels in a bundle."""

from pathlib import Path

import pytest

from tests.fixtures.benches.reporting import data, dated, made, states
from tests.fixtures.benches.workbench import Workbench, make


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return dated(tmp_path / "project")


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
