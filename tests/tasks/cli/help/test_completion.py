"""What the shells complete, by running them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.cli.help.completion import SHELLS, operands, starts
from tasks.runtime.variables import VARIABLES
from tests.fixtures.benches.workbench import Workbench

BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
_airgap_words
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { : }
source $1
compadd() { local each; for each in ${@[$@[(i)--]+1,-1]}; [[ $each == ${PREFIX}* ]] && print -r -- $each; return 0 }
compset() { PREFIX=${PREFIX#*=} }
_files() { print -rl -- ${PREFIX}*(N) }
words=(${=2}); [[ $2 == *' ' ]] && words+=('')
CURRENT=${#words}; PREFIX=${words[-1]}
_airgap_words
true
"""
FISH = "source $argv[1]; complete -C $argv[2]"


def completed(shell: str, script: Path, line: str) -> set[str]:
    """What a shell offers at the end of a line; of `name=value`, what comes after the `=`."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not here")
    argv = {
        "bash": ["bash", "--norc", "-c", BASH, "bash", script, line],
        "zsh": ["zsh", "-f", "-c", ZSH, "zsh", script, line],
        "fish": ["fish", "--no-config", "-c", FISH, script, line],
    }[shell]
    done = subprocess.run(argv, cwd=script.parent, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    words = {each.partition("\t")[0] for each in done.stdout.splitlines() if each}
    last = line.rpartition(" ")[2]
    return {each.partition("=")[2].rstrip("/") for each in words} if shell == "fish" and "=" in last else words


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the script of each shell, and files to complete."""
    place = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        ran = Workbench(place=place).doit("completion", shell)
        assert (ran.code, ran.err) == (0, "")
        (place / shell).write_text(ran.out)
    (place / "site.yaml").touch()
    (place / "sites").mkdir()
    return place


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("doit bun", {"bundle", "bundle="}, id="a task"),
        pytest.param("doit reh", {"rehearse", "rehearsal="}, id="a command"),
        pytest.param("doit spec=x pub", {"publish"}, id="after a variable"),
        pytest.param("doit plan inst", {"install"}, id="a task of a command"),
        pytest.param("doit lock s", {"spec=", "state="}, id="the variables of a command"),
        pytest.param("doit bundle engine=", {"docker", "none"}, id="the values of a variable"),
        pytest.param("doit bundle engine=d", {"docker"}, id="a value"),
        pytest.param("doit install site=si", {"site.yaml", "sites"}, id="the paths of a path variable"),
        pytest.param("doit bundle jobs=", set(), id="nothing for a number"),
        pytest.param("doit completion z", {"zsh"}, id="a shell"),
        pytest.param("doit help back", {"backup"}, id="help"),
        pytest.param("doit xyz", set(), id="nothing such"),
    ],
)
def test_offered(scripts: Path, shell: str, line: str, offered: set[str]) -> None:
    assert completed(shell, scripts / shell, line) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_everything_is_offered_at_the_beginning(scripts: Path, shell: str) -> None:
    assert completed(shell, scripts / shell, "doit ") == {*starts("connected"), *(f"{each}=" for each in VARIABLES)}


def test_the_air_gapped_side_offers_its_own() -> None:
    assert "lock" not in starts("air-gapped")
    assert "bundle" not in starts("air-gapped")
    assert "pull" not in operands("plan", "air-gapped")
    assert "push" in operands("plan", "air-gapped")


@pytest.mark.parametrize("words", [[], ["csh"], ["bash", "zsh"]], ids=["none", "unknown", "two"])
def test_it_needs_one_shell_that_it_knows(tmp_path: Path, words: list[str]) -> None:
    ran = Workbench(place=tmp_path).doit("completion", *words)
    assert (ran.code, ran.out) == (3, "")
    assert "doit completion bash|zsh|fish" in ran.err


def test_every_schema_can_be_completed() -> None:
    outputs = ["plan", "status", "history", "images", "outdated", "scan"]
    assert list(operands("schema", "connected")) == ["airgap", "manifest", "report", *outputs, "site"]
