"""The bundle as one archive or in parts."""

import subprocess
from pathlib import Path

from tests.fixtures.benches.workbench import bundled, make


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
