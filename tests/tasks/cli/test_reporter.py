"""What the operator sees of a run."""

from tests.fixtures.benches.workbench import Workbench, bundled, write_layout
from tests.fixtures.images.images import image, layer


def test_one_run_tells_every_failure_and_keeps_the_last_good_bundle(bench: Workbench) -> None:
    before = bundled(bench).files()
    images = bench.spec["images"]
    assert isinstance(images, list)
    for name in ("three", "four"):
        write_layout(bench.place / "images" / name, image(layer(name, 100)), f"example.com/{name}:1.0")
        images.append({"name": name, "source": f"oci:images/{name}", "target": f"{name}:1.0"})
        blob = next(
            (bench.place / "images" / name / "blobs/sha256").glob(image(layer(name, 100)).descriptor.digest.hex)
        )
        blob.write_bytes(b"{}")
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "FAILED pin:three: image 'three' (oci:images/three)" in ran.err
    assert "FAILED pin:four: image 'four' (oci:images/four)" in ran.err
    assert "what is done is kept, run the same command again" in ran.err
    assert bench.files() == before
