"""Images in the growing bundle: each blob once, under the image's internal name."""

from tests.fixtures.benches.workbench import FINAL, Workbench, bundled


def test_shared_layers_are_stored_once_and_cost_no_second_copy(bench: Workbench) -> None:
    bundled(bench)
    blobs = list((bench.bundle / "images/blobs/sha256").iterdir())
    assert len(blobs) == 7  # 2 manifests, 2 configs, 2 own layers, 1 shared
    cache = bench.place / ".airgap/cache/blobs/sha256"
    assert all(blob.samefile(cache / blob.name) for blob in blobs)


def test_a_new_name_touches_no_blob(bench: Workbench) -> None:
    bundled(bench)
    images = bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = "renamed:2.0"
    bench.write()
    assert bench.doit("bundle").steps == sorted([*FINAL, "layout", "save:one", "tag:one"])
    assert "registry.example.com/team/renamed:2.0" in (bench.bundle / "images/index.json").read_text()
