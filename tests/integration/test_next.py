"""What a `next:` says is done as it is written, and it works: in a shell, where the reader is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.images.hand_made import by_hand

SITE = {"host": {"type": "string", "example": "web.internal"}}


@pytest.fixture
def shell(tmp_path: Path) -> "Shell":
    return Shell(tmp_path)


class Shell:
    """Types commands where `airgap` is this program."""

    def __init__(self, place: Path) -> None:
        self.cwd = place / "here"
        self.cwd.mkdir()
        (place / "bin").mkdir()
        program = place / "bin" / "airgap"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m airgap "$@"\n')
        program.chmod(0o755)
        self._env = {
            **{key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"},
            "PATH": f"{place / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "XDG_STATE_HOME": str(place / "state"),
        }

    def types(self, line: str, code: int = 0) -> str:
        """What a line says; it must end with this code."""
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.cwd, env=self._env, capture_output=True, text=True, timeout=120, check=False
        )
        text = done.stdout + done.stderr
        assert done.returncode == code, text
        assert "Traceback" not in text
        return text

    def follows(self, text: str, part: str = ".*") -> str:
        """Types the command of the last `next:`; `part` is a pattern for which part of it is one."""
        (line,) = re.findall(rf"next: (?:.*?: )?({part})", text)[-1:]
        return self.types(line)


def test_no_project_then_init_then_bundle(shell: Shell) -> None:
    refused = shell.types("airgap bundle", code=3)
    assert "there is no spec" in refused
    made = shell.follows(refused, r"airgap init(?=;)")
    assert "airgap verify bundle=dist/" in shell.types("airgap bundle")
    assert made.endswith("next: edit airgap.yaml, then airgap bundle\n")


def test_init_names_the_next_command_and_that_the_one_after_it(shell: Shell) -> None:
    made = shell.types("airgap init --from hello 'my demo'")
    built = shell.follows(made)
    assert "bundle hello 1.0.0: 1 image, 1 chart, 1 file" in built
    shell.cwd /= "my demo"
    assert "all checksums match" in shell.follows(built, r"airgap verify .*")


def test_a_directory_with_a_blank_in_its_name(shell: Shell) -> None:
    shell.types("airgap init --from hello .")
    assert "all checksums match" in shell.follows(shell.types("airgap bundle out='my dist'"), r"airgap verify .*")


@pytest.mark.parametrize("word", ["bundel", "verfy", "iamges", "helpp"])
def test_a_mistyped_word(shell: Shell, word: str) -> None:
    assert "usage" in shell.follows(shell.types(f"airgap {word}", code=3))


def test_an_install_without_a_bundle(shell: Shell) -> None:
    assert "next: airgap install bundle=PATH" in shell.types("airgap install", code=3)


def test_a_bundle_made_by_hand(shell: Shell) -> None:
    by_hand(shell.cwd / "hand made", {"api": "reg.corp/shop/api:1"}, {"shop": "1.0.0"})
    refused = shell.types("airgap verify bundle='hand made'", code=1)
    adopted = shell.follows(refused, r"airgap adopt bundle='.*?'")
    shell.follows(adopted, r"airgap bundle(?=,)")


def test_a_command_of_the_other_side(shell: Shell) -> None:
    shell.types("airgap init --from hello .")
    shell.types("airgap bundle")
    refused = shell.types(
        "python3 dist/hello-1.0.0/airgap.pyz plan bundle || python3 dist/hello-1.0.0/airgap.pyz lock", 3
    )
    shell.follows(refused, "airgap lock")


def test_a_missing_site_file(bench: Workbench, shell: Shell) -> None:
    """The template of the bundle is copied, filled in, and passed: then the settings are complete."""
    bench.spec["site"] = SITE
    bench.spec["install"] = {"notes": "open ${site.host}"}
    bench.write()
    bundled(bench)
    shell.cwd = bench.bundle
    words = "preflight registry=http://127.0.0.1:1/x"
    refused = shell.types(f"python3 airgap.pyz {words}", code=1)
    assert "values: no site file was given; host is needed\n" in refused
    assert "next: copy site.example.yaml of the bundle to site.yaml, fill it in, and pass site=site.yaml\n" in refused
    template = (bench.bundle / "site.example.yaml").read_text()
    site = shell.cwd.parent / "site.yaml"
    site.write_text("\n".join(line.removeprefix("# ") if "host:" in line else line for line in template.splitlines()))
    again = shell.types(f"python3 airgap.pyz {words} site=../site.yaml", code=1)
    assert "values: " not in again
    assert "the site is not ready, 1 found:" in again, "the registry, as before"
