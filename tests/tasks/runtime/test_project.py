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


def test_two_specs_in_one_directory_share_no_lock(bench: Workbench) -> None:
    assert bench.doit("bundle").code == 0
    pinned = (bench.place / "airgap.lock").read_bytes()
    shop = Workbench(place=bench.place, spec=bench.spec, env=bench.env, file="shop.yaml")
    shop.write({**bench.spec, "bundle": {"name": "shop", "version": "2.0"}, "images": []})
    assert shop.doit("bundle").code == 0
    assert (bench.place / "airgap.lock").read_bytes() == pinned
    assert (bench.place / "shop.lock").exists()
    again = bench.doit("bundle")
    assert not [step for step in again.steps if step.startswith("pin:")], "only lock moves a pin"
    assert (bench.place / "airgap.lock").read_bytes() == pinned
