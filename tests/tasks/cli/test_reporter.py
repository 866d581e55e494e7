"""What the operator sees of a run."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from doit.exceptions import TaskError, TaskFailed

from tasks.cli.reporter import Reporter
from tasks.runtime.console import Console
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
    assert "2 failed, " in ran.err
    assert ran.err.endswith("; completed steps are kept\n")
    assert bench.files() == before


def test_a_failure_far_above_is_repeated_at_the_end() -> None:
    out, err = io.StringIO(), io.StringIO()
    reporter = Reporter(SimpleNamespace(console=Console(out, err), notes={}))  # type: ignore[arg-type]
    reporter.add_failure(SimpleNamespace(name="pull:api"), TaskFailed("no such tag\n  next: check the tag"))
    for number in range(10):
        reporter.add_success(SimpleNamespace(name=f"pull:{number}", actions=("x",)))
    reporter.add_failure(SimpleNamespace(name="pull:last"), TaskFailed("refused"))
    reporter.complete_run()
    told = err.getvalue()
    assert told.count("pull:api: no such tag\n") == 2
    assert told.count("pull:last: refused\n") == 1, "what stands right above is not repeated"
    assert told.splitlines()[3:] == [
        "failed above:",
        "  pull:api: no such tag",
        "  next: check the tag",
        "2 failed, 10 done, 0 up to date; completed steps are kept",
    ]


def test_a_step_that_breaks_is_one_line_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out, err = io.StringIO(), io.StringIO()
    reporter = Reporter(SimpleNamespace(console=Console(out, err)))  # type: ignore[arg-type]
    try:
        {}["a\nb"]
    except KeyError as cause:
        reporter.add_failure(SimpleNamespace(name="push:api"), TaskError("PythonAction Error", cause))
    assert err.getvalue().startswith("BROKEN push:api: this program has a fault: KeyError: ")
    assert len(err.getvalue().splitlines()) == 2
    (file,) = tmp_path.iterdir()
    assert "Traceback" in file.read_text()
    assert reporter.broken == ["push:api"]
