"""README's command for trying it: the whole crossing of the hello example, with no program but Python."""

import json
import re
import shutil
from pathlib import Path

from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.places import ROOT

STEPS = ["1/6 bundle", "2/6 carry", "3/6 target", "4/6 verify", "5/6 install", "6/6 receipt"]


def test_readme_shows_the_rehearsal_of_hello() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    first = next(line for line in lines if line.startswith("$ python3 -m venv "))
    assert first.startswith("$ python3 -m venv .venv && .venv/bin/pip install -q -e . && ")
    assert first.endswith(" && .venv/bin/doit rehearse spec=examples/hello/airgap.yaml")


def test_hello_crosses(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "examples/hello", tmp_path / "hello", ignore=shutil.ignore_patterns("airgap.lock", ".airgap")
    )
    (tmp_path / "no-programs").mkdir()
    env = {"PATH": str(tmp_path / "no-programs"), "KUBEBUILDER_ASSETS": "", "AIRGAP_REHEARSAL_KUBECONFIG": ""}
    bench = Workbench(place=tmp_path / "hello", env=env)
    ran = bench.doit("rehearse")
    assert ran.code == 0, ran.out + ran.err
    crossing = ran.out.partition("\n\nrehearsal of hello 1.0.0: passed")[0].splitlines()
    marks = [found[1] if (found := re.match(r"\[(\d/\d \w+)\] ", line)) else line for line in crossing]
    assert list(dict.fromkeys(marks)) == STEPS
    found = json.loads((bench.place / ".airgap/rehearsal.json").read_text())
    assert found["failures"] == []
    assert "1 image inside with the digest of the bundle, as receipt and registry say" in found["proven"]
    assert any("helm is not here" in each for each in found["not_proven"])
