"""One run at a time works on one bundle."""

from tests.fixtures.benches.workbench import Workbench


def test_two_runs_at_once(bench: Workbench) -> None:
    runs = [bench.start("bundle") for _ in range(2)]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert bench.doit("verify").code == 0
    assert bench.doit("bundle").steps == []
