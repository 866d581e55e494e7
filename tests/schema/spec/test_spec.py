"""The resolved spec as plain data."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.errors import FormatError
from schema.loading.load import load
from schema.spec.spec import Spec
from tests.fixtures.places import ROOT

TEXT = """
version: 1
engine: docker
bundle: {name: demo, version: "1", split: 1GiB, sign: {key: ../keys/release.pub}}
registry: {prefix: h.x}
registries: {h.x: {ca: ca.pem}, i.x: {plain_http: true}}
images:
  - {name: a, source: "oci:layout:1"}
  - {name: b, source: "docker-archive:../outside.tar", target: "b:2", platform: all}
  - {name: c, source: "nginx@sha256:HEX", platform: linux/arm/v7}
charts: [{name: c, source: chart}, {name: d, source: "oci://h.x/d", version: "1", images: []}]
files: [{name: f, source: "https://h.x/f", sha256: HEX, tool: true}, {name: g, source: ABSOLUTE}]
install:
  kubernetes: {ingress_class: nginx}
  secrets: [{name: s, generate: hex64}, {name: t, type: tls, certificate: "${file.c}", key: "${file.k}"}]
  releases:
    - {name: r, chart: c, namespace: n, values: [v.yaml], health: [{url: "https://h", ca: ca.pem}]}
    - {name: q, chart: c, namespace: n, ignore_images: {x: y}, needs: [r]}
  actions: [{name: x, run: [y, "$${z}"], env: {A: "${env.A}"}, outputs: json, after: [r]}]
  checks: [{tls: h.x, ca: ca.pem, min_days: 3}]
""".replace("HEX", "ab" * 32)


def written(directory: Path) -> Spec:
    """A spec with something of everything, in its own directory."""
    base = directory / "spec"
    for name in ("layout/index.json", "../outside.tar", "chart/Chart.yaml", "ca.pem", "v.yaml", "../absolute"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("")
    (base / "airgap.yaml").write_text(TEXT.replace("ABSOLUTE", str(directory / "absolute")))
    return load(base / "airgap.yaml", env={})


def test_from_dict_is_the_exact_inverse_of_to_dict(tmp_path: Path) -> None:
    spec = written(tmp_path)
    data = json.loads(json.dumps(spec.to_dict()))
    assert data == spec.to_dict()
    assert Spec.from_dict(data, path=spec.path) == spec


def test_it_is_the_same_wherever_the_spec_lies(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = written(tmp_path / "one").to_dict()
    two = written(tmp_path / "another").to_dict()
    assert one["files"].pop()["source"] != two["files"].pop()["source"]  # what was written absolute stays so
    assert one == two
    assert str(tmp_path) not in json.dumps(one)


def test_reading_it_back_needs_neither_yaml_nor_jsonschema(tmp_path: Path) -> None:
    spec = written(tmp_path)
    data = tmp_path / "airgap.json"
    data.write_text(json.dumps(spec.to_dict()))
    code = (
        "import sys, json; sys.modules['yaml'] = sys.modules['jsonschema'] = None; from pathlib import Path;"
        "from schema.spec.spec import Spec;"
        f"path = Path({str(data)!r}); print(Spec.from_dict(json.loads(path.read_text()), path=path).bundle.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "demo\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"version": 2}, "resolved spec has version 2, expected 1", id="version"),
        pytest.param({"version": None}, "resolved spec has version None, expected 1", id="no version"),
        pytest.param({"bundle": {}}, "this is no resolved spec: KeyError at 'name'", id="lacks a key"),
        pytest.param({"images": 3}, "this is no resolved spec: TypeError", id="wrong type"),
    ],
)
def test_what_is_no_resolved_spec(tmp_path: Path, change: dict[str, object], message: str) -> None:
    spec = written(tmp_path)
    with pytest.raises(FormatError) as caught:
        Spec.from_dict({**spec.to_dict(), **change}, path=spec.path)
    assert caught.value.what.startswith(message)
