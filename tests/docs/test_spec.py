"""What docs/spec.md shows can be loaded."""

import re
from pathlib import Path
from typing import Any

import yaml

from schema.loading.load import load
from schema.site.stand_ins.rehearsal import AUTHORITY
from tests.fixtures.places import ROOT

DOCS = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.S) if not block.startswith("#")]
ELIDED = {"4c0f...": "4c0f" * 16, '"9f..."': f'"{"9f" * 32}"', "https://get.helm.sh/...": "https://get.helm.sh/helm"}
FILES = (
    "certs/internal-ca.crt certs/me.crt certs/me.key build/layout/index.json saved.tar charts/own/Chart.yaml "
    "keys/vendor-cosign.pub keys/vendor-charts.gpg docs/runbook.md rancher-images.txt "
    "values/zenml-pro.yaml values/extra.yaml check_site.py"
)


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Put one part of a spec into another: lists grow, mappings merge, other values are replaced."""
    for key, value in more.items():
        if isinstance(value, list):
            into.setdefault(key, []).extend(value)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def test_the_smallest_spec_loads(tmp_path: Path) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_text(BLOCKS[0])
    assert load(path, env={}).bundle.directory_name == "hello-1.0.0"


def test_all_examples_together_are_one_valid_spec(tmp_path: Path) -> None:
    whole: dict[str, Any] = {}
    for block in BLOCKS:
        for short, full in ELIDED.items():
            block = block.replace(short, full)  # noqa: PLW2901
        part = yaml.safe_load(block)
        merge(whole, {"install": part} if block.startswith("  ") else part)
    for name in FILES.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(AUTHORITY if name.endswith(".crt") else "")
    path = tmp_path / "airgap.yaml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    spec = load(path, env={"MIRROR": "mirror.example"})
    assert len(spec.images) == 11
    assert len(spec.install.checks) == 8
    shown = re.findall(r"name: (\w+), .*# inside: <prefix>/(\S+)", DOCS)
    inside = {image.name: str(image.target).removeprefix(f"{spec.registry.prefix}/") for image in spec.images}
    assert len(shown) == 5
    assert {name: inside[name] for name, _ in shown} == {
        name: target.replace("........", "4c0f4c0f") for name, target in shown
    }
