"""The command line's variables."""

from pathlib import Path

import pytest

from tasks.options import OptionError, Options

CWD = Path("/work/here")


def parse(**given: str) -> Options:
    return Options.parse(given, cwd=CWD, default_jobs=4)


def test_defaults() -> None:
    options = parse()
    assert options.spec == CWD / "airgap.yaml"
    assert options.out == CWD / "dist"
    assert options.state == CWD / ".airgap"
    assert options.bundle is None
    assert options.jobs == 4


def test_state_lies_beside_the_spec() -> None:
    assert parse(spec="app/airgap.yaml").state == CWD / "app" / ".airgap"
    assert parse(spec="app/airgap.yaml", state="/var/cache/x").state == Path("/var/cache/x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sepc": "x"}, "did you mean spec="),
        ({"verbose": "1"}, "known are: "),
        ({"jobs": "0"}, "from 1 to 64"),
        ({"jobs": "many"}, "from 1 to 64"),
        ({"jobs": "65"}, "from 1 to 64"),
    ],
)
def test_refusals(given: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse(**given)
