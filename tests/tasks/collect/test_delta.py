import io
import json
import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.formats.sizes import human
from bundle.oci.digest import Digest
from tests.fixtures.benches.workbench import Workbench, make, write_layout
from tests.fixtures.images.images import image, layer

BIG = layer("big", 400_000)


TWO = layer("two", 5_000)


SAME = human(len(BIG.data) + len(TWO.data))


both_layouts = pytest.mark.parametrize("layout", ["oci", "docker-archive"])


@pytest.fixture
def layout() -> str:
    """What a test runs with where it asks for no other."""
    return "oci"


@pytest.fixture
def bench(tmp_path: Path, layout: str) -> Workbench:
    """Two images over one large layer."""
    made = make(tmp_path, bundle={"layout": layout})
    for name in ("one", "two"):
        write_layout(tmp_path / "images" / name, image(BIG, layer(name, 5_000)), f"example.com/{name}:1.0")
    return made


def first(bench: Workbench) -> Path:
    """The manifest of a full bundle of version 1.0, kept aside."""
    assert bench.doit("bundle").code == 0
    kept = bench.place / "manifest-1.0.json"
    kept.write_bytes((bench.bundle / "manifest.json").read_bytes())
    return kept


def change(bench: Workbench, version: str = "2.0") -> None:
    """A new top layer for image `one`, in a later version of the bundle."""
    write_layout(bench.place / "images/one", image(BIG, layer("new one", 6_000)), "example.com/one:1.0")
    bench.spec["bundle"] = {**bench.spec["bundle"], "version": version}  # type: ignore[dict-item]
    bench.write()
    (bench.place / "airgap.lock").unlink()


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def blobs(root: Path) -> set[str]:
    """The digests of all blobs of a bundle directory, in either layout."""
    found = {path.name for path in root.rglob("images/blobs/*/*")}
    for path in root.glob("images/*.tar"):
        with tarfile.open(path) as tar:
            found |= {Path(name).name for name in tar.getnames() if name.count("/") == 2}
    return found


@both_layouts
def test_only_the_changed_layer_crosses(bench: Workbench) -> None:
    base = first(bench)
    change(bench)
    full = bench.doit("bundle")
    made = bench.doit("bundle", f"since={base}")
    assert (full.code, made.code) == (0, 0), made.out + made.err
    delta, whole = bench.dist / "app-2.0-since-1.0", bench.dist / "app-2.0"
    manifests = [json.loads((root / "manifest.json").read_text()) for root in (delta, whole)]
    lists = [[each.pop("sbom", "") for each in stated["images"]] for stated in manifests]
    assert lists == [["sbom/one.cdx.json", ""], ["sbom/one.cdx.json", "sbom/two.cdx.json"]], "the base came with it"
    assert manifests[0]["images"] == manifests[1]["images"], "the same digests and blobs"
    assert manifests[0]["id"] != manifests[1]["id"], "it holds less"
    left_out = {digest.removeprefix("sha256:") for digest in manifests[0]["delta"]["blobs"]}
    assert left_out == {Digest.of(BIG.data).hex, Digest.of(TWO.data).hex}
    assert blobs(delta) == blobs(whole) - left_out
    assert manifests[0]["delta"]["blobs"][str(Digest.of(BIG.data))] == [
        "registry.example.com/team/one",
        "registry.example.com/team/two",
    ]
    new = len(layer("new one", 6_000).data)
    program = (delta / "airgap.pyz").stat().st_size
    assert size(delta) - program < new + 100_000
    assert f"  left out   2 blobs, {SAME}, which are inside\n             as the manifest of app 1.0 (" in made.out


def test_the_text_says_that_it_is_not_whole(bench: Workbench) -> None:
    base = first(bench)
    change(bench)
    bench.doit("bundle", f"since={base}")
    text = (bench.dist / "app-2.0-since-1.0/manifest.txt").read_text()
    assert "This is a delta: it is not whole by itself" in text
    assert "made against: the manifest of app 1.0" in text
    assert "registry.example.com/team/one:1.0: 1 layers are missing" in text
    assert "registry.example.com/team/two:1.0: 2 layers are missing" in text
    assert "docker load" not in text
    assert "skopeo" not in text


def test_a_full_bundle_stays_as_it_is_and_up_to_date(bench: Workbench) -> None:
    base = first(bench)
    before = {path: path.stat() for path in bench.bundle.rglob("*")}
    assert bench.doit("bundle", f"since={base}").code == 0
    again, seen = bench.watched("bundle", f"since={base}")
    assert "nothing to do" in again.out
    assert seen == []
    full, seen = bench.watched("bundle")
    assert "nothing to do" in full.out
    assert seen == []
    assert {path: path.stat().st_ino for path in before} == {path: stat.st_ino for path, stat in before.items()}
    assert "every image is as it was there: no layer is carried" in again.out


def test_another_base_is_another_delta(bench: Workbench) -> None:
    base = first(bench)
    change(bench)
    bench.doit("bundle", f"since={base}")
    lost = json.loads(receipt(base))
    for each in lost["images"]:
        each["blobs"].pop(str(Digest.of(BIG.data)))
    other = bench.place / "receipt.json"
    other.write_text(json.dumps(lost))
    made = bench.doit("bundle", f"since={other}")
    assert {"save:one", "save:two", "manifest", "checksum", "directory"} <= set(made.steps)
    delta = bench.dist / "app-2.0-since-1.0"
    assert Digest.of(BIG.data).hex in blobs(delta)
    assert json.loads((delta / "manifest.json").read_text())["delta"]["base"]["kind"] == "receipt"
    assert bench.doit("verify", f"since={other}").code == 0


def receipt(manifest: Path) -> str:
    """The receipt of an installation of this bundle."""
    data = json.loads(manifest.read_text())
    told = {key: data[key] for key in ("name", "version", "id", "created", "platform")}
    images = [{key: each[key] for key in ("name", "ref", "digest", "blobs")} for each in data["images"]]
    return json.dumps(
        {
            "format": 1, "tool": "0.1.0", "installed": "2026-03-01T08:00:00Z", "bundle": told, "images": images,
            "charts": [], "releases": [],
        }
    )  # fmt: skip


@both_layouts
def test_verify_proves_both_together_or_names_what_is_missing(bench: Workbench) -> None:
    base = first(bench)
    change(bench)
    bench.doit("bundle", f"since={base}")
    delta = bench.dist / "app-2.0-since-1.0"
    alone = bench.doit("verify", f"bundle={delta}")
    assert alone.code == 0
    assert f"a delta: it needs 2 blobs ({SAME}), which the manifest of app 1.0" in alone.out
    together = bench.doit("verify", f"since={base}")
    assert together.code == 0, together.err
    assert "a delta, complete together with the manifest of app 1.0" in together.out
    lost = json.loads(receipt(base))
    lost["images"] = lost["images"][1:]
    del lost["images"][0]["blobs"][str(Digest.of(BIG.data))]
    lacking = bench.place / "receipt.json"
    lacking.write_text(json.dumps(lost))
    refused = bench.doit("verify", f"bundle={delta}", f"since={lacking}")
    assert refused.code == 1
    assert (
        f"missing: {Digest.of(BIG.data)} (of image 'one', image 'two'): expected {human(len(BIG.data))} here or in"
        in refused.err
    )
    assert str(Digest.of(TWO.data)) not in refused.err


def test_the_plan_tells_the_bytes(bench: Workbench) -> None:
    base = first(bench)
    told = bench.doit("plan", "bundle", f"since={base}")
    everything = human(len(BIG.data) + len(TWO.data) + len(layer("one", 5_000).data))
    assert f"to carry: 838 B in 2 blobs\nleft out: {everything} in 3 blobs, which the manifest of app 1.0" in told.out
    data = json.loads(bench.doit("plan", "bundle", "--json", f"since={base}").out)
    assert (data["bytes_of_blobs"], data["blobs_left_out"], data["not_counted"]) == (838, 3, [])
    assert "bytes_left_out" not in json.loads(bench.doit("plan", "bundle", "--json").out)


def test_the_archive_of_a_delta_has_its_name(bench: Workbench) -> None:
    base = first(bench)
    bench.spec["bundle"] = {**bench.spec["bundle"], "split": "1MiB"}  # type: ignore[dict-item]
    bench.write()
    assert bench.doit("bundle", f"since={base}").code == 0
    part = bench.dist / "app-1.0-since-1.0.tar.001"
    with tarfile.open(
        fileobj=io.BytesIO(b"".join(p.read_bytes() for p in sorted(part.parent.glob("*.tar.0*"))))
    ) as tar:
        assert {name.partition("/")[0] for name in tar.getnames()} == {"app-1.0-since-1.0"}
    assert bench.doit("verify", f"bundle={part}", f"since={base}").code == 0


def test_a_base_that_goes_back_or_has_nothing(bench: Workbench) -> None:
    base = first(bench)
    data = json.loads(receipt(base))
    data["bundle"]["version"] = "3.0"
    later = bench.place / "later.json"
    later.write_text(json.dumps(data))
    assert "that is a later version: this bundle goes back to 1.0" in bench.doit("bundle", f"since={later}").out
    data["images"] = []
    later.write_text(json.dumps(data))
    made = bench.doit("bundle", f"since={later}")
    assert "nothing of it is in this bundle: it is as large as a full one" in made.out


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda path, data: path.unlink(), "there is no such file", id="lost"),
        pytest.param(lambda path, data: path.write_text("{"), "it is not JSON", id="cut off"),
        pytest.param(lambda path, data: path.write_text('{"a": 1}'), "it is neither a receipt.json nor", id="other"),
        pytest.param(
            lambda path, data: path.write_text(json.dumps({**data, "format": 2})), "receipt.json has format 2", id="new"
        ),
        pytest.param(
            lambda path, data: path.write_text(json.dumps({**data, "bundle": {**data["bundle"], "name": "shop"}})),
            "it is the receipt of shop 1.0",
            id="another bundle",
        ),
        pytest.param(
            lambda path, data: path.write_text(
                json.dumps({**data, "bundle": {**data["bundle"], "platform": "linux/arm64"}})
            ),
            "for linux/arm64, but this bundle is for linux/amd64: they share no layers",
            id="another platform",
        ),
    ],
)
def test_a_lost_or_wrong_base(tmp_path: Path, damage: Callable[[Path, dict[str, Any]], object], told: str) -> None:
    bench = make(tmp_path)
    path = tmp_path / "receipt.json"
    path.write_text(receipt(first(bench)))
    before = bench.files()
    damage(path, json.loads(path.read_text()) if path.exists() else {})
    refused = bench.doit("bundle", f"since={path}")
    assert refused.code == 3
    assert told in refused.err
    if told != "receipt.json has format 2":
        assert "or make a full bundle: doit" in refused.err
        assert "since=" not in refused.err.partition("or make a full bundle:")[2]
    assert bench.files() == before


def test_killed_half_way_the_next_run_ends_well(bench: Workbench) -> None:
    base = first(bench)
    change(bench)
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    wanted = make_delta(bench, base)
    for step in ("pull:one", "save:one", "manifest", "checksum"):
        for path in (
            bench.place / ".airgap/delta.journal",
            bench.work.with_name("app-2.0-since-1.0") / "tree/SHA256SUMS",
        ):
            path.unlink(missing_ok=True)
        with bench.start("bundle", f"since={base}") as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith(step):
                    os.kill(process.pid, signal.SIGKILL)
                    break
        assert make_delta(bench, base) == wanted


def make_delta(bench: Workbench, base: Path) -> dict[str, bytes]:
    """Every file of the delta after a run."""
    ran = bench.doit("bundle", f"since={base}")
    assert ran.code == 0, ran.out + ran.err
    return {name: data for name, data in bench.files().items() if "-since-" in name}


def test_a_site_is_named_and_its_receipt_is_found(bench: Workbench) -> None:
    first(bench)
    manifest = json.loads((bench.bundle / "manifest.json").read_text())
    receipts = bench.place / "receipts"
    receipts.mkdir()
    bundle = {key: manifest[key] for key in ("name", "version", "id", "created", "platform")}
    about = {"format": 1, "tool": "1", "installed": "2026-03-01T08:00:00Z", "bundle": bundle}
    images = [{key: each[key] for key in ("name", "ref", "digest", "blobs")} for each in manifest["images"]]
    (receipts / "prod.json").write_text(json.dumps({**about, "images": images, "charts": [], "releases": []}))
    change(bench)
    ran = bench.doit("bundle", "since=prod")
    assert ran.code == 0, ran.err
    assert (bench.dist / "app-2.0-since-1.0").is_dir()
    assert "since=test" in bench.doit("bundle", "since=test").err
