"""Files that install needs travel with the bundle."""

from tests.fixtures.benches.workbench import Workbench, bundled


def test_changed_values_reach_the_bundle(bench: Workbench) -> None:
    values = bench.place / "values.yaml"
    values.write_text("a: 1\n")
    release = {"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}
    bench.spec["install"] = {"releases": [release]}
    bench.write()
    bundled(bench)
    assert (bench.bundle / "install/values.yaml").read_text() == "a: 1\n"
    values.write_text("a: 2\n")
    assert bench.doit("bundle").steps == ["carry", "checksum", "describe", "directory", "prove:app"]
    assert (bench.bundle / "install/values.yaml").read_text() == "a: 2\n"
    assert bench.doit("verify").code == 0
