"""Commands in messages are those that can be typed where the reader is."""

import pytest

from tasks.cli.commands import COMMANDS
from tasks.runtime.calling import OUTSIDE, SIDE, as_called, called
from tasks.runtime.groups import GROUPS


@pytest.mark.parametrize(
    ("argv0", "typed"),
    [
        ("/usr/bin/doit", "doit"),
        ("/venv/lib/doit/__main__.py", "doit"),
        ("/home/me/.local/bin/airgap", "airgap"),
        ("/venv/lib/airgap/__main__.py", "airgap"),
        ("airgap.exe", "airgap"),
        ("./airgap.pyz", "python3 ./airgap.pyz"),
        ("/media/my disk/airgap.pyz", "python3 '/media/my disk/airgap.pyz'"),
    ],
)
def test_called(argv0: str, typed: str) -> None:
    assert called(argv0) == typed


@pytest.mark.parametrize(
    ("program", "text", "shown"),
    [
        ("doit", "next: doit verify", "next: doit verify"),
        ("airgap", "next: doit verify, then doit pin:x", "next: airgap verify, then airgap pin:x"),
        ("python3 x.pyz", "`doit diagnose` shows", "`python3 x.pyz diagnose` shows"),
        (
            "python3 x.pyz",
            "outside: doit bundle; here: doit verify",
            "outside: doit bundle; here: python3 x.pyz verify",
        ),
        ("airgap", "doit bundle", "airgap bundle"),
        (
            "airgap",
            "cd /src/doit && /usr/bin/doit list, a doit of 1",
            "cd /src/doit && /usr/bin/doit list, a doit of 1",
        ),
    ],
)
def test_as_called(program: str, text: str, shown: str) -> None:
    assert as_called(text, program) == shown


def test_what_the_air_gapped_side_has_not_is_the_table_s() -> None:
    table = {each.name for each in COMMANDS.values() if "air-gapped" not in each.sides}
    assert table | {name for name, each in GROUPS.items() if "air-gapped" not in each.sides} == OUTSIDE


def test_a_checkout_is_on_the_connected_side() -> None:
    assert SIDE == "connected"
