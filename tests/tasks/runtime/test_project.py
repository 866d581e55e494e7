"""The project of one run: its lock and its date."""

from tests.fixtures.benches.workbench import Workbench


def test_a_damaged_lock(bench: Workbench) -> None:
    (bench.place / "airgap.lock").write_text("{")
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "airgap.lock is not JSON" in ran.err


def test_a_bad_date(bench: Workbench) -> None:
    bench.env["SOURCE_DATE_EPOCH"] = "yesterday"
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "SOURCE_DATE_EPOCH='yesterday'" in ran.err
