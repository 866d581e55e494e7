"""Property of every parser of outside input: a value or an error of ours, soon and in little memory."""

import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import run
from tests.fuzz.targets import SIGNS, TARGETS, Target, changed

EXAMPLES = 60
SECONDS = 1.0  # for one input, on a busy machine
MEMORY = 20 * 1024 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_anything_is_a_value_or_an_error_of_ours(name: str) -> None:
    target, whole = TARGETS[name], st.binary(max_size=400)
    parts = st.lists(st.sampled_from((*SIGNS, *target.seeds)) | st.binary(max_size=8), max_size=12).map(b"".join)
    seeds = st.tuples(st.sampled_from(target.seeds), st.integers(0, 2**32))
    near = seeds.map(lambda drawn: changed(drawn[0], random.Random(drawn[1]), target.seeds))

    @settings(
        derandomize=True, database=None, deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck)
    )
    @given(near | parts | whole)
    def holds(data: bytes) -> None:
        began = time.process_time()
        target(data)
        assert time.process_time() - began < SECONDS

    tracemalloc.start()
    try:
        holds()
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_what_falls_is_kept_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(run, "TARGETS", {"broken": Target(read=lambda data: 1 // 0, seeds=(b"x",))})
    monkeypatch.setattr("sys.argv", ["run", "0.01"])
    assert run.main() == 1
    assert ", 0 crashes" not in capsys.readouterr().out
    assert "ZeroDivisionError" in (tmp_path / "kept/broken-0.txt").read_text()
