"""`doit bundle` as a user runs it: what it makes, what it reruns, what it keeps when it fails."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make, write_layout
from tests.fixtures.made.images import image, layer

EVERY = [
    "chart:app", "checksum", "describe", "directory", "file:note.txt", "layout", "manifest",
    "pin:one", "pin:two", "pull:one", "pull:two", "save:one", "save:two", "sbom:one", "sbom:two", "tag:one", "tag:two",
    "zipapp",
]  # fmt: skip
MAKING = {*(name.partition(":")[0] for name in EVERY), "pack", "bundle"}
FINAL = ["checksum", "describe", "directory", "manifest"]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return make(tmp_path / "project")


def bundled(bench: Workbench) -> Workbench:
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return bench


def test_the_first_run_does_every_step_and_the_second_nothing(bench: Workbench) -> None:
    first = bench.doit("bundle")
    assert (first.code, first.steps) == (0, EVERY)
    assert "bundle app 1.0: 2 images, 1 chart, 1 file" in first.out
    assert f"next: doit verify bundle={bench.bundle}" in first.out
    second = bench.doit("bundle")
    assert (second.code, second.steps) == (0, [])
    assert "nothing to do: bundle app 1.0 is up to date (2 images, 1 chart, 1 file)" in second.out


def test_a_run_with_nothing_to_do_writes_and_connects_nothing(bench: Workbench) -> None:
    _, first = bench.watched("bundle")
    assert [event for event in first if event.startswith(("write", "os.link"))], "the watch sees what a real run does"
    ran, seen = bundled(bench).watched("bundle")
    assert ran.code == 0
    assert seen == []


def test_the_bundle_checks_with_sha256sum(bench: Workbench) -> None:
    bundled(bench)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=bench.bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    listed = {line.split("  ")[1] for line in (bench.bundle / "SHA256SUMS").read_text().splitlines()}
    present = {str(path.relative_to(bench.bundle)) for path in bench.bundle.rglob("*") if path.is_file()}
    assert present - listed == {"SHA256SUMS"}


def test_shared_layers_are_stored_once_and_cost_no_second_copy(bench: Workbench) -> None:
    bundled(bench)
    blobs = list((bench.bundle / "images/blobs/sha256").iterdir())
    assert len(blobs) == 7  # 2 manifests, 2 configs, 2 own layers, 1 shared
    cache = bench.place / ".airgap/cache/blobs/sha256"
    assert all(blob.samefile(cache / blob.name) for blob in blobs)


@pytest.mark.parametrize(
    "bundle",
    [{}, {"layout": "docker-archive"}, {"archive": True}, {"split": "20KB"}],
    ids=["directory", "docker-archive", "archive", "split"],
)
def test_same_lock_and_date_give_the_same_bytes(tmp_path: Path, bundle: dict[str, object]) -> None:
    benches = [make(tmp_path / name / "project", bundle=bundle) for name in ("a", "b")]
    for bench in benches:
        bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
        bundled(bench)
    first, second = (bench.files() for bench in benches)
    assert first == second
    assert json.loads(first["app-1.0/manifest.json"])["created"] == "2023-11-14T22:13:20Z"


def test_only_what_is_fetched_counts_as_fetched(tmp_path: Path) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"archive": True}))
    (bench.dist / "app-1.0.tar").unlink()
    assert "fetched    0 B, already present 0 B" in bench.doit("bundle").out


def test_split_writes_parts_that_join_and_check(tmp_path: Path) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"split": "20KB"}))
    parts = sorted(path.name for path in bench.dist.glob("*.tar.0*"))
    assert parts == [f"app-1.0.tar.{number:03d}" for number in range(1, len(parts) + 1)]
    assert len(parts) > 2
    done = subprocess.run(
        ["sha256sum", "-c", "app-1.0.tar.sha256"], cwd=bench.dist, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    listing = subprocess.run(
        "cat app-1.0.tar.0* | tar -tf -", shell=True, cwd=bench.dist, capture_output=True, text=True, check=False
    )
    assert "app-1.0/SHA256SUMS" in listing.stdout
    again = bench.doit("bundle")
    assert again.steps == []
    (bench.dist / parts[1]).unlink()
    assert bench.doit("bundle").steps == ["pack"]


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


def test_a_new_name_touches_no_blob(bench: Workbench) -> None:
    bundled(bench)
    images = bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = "renamed:2.0"
    bench.write()
    assert bench.doit("bundle").steps == sorted([*FINAL, "layout", "save:one", "tag:one"])
    assert "registry.example.com/team/renamed:2.0" in (bench.bundle / "images/index.json").read_text()


def test_a_removed_image_leaves_bundle_and_lock(bench: Workbench) -> None:
    bundled(bench)
    images = bench.spec["images"]
    assert isinstance(images, list)
    images.pop()
    bench.write()
    assert bench.doit("bundle").steps == sorted([*FINAL, "layout"])
    assert len(list((bench.bundle / "images/blobs/sha256").iterdir())) == 4
    assert bench.doit("verify").code == 0


def remove(path: Path) -> None:
    path.unlink()


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def scribble(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"scribble")


@pytest.mark.parametrize("damage", [remove, touch, scribble])
@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "SHA256SUMS",
        "airgap.json",
        "images/index.json",
        "charts/app-1.0.0.tgz",
        "files/note.txt",
        "blob",
    ],
)
def test_a_damaged_output_is_remade(bench: Workbench, name: str, damage: object) -> None:
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    before = bundled(bench).files()
    path = bench.bundle / name if name != "blob" else max((bench.bundle / "images/blobs/sha256").iterdir())
    assert callable(damage)
    damage(path)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    assert bench.files() == before
    assert bench.doit("bundle").steps == []
    if damage is remove:
        assert ran.steps == ["directory"]
    else:
        assert not any(step.startswith("pin:") for step in ran.steps)


def test_a_removed_bundle_comes_back_from_the_cache(bench: Workbench) -> None:
    before = bundled(bench).files()
    shutil.rmtree(bench.bundle)
    shutil.rmtree(bench.place / "images/one/blobs")  # the source is not asked again
    assert bench.doit("bundle").steps == ["directory"]
    assert bench.files() == before


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
    assert "1 pins moved, 0 stay" in locked.out
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
    assert "1 pins moved, 3 stay" in ran.out
    assert bench.doit("bundle").steps == sorted(
        [*FINAL, "layout", "pull:one", "save:one", "sbom:one", "tag:one", "pin:one"]
    )


@pytest.mark.parametrize("change", ["nothing", "fresh", "blob", "image", "archive", "tag"])
def test_plan_is_what_then_runs(bench: Workbench, change: str) -> None:
    if change != "fresh":
        bundled(bench)
    images = bench.spec["images"]
    bundle = bench.spec["bundle"]
    assert isinstance(images, list)
    assert isinstance(bundle, dict)
    if change == "blob":
        (
            bench.place
            / ".airgap/cache/blobs/sha256"
            / image(layer("base", 20_000), layer("one", 5_000)).descriptor.digest.hex
        ).unlink()
    elif change == "image":
        images.append({"name": "three", "source": "oci:images/one", "target": "three:1.0"})
    elif change == "archive":
        bundle["archive"] = True
    elif change == "tag":
        images[0]["target"] = "renamed:1"
    bench.write()
    planned, seen = bench.watched("plan", "bundle", "--json", "--exit-code")
    assert seen == [], "a plan writes nothing and asks nobody"
    steps = json.loads(planned.out)["steps"]
    due = sorted(step["step"] for step in steps if step["run"])
    assert planned.code == (1 if due else 0)
    assert all(step["reason"] for step in steps if step["run"])
    assert bench.doit("bundle").steps == due
    assert (due == []) == (change == "nothing")


def test_plan_tells_the_bytes_to_fetch(bench: Workbench) -> None:
    assert "whose size is not known before it is pinned" in bench.doit("plan", "bundle").out
    bench.doit("pin")
    size = sum(pin["size"] for pin in json.loads((bench.place / "airgap.lock").read_text())["images"].values())
    assert json.loads(bench.doit("plan", "bundle", "--json").out)["bytes_at_most"] == size
    bundled(bench)
    blob = bench.place / ".airgap/cache/blobs/sha256" / hashlib.sha256(layer("one", 5_000).data).hexdigest()
    size = blob.stat().st_size
    blob.unlink()
    assert json.loads(bench.doit("plan", "bundle", "--json").out)["bytes_to_fetch"] == size


def test_list_info_clean_and_forget_tell_the_truth(bench: Workbench) -> None:
    def status() -> dict[str, str]:
        lines = bench.doit("list", "--all", "--status").out.splitlines()
        states = {words[1]: words[0] for words in (line.split() for line in lines)}
        return {name: state for name, state in states.items() if name.partition(":")[0] in MAKING}

    assert {name for name, state in status().items() if state != "R"} == {"pack"}, "nothing is to be packed"
    bundled(bench)
    assert set(status().values()) == {"U"}
    info = bench.doit("info", "save:one")
    assert (info.code, "up-to-date" in info.out) == (0, True)
    bench.doit("forget", "save:one")
    assert {name for name, state in status().items() if state == "R"} == {"save:one", "save"}
    assert "has not run yet" in bench.doit("info", "save:one").out
    assert bench.doit("bundle").steps == ["save:one"]
    assert "remove 0 files" not in bench.doit("clean", "--dry-run", "directory").out
    assert bench.bundle.exists()
    assert "bound method" not in bench.doit("clean").out
    assert not bench.bundle.exists()
    assert not (bench.place / ".airgap/cache/blobs").exists()
    assert (bench.place / "airgap.lock").exists()
    assert status()["save:one"] == "R"
    assert bundled(bench).doit("verify").code == 0


def test_two_runs_at_once(bench: Workbench) -> None:
    runs = [bench.start("bundle") for _ in range(2)]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert bench.doit("verify").code == 0
    assert bench.doit("bundle").steps == []


@pytest.mark.parametrize(
    "bundle", [{"split": "20KB"}, {"layout": "docker-archive"}], ids=["oci, split", "docker-archive"]
)
def test_killed_at_any_time_the_next_run_goes_on(tmp_path: Path, bundle: dict[str, object]) -> None:
    bench = make(tmp_path / "project", images=[f"i{number}" for number in range(12)], bundle=bundle)
    for delay in (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
        run = bench.start("bundle")
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if bench.bundle.exists():
            assert bench.doit("verify", f"bundle={bench.bundle}").code == 0, "what is there is whole"
    bundled(bench)
    assert bench.doit("verify").code == 0
    assert list(bench.dist.rglob(".*.tmp")) == []


def test_a_read_only_spec_folder(bench: Workbench, tmp_path: Path) -> None:
    bench.doit("lock")
    if os.geteuid() == 0:
        done = subprocess.run(
            ["mount", "--bind", "-o", "ro", bench.place, bench.place], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"a read-only mount is not possible here: {done.stderr}")
    else:
        bench.place.chmod(0o555)
    try:
        refused = bench.doit("bundle", f"out={tmp_path / 'out'}")
        assert refused.code == 1
        assert "Read-only file system" in refused.err or "Permission denied" in refused.err
        assert "state=DIR" in refused.err
        ran = bench.doit("bundle", f"out={tmp_path / 'out'}", f"state={tmp_path / 'state'}")
        assert ran.code == 0, ran.err
        assert (tmp_path / "out/app-1.0/SHA256SUMS").exists()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", bench.place], check=True)
        else:
            bench.place.chmod(0o755)


def test_plan_names_the_local_files_that_changed(bench: Workbench) -> None:
    bundled(bench)
    (bench.place / "note.txt").write_text("other\n")
    (bench.place / "chart/values.yaml").write_text("a: 1\n")
    out = bench.doit("plan", "bundle").out
    assert f"{bench.place / 'note.txt'} changed" in out
    assert f"{bench.place / 'chart/values.yaml'} was added" in out


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
