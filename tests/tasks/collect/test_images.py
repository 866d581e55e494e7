"""Images are pinned once, and pulled when the cache lacks them."""

import json

from tests.fixtures.benches.workbench import FINAL, Workbench, bundled, write_layout
from tests.fixtures.images.images import image, layer


def test_only_the_changed_image_is_remade(bench: Workbench) -> None:
    bundled(bench)
    changed = image(layer("base", 20_000), layer("new", 7_000))
    write_layout(bench.place / "images/three", changed, "example.com/three:1.0")
    images = bench.spec["images"]
    assert isinstance(images, list)
    images[1]["source"] = "oci:images/three"
    bench.write()
    lock = (bench.place / "airgap.lock").read_text()
    ran = bench.doit("bundle")
    assert ran.steps == sorted([*FINAL, "layout", "pin:two", "pull:two", "save:two", "sbom:two", "tag:two"])
    now = (bench.place / "airgap.lock").read_text()
    assert [pin for pin in json.loads(lock)["images"].items() if pin[0] == "one"] == [
        pin for pin in json.loads(now)["images"].items() if pin[0] == "one"
    ]
    assert str(changed.descriptor.digest) in now
    assert len(list((bench.bundle / "images/blobs/sha256").iterdir())) == 7
