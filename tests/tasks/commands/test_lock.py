"""`doit lock`, the only command that moves a pin."""

import shutil

from tests.fixtures.benches.workbench import FINAL, Workbench, bundled, write_layout
from tests.fixtures.images.images import image, layer


def test_a_changed_local_chart_is_refused_until_it_is_locked(bench: Workbench) -> None:
    before = bundled(bench).files()
    (bench.place / "chart/values.yaml").write_text("a: 1\n")
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "chart 'app'" in ran.err
    assert "doit lock" in ran.err
    assert bench.files() == before
    locked = bench.doit("lock", "app")
    assert locked.code == 0
    assert "chart app: 1.0.0 sha256:" in locked.out
    assert " -> 1.0.0 sha256:" in locked.out
    assert "1 updated, 0 unchanged" in locked.out
    assert bench.doit("bundle").steps == sorted([*FINAL, "chart:app"])


def test_lock_moves_a_tag_and_bundle_does_not(bench: Workbench) -> None:
    bundled(bench)
    old = image(layer("base", 20_000), layer("one", 5_000)).descriptor.digest
    new = image(layer("moved", 3_000))
    shutil.rmtree(bench.place / "images/one")
    write_layout(bench.place / "images/one", new, "example.com/one:1.0")
    assert bench.doit("bundle").steps == []
    ran = bench.doit("lock")
    assert f"image one: {old} -> {new.descriptor.digest}" in ran.out
    assert "1 updated, 3 unchanged" in ran.out
    assert bench.doit("bundle").steps == sorted(
        [*FINAL, "layout", "pull:one", "save:one", "sbom:one", "tag:one", "pin:one"]
    )
