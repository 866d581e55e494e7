import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.reporting import data, dated, made, states
from tests.fixtures.benches.workbench import Ran, Workbench, make, write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.ssh_keys import make_key


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return dated(tmp_path / "project")


def next_version(bench: Workbench) -> Workbench:
    """Another image `two`, another chart value, and a third image, as version 1.1 a day later."""
    images = bench.spec["images"]
    assert isinstance(images, list)
    write_layout(bench.place / "images/new", image(layer("base", 20_000), layer("new", 7_000)), "example.com/two:1.1")
    images[1] = {"name": "two", "source": "oci:images/new", "target": "two:1.1"}
    images.append({"name": "three", "source": "oci:images/one", "target": "three:1.1"})
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.1"}})
    bench.env["SOURCE_DATE_EPOCH"] = "1700086400"
    return made(bench)


def test_the_report_on_a_finished_bundle(bench: Workbench) -> None:
    ran = made(bench).doit("report")
    assert ran.code == 0, ran.out + ran.err
    report = data(bench.dist / "app-1.0.report.json")
    open_ones = dict.fromkeys(("signature", "proof", "rehearsal", "vulnerabilities"), "open")
    assert states(report) == {"checksums": "good", **open_ones}
    assert report["results"]["vulnerabilities"]["summary"] == "nothing was scanned: doit scan"
    assert "not rehearsed on this machine" in report["results"]["rehearsal"]["summary"]
    assert "  checksums  good " in ran.out
    assert "app-1.0.report.html" in ran.out
    page = (bench.dist / "app-1.0.report.html").read_text()
    assert report["results"]["checksums"]["summary"] in page
    again = bench.doit("report")
    assert (again.code, (bench.dist / "app-1.0.report.html").read_text()) == (0, page)


def test_what_is_new_since_the_last_bundle_beside_it(bench: Workbench) -> None:
    values = bench.place / "values.yaml"
    values.write_text("replicas: 1\n")
    bench.spec["install"] = {
        "releases": [{"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}]
    }
    bench.write()
    made(bench)
    values.write_text("replicas: 2\nhost: ${site.host}\n")
    next_version(bench)
    ran = bench.doit("report")
    assert ran.code == 0, ran.out + ran.err
    assert "changed            2 images, 2 values, since app 1.0" in ran.out
    changes = data(bench.dist / "app-1.1.report.json")["changes"]
    assert [(each["name"], each["kind"]) for each in changes["images"]] == [("three", "new"), ("two", "changed")]
    assert changes["since"]["version"] == "1.0"
    assert [(each["name"], each["before"], each["after"]) for each in changes["values"]] == [
        ("values.yaml: host", "", '"${site.host}"'),
        ("values.yaml: replicas", "1", "2"),
    ]


@pytest.mark.parametrize("paper", ["", "manifest.json", "report.json", "archive"])
def test_since_any_paper_of_an_earlier_bundle(tmp_path: Path, paper: str) -> None:
    bench = make(tmp_path / "project", bundle={"archive": True})
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    made(bench)
    away = tmp_path / "away"
    away.mkdir()
    before = away / paper
    if paper == "archive":
        before = away / "app-1.0.tar"
        shutil.copy(bench.dist / "app-1.0.tar", before)
        shutil.copy(bench.dist / "app-1.0.tar.sha256", away)
    elif paper:
        shutil.copy(bench.bundle / paper, before)
    else:
        before = away / "app-1.0"
        shutil.copytree(bench.bundle, before)
    next_version(bench)
    shutil.rmtree(bench.bundle)
    assert "changed            2 images, since app 1.0" in bench.doit("report").out, "the archive of it lies there too"
    for name in ("app-1.0.tar", "app-1.0.tar.sha256"):
        (bench.dist / name).unlink()
    assert bench.doit("report").out.count("changed ") == 0
    ran = bench.doit("report", f"since={before}")
    assert ran.code == 0, ran.out + ran.err
    changes = data(bench.dist / "app-1.1.report.json")["changes"]
    assert [each["name"] for each in changes["images"]] == ["three", "two"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("gone.json", None, "there is no", id="missing"),
        pytest.param("x.json", "{}", "name a bundle, or the manifest.json", id="something else"),
        pytest.param("x.txt", "hello", "x.txt", id="no bundle"),
    ],
)
def test_since_something_that_is_no_bundle(bench: Workbench, name: str, content: str | None, said: str) -> None:
    made(bench)
    if content is not None:
        (bench.place / name).write_text(content)
    ran = bench.doit("report", f"since={bench.place / name}")
    assert ran.code == 1
    assert "FAILED report:" in ran.err
    assert said in ran.err
    assert not (bench.dist / "app-1.0.report.html").exists()


@pytest.mark.parametrize(("name", "content"), [("airgap.json", None), ("airgap.json", "{"), ("SHA256SUMS", None)])
def test_a_bundle_beside_it_that_is_damaged_is_not_compared_with(
    bench: Workbench, name: str, content: str | None
) -> None:
    before = made(bench).bundle
    next_version(bench)
    (before / name).unlink()
    if content is not None:
        (before / name).write_text(content)
    ran = bench.doit("report")
    assert ran.code == 0, ran.out + ran.err
    assert "  changed    open    " in ran.out
    assert "app-1.0 can't be compared with: " in ran.out
    assert data(bench.dist / "app-1.1.report.json")["changes"] is None
    assert bench.doit("report", f"since={before}").code == 1


def test_a_delta_beside_it_of_its_own_version_is_not_the_one_before(bench: Workbench, tmp_path: Path) -> None:
    paper = tmp_path / "manifest-1.0.json"
    shutil.copy(made(bench).bundle / "manifest.json", paper)
    next_version(bench)
    assert bench.doit("bundle", f"since={paper}").code == 0
    ran = bench.doit("report")
    assert (ran.code, "since app 1.0\n" in ran.out) == (0, True), ran.out + ran.err


def test_a_damaged_bundle_is_told_and_fails(bench: Workbench) -> None:
    made(bench)
    note = bench.bundle / "files/note.txt"
    note.unlink()
    note.write_text("another")
    (bench.bundle / "extra").write_text("x")
    ran = bench.doit("report")
    assert ran.code == 1
    assert "checksums  FAILED  2 found" in ran.out
    result = data(bench.dist / "app-1.0.report.json")["results"]["checksums"]
    assert result["state"] == "bad"
    assert ["files/note.txt" in "".join(result["details"]), "extra" in "".join(result["details"])] == [True, True]
    assert "FAILED" in (bench.dist / "app-1.0.report.html").read_text()


def test_a_bundle_that_cannot_be_read(bench: Workbench) -> None:
    made(bench)
    (bench.bundle / "manifest.json").unlink()
    ran = bench.doit("report")
    assert (ran.code, "missing: manifest.json" in ran.err) == (1, True)


def rehearsed(bench: Workbench, **changed: Any) -> None:
    """The result of a rehearsal, as `doit rehearse` keeps it."""
    from bundle.archive.reader import open_bundle  # noqa: PLC0415

    bundle = open_bundle(bench.bundle)
    which = {"name": "app", "version": "1.0", "id": str(bundle.manifest.id), "sums": str(bundle.sums_digest)}
    kept = {
        "format": 1, "passed": True, "bundle": which, "target": "the built-in registry, no cluster",
        "proven": ["images arrive"], "not_proven": ["releases come up"], "failures": [], "outside": [],
        "rehearsed": "2026-01-01T00:00:00Z", **changed,
    }  # fmt: skip
    (bench.place / ".airgap/rehearsal.json").write_text(json.dumps(kept))


def test_the_rehearsal_of_these_very_files(bench: Workbench) -> None:
    rehearsed(made(bench))
    assert bench.doit("report").code == 0
    result = data(bench.dist / "app-1.0.report.json")["results"]["rehearsal"]
    assert result == {
        "state": "good",
        "summary": "passed: the built-in registry, no cluster, 2026-01-01T00:00:00Z",
        "details": ["proven: images arrive", "not proven: releases come up"],
    }
    rehearsed(bench, failures=["image 'one' is not inside"], passed=False)
    assert bench.doit("report").code == 1
    assert states(data(bench.dist / "app-1.0.report.json"))["rehearsal"] == "bad"


def test_the_rehearsal_of_another_build_counts_for_nothing(bench: Workbench) -> None:
    rehearsed(made(bench))
    bench.env["SOURCE_DATE_EPOCH"] = "1700000001"
    made(bench)
    assert bench.doit("report").code == 0
    result = data(bench.dist / "app-1.0.report.json")["results"]["rehearsal"]
    assert (result["state"], "another build" in result["summary"]) == ("open", True)


def test_a_delta_is_compared_with_its_base(bench: Workbench, tmp_path: Path) -> None:
    paper = tmp_path / "manifest-1.0.json"
    shutil.copy(made(bench).bundle / "manifest.json", paper)
    next_version(bench)
    ran = bench.doit("bundle", f"since={paper}")
    assert ran.code == 0, ran.out + ran.err
    delta = bench.dist / "app-1.1-since-1.0"
    inner = data(delta / "report.json")
    assert [each["name"] for each in inner["changes"]["images"]] == ["three", "two"]
    assert str(tmp_path) not in json.dumps(inner)
    assert inner["left_out_bytes"] > 20_000
    assert ["cd app-1.1-since-1.0"] in [each["lines"] for each in inner["commands"]]
    ran = bench.doit("report", f"bundle={delta}", f"since={paper}")
    assert ran.code == 0, ran.out + ran.err
    outer = data(bench.dist / "app-1.1-since-1.0.report.json")
    assert outer["results"]["checksums"]["state"] == "good"
    assert "since" not in "".join(outer["results"]["checksums"]["details"])


def test_who_signed_it(tmp_path: Path) -> None:
    key, other = make_key(tmp_path / "keys/release"), make_key(tmp_path / "keys/other")
    bench = made(make(tmp_path / "project", bundle={"sign": {"key": "../keys/release"}}))
    inner = data(bench.bundle / "report.json")
    assert "ssh-keygen -Y verify" in "".join(line for each in inner["commands"] for line in each["lines"])

    def told(*words: str) -> tuple[int, str, str]:
        code = bench.doit("report", *words).code
        result = data(bench.dist / "app-1.0.report.json")["results"]["signature"]
        return code, result["state"], result["summary"]

    assert told() == (0, "open", "it is signed; by whom was not asked: trust=FILE names who may")
    code, state, summary = told(f"trust={key.signers(tmp_path / 'allowed')}")
    assert (code, state) == (0, "good")
    assert summary.startswith("signed by release@example.com (")
    assert told(f"trust={other.signers(tmp_path / 'others')}")[:2] == (1, "bad")
    (bench.bundle / "SHA256SUMS.sig").unlink()
    code, state, summary = told(f"trust={tmp_path / 'allowed'}")
    assert (code, state, "is not signed" in summary) == (1, "bad", True)


def carried(bench: Workbench, *words: str, cwd: Path) -> Ran:
    argv = [sys.executable, "-I", "-S", str(bench.bundle / "airgap.pyz"), "report", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, timeout=60)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize("inside", [True, False], ids=["in the bundle", "elsewhere"])
def test_the_carried_program_writes_it_beside_and_never_into_the_bundle(
    bench: Workbench, tmp_path: Path, inside: bool
) -> None:
    before = {path: path.stat().st_mtime_ns for path in made(bench).bundle.rglob("*")}
    ran = carried(bench, f"state={tmp_path / 'state'}", cwd=bench.bundle if inside else tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert (bench.dist / "app-1.0.report.html").is_file()
    assert {path: path.stat().st_mtime_ns for path in bench.bundle.rglob("*")} == before
