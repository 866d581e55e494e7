"""The last lines of a run."""

from pathlib import Path

from tests.fixtures.benches.workbench import bundled, make


def test_only_what_is_fetched_counts_as_fetched(tmp_path: Path) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"archive": True}))
    (bench.dist / "app-1.0.tar").unlink()
    assert "fetched    0 B, already present 0 B" in bench.doit("bundle").out
