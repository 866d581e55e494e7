"""The command line's variables."""

from pathlib import Path

import pytest

from tasks.options import OptionError, Options

CWD = Path("/work/here")


def parse(**given: str) -> Options:
    return Options.parse(given, cwd=CWD, default_jobs=4, user_state=Path("/home/me/.local/state/airgap"))


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


def test_without_a_spec_state_is_the_users(tmp_path: Path) -> None:
    assert parse(bundle="/media/usb/app-1.0").state == Path("/home/me/.local/state/airgap")
    (tmp_path / "airgap.yaml").touch()
    assert parse(bundle="x", spec=str(tmp_path / "airgap.yaml")).state == tmp_path / ".airgap"


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
