"""`preflight`: made before a change, and whenever it is asked for by its name."""

from pathlib import Path

import pytest

from bundle.errors import ProblemsError
from tasks.install.preflight import CHANGING, preflight_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.benches.workbench import Workbench, bundled


def test_it_is_left_out_where_nothing_would_change(receiver: Receiver) -> None:
    (step,) = preflight_steps(receiver)
    assert step.unless is not None
    assert step.inputs() is None, "what it looked at is never taken for looked at"
    assert {"push", "helm", "secret"} <= set(CHANGING)


@pytest.mark.parametrize(("words", "claims"), [((), True), (("preflight",), False)], ids=["install", "preflight"])
def test_it_waits_for_others_before_a_change_and_not_when_it_is_asked_for(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], claims: bool
) -> None:
    receiver = receiving(bundled(bench).bundle, tmp_path / "state", words=words, registry="127.0.0.1:1/team")
    claimed: list[str] = []
    monkeypatch.setattr(receiver, "claim", lambda: claimed.append("claimed"))
    (step,) = preflight_steps(receiver)
    assert (step.unless is None) is not claims
    with pytest.raises(ProblemsError, match="the site is not ready") as caught:
        step.action()
    assert any("127.0.0.1:1" in problem for problem in caught.value.problems), caught.value.problems
    assert bool(claimed) is claims
