"""Discovery and proof of a large spec: `python -m benchmarks.proving HELM`. See README.md beside it.

It makes 40 releases of own charts that use 150 images, then times `doit images`, the `prove` steps and a run with
nothing to do. Pins and blobs are there before: what is measured is rendering and judging.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fixtures.benches.workbench import Workbench, write_layout
from tests.fixtures.images.images import image, layer

RELEASES, IMAGES = 40, 150
TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: part-{number}}}
spec:
  template:
    spec:
      containers:
        - name: main
          image: "{{{{ .Values.images.{key}.repository }}}}:{{{{ .Values.images.{key}.tag }}}}"
          env: [{{name: MODE, value: "{{{{ .Values.mode }}}}"}}]
---
apiVersion: v1
kind: Service
metadata: {{name: part-{number}}}
spec: {{ports: [{{port: 80}}]}}
"""


def make(place: Path, helm: Path) -> Workbench:
    """The project: images of a few bytes, spread over the releases."""
    names = [f"image{number}" for number in range(IMAGES)]
    for name in names:
        write_layout(place / "images" / name, image(layer(name, 64)), f"example.com/{name}:1.0")
    releases = []
    for number in range(RELEASES):
        own = names[number::RELEASES]
        chart = place / "charts" / f"chart{number}"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: chart{number}\nversion: 1.0.0\n")
        plain = {"mode": "plain", "images": {key: {"repository": f"example.com/{key}", "tag": "1.0"} for key in own}}
        (chart / "values.yaml").write_text(json.dumps(plain))
        for part, key in enumerate(own):
            (chart / "templates" / f"{key}.yaml").write_text(TEMPLATE.format(number=part, key=key))
        inside = {key: {"repository": f"${{image.{key}.repository}}", "tag": f"${{image.{key}.tag}}"} for key in own}
        (place / f"values{number}.yaml").write_text(json.dumps({"mode": "${site.mode}", "images": inside}))
        releases.append(
            {"name": f"r{number}", "chart": f"chart{number}", "namespace": "n", "values": [f"values{number}.yaml"]}
        )
    (place / "bin").mkdir()
    (place / "bin" / "helm").symlink_to(helm)
    bench = Workbench(place=place, env={"PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"})
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.example.com/team"},
            "images": [{"name": name, "source": f"oci:images/{name}", "target": f"{name}:1.0"} for name in names],
            "charts": [{"name": f"chart{number}", "source": f"charts/chart{number}"} for number in range(RELEASES)],
            "install": {"releases": releases},
        }
    )
    return bench


def timed(bench: Workbench, *words: str) -> float:
    """The seconds that a command takes; a CalledProcessError when it fails."""
    began = time.perf_counter()
    ran = bench.doit(*words)
    if ran.code != 0:
        raise subprocess.CalledProcessError(ran.code, words, ran.out, ran.err)
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the seconds of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("helm", type=Path, help="the helm to render with")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="airgap-bench-") as name:
        bench = make(Path(name) / "project", options.helm.resolve())
        whole = timed(bench, "bundle")
        seconds = {"bundle from nothing, proof included": whole, "doit images": timed(bench, "images", "--json")}
        bench.doit("forget", "prove")
        seconds["proof of all releases anew"] = timed(bench, "prove")
        seconds["nothing to do"] = timed(bench, "bundle")
    print(f"{RELEASES} releases, {IMAGES} images, {os.cpu_count()} cores, {options.helm.name}")
    for what, took in seconds.items():
        print(f"  {what:<38} {took:6.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
