"""The last lines of a run."""

import shlex
from pathlib import Path

from tests.fixtures.benches.workbench import bundled, make


def test_only_what_is_fetched_counts_as_fetched(tmp_path: Path) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"archive": True}))
    (bench.dist / "app-1.0.tar").unlink()
    assert "fetched    0 B, already present 0 B" in bench.doit("bundle").out


def test_what_is_next_can_be_pasted(tmp_path: Path) -> None:
    bench = make(tmp_path / "my project")
    (line,) = [line for line in bench.doit("bundle").out.splitlines() if line.startswith("next: ")]
    assert shlex.split(line) == ["next:", "doit", "verify", f"bundle={bench.bundle}"]
    assert bench.doit(*shlex.split(line)[2:]).code == 0
