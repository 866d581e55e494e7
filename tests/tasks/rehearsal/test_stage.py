"""The inner half of a rehearsal, in its own process: what it tells of a program that does not do what it should."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.rehearsal.result import RehearsalResult, Scene
from tasks.rehearsal.stage import RESULT
from tests.fixtures.places import ROOT

STAGE = [sys.executable, "-c", "from tasks.rehearsal.stage import main; raise SystemExit(main())"]
GOOD = "import sys\nprint('install' if 'install' in sys.argv else 'verify', *sorted(sys.argv[1:]))\n"


def played(bundle: Path, place: Path, program: str, **given: Any) -> "subprocess.CompletedProcess[str]":
    """Rehearse the bundle with this program in the place of its own."""
    place.mkdir()
    (place / "program.py").write_text(program)
    defaults: dict[str, Any] = {"site": None, "trust": None, "assets": None, "kubeconfig": None, "use": ()}
    scene = Scene(
        place=place, carried=bundle, program=place / "program.py", directory=place, cache=place / "cache",
        marks=place / "marks", jobs=1, **{**defaults, **given},
    )  # fmt: skip
    env = {**os.environ, "PATH": str(place / "no-programs"), "PW": "hunter2"}
    return subprocess.run(
        STAGE, input=json.dumps(scene.to_dict()), capture_output=True, text=True, check=False, cwd=ROOT, env=env
    )


def rehearsed(bundle: Path, place: Path, program: str) -> tuple[RehearsalResult, str]:
    done = played(bundle, place, program)
    assert done.returncode == 0, done.stderr
    return RehearsalResult.from_dict(json.loads((place / RESULT).read_text())), done.stdout


def test_its_lines_are_shown_under_their_step(carried_bundle: Path, tmp_path: Path) -> None:
    _, out = rehearsed(carried_bundle, tmp_path / "w", GOOD)
    marks = [line.partition("]")[0].partition(" ")[2] for line in out.splitlines() if line.startswith("[")]
    assert list(dict.fromkeys(marks)) == ["target", "verify", "install"]
    (line,) = (line for line in out.splitlines() if line.startswith("[5/6 install]"))
    words = line.split()
    assert "rehearsal=images" in words
    assert any(word.startswith("registry=http://127.0.0.1:") for word in words)
    assert f"site={tmp_path / 'w/site.yaml'}" in words


def test_one_that_installs_nothing_is_found_out(carried_bundle: Path, tmp_path: Path) -> None:
    result, _ = rehearsed(carried_bundle, tmp_path / "w", GOOD)
    assert not result.passed
    assert any("receipt" in each for each in result.failures)
    assert "its own program runs with nothing but Python here, and verifies it too" in result.proven
    assert not any("inside with the digest" in each for each in result.proven)


def test_what_it_says_is_wrong_is_told_with_the_next_step(carried_bundle: Path, tmp_path: Path) -> None:
    program = "print('FAILED verify: it is bad\\n  next: do this\\nand on'); raise SystemExit(1)"
    result, out = rehearsed(carried_bundle, tmp_path / "w", program)
    assert result.failures == ("verify: it is bad\n  next: do this",)
    assert "[5/6 install]" not in out, "what could not be verified is not installed"


def test_one_that_ends_without_a_word(carried_bundle: Path, tmp_path: Path) -> None:
    result, _ = rehearsed(carried_bundle, tmp_path / "w", "import sys; sys.exit('an odd end')")
    assert result.failures == ("verify inside ended with exit code 1: an odd end",)


def test_it_gets_none_of_our_packages_and_the_facts_only(carried_bundle: Path, tmp_path: Path) -> None:
    program = "import os\ntry: import doit\nexcept ImportError: print('alone', sorted(os.environ))\nraise SystemExit(1)"
    _, out = rehearsed(carried_bundle, tmp_path / "w", program)
    (line,) = (line for line in out.splitlines() if "alone" in line)
    assert "'PW'" in line
    assert "'PYTHONPATH'" not in line


def test_what_is_left_out_is_told(carried_bundle: Path, tmp_path: Path) -> None:
    result, _ = rehearsed(carried_bundle, tmp_path / "w", GOOD)
    left_out = "\n".join(result.not_proven)
    assert "that releases come up: no throwaway cluster is here; set KUBEBUILDER_ASSETS" in left_out
    assert "that helm and kubectl are there inside: the bundle does not carry them" in left_out
    assert "actions, which a rehearsal does not run: enroll" in left_out
    assert "real site facts: placeholders stood for ${env.DB}, ${site.host}" in left_out


@pytest.mark.parametrize("what", ["nothing", "something else"])
def test_a_bundle_that_can_not_be_read_ends_it(tmp_path: Path, what: str) -> None:
    if what == "something else":
        (tmp_path / "app").mkdir()
    done = played(tmp_path / "app", tmp_path / "w", GOOD)
    assert done.returncode == 1
    assert str(tmp_path / "app") in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "w" / RESULT).exists()
