"""What is said of a word that names nothing here."""

import pytest

from tasks.cli.suggest import unknown
from tasks.runtime.variables import Side


@pytest.mark.parametrize(
    ("word", "side", "said"),
    [
        pytest.param("bundel", "connected", "'bundel'; did you mean 'bundle'?", id="a task"),
        pytest.param("rehears", "connected", "did you mean 'rehearse'?", id="a command"),
        pytest.param("push:apl", "connected", "no step 'push:apl'; did you mean 'push:api'?", id="a step"),
        pytest.param("xyzzy", "connected", "'xyzzy'\n  next: airgap help shows the commands", id="nothing near"),
        pytest.param("pin:qqqqqqqqqqqqqq", "connected", "next: airgap list --all shows the steps", id="no step"),
        pytest.param("lock", "air-gapped", "is for the connected side: update the pins", id="other side's command"),
        pytest.param("bundle", "air-gapped", "next: type it there: airgap bundle", id="other side's task"),
        pytest.param("pull:api", "air-gapped", "next: type it there: airgap pull:api", id="other side's step"),
        pytest.param("secret", "connected", "next: airgap secret bundle=PATH", id="without a bundle"),
        pytest.param("instal", "air-gapped", "did you mean 'install'?", id="near on this side"),
    ],
)
def test_unknown(word: str, side: Side, said: str) -> None:
    assert said in unknown(word, ["push:api", "pin:api"], side=side, program="airgap")


def test_the_other_sides_names_are_not_offered() -> None:
    assert "lock" not in unknown("lokc", [], side="air-gapped", program="airgap")
