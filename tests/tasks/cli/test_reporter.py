"""What the operator sees of a run."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from doit.exceptions import TaskError

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
    assert "what is done is kept, run the same command again" in ran.err
    assert bench.files() == before


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
