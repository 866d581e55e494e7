"""The proof by the official helms: a whole bundle passes, each way to break it is told so that one can mend it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.proving import Proven, proven
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError

pytestmark = pytest.mark.cluster

HOOK = """\
apiVersion: v1
kind: Pod
metadata: {name: connect, annotations: {"helm.sh/hook": test}}
spec: {containers: [{name: wget, image: busybox}]}
"""


@pytest.fixture(params=["helm3", "helm4"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Proven:
    return proven(tmp_path, request.param)


def test_a_whole_bundle_is_proven_and_says_so(bundle: Proven) -> None:
    ran = bundle.bench.doit("bundle")
    assert (ran.code, ran.err) == (0, "")
    assert "prove:app                    2 images, all in the bundle or ignored" in ran.out
    assert bundle.proof == [{"release": "app", "proven": True, "reason": ""}]
    assert "app: proven" in (bundle.bench.bundle / "manifest.txt").read_text()


def test_only_what_it_depends_on_proves_it_again(bundle: Proven) -> None:
    bench = bundle.bench
    assert bench.doit("bundle").code == 0
    assert bench.doit("bundle").steps == []
    (bench.place / "note.txt").write_text("other\n")
    bench.doit("lock")
    assert "prove:app" not in bench.doit("bundle").steps
    bundle.replace("values/app.yaml", "${site.host}", "${site.name}")
    assert "prove:app" in bench.doit("bundle").steps
    bundle.replace("chart/values.yaml", "host: ''", "host: x")
    bench.doit("lock")
    assert "prove:app" in bench.doit("bundle").steps
    bundle.release["ignore_images"] = {"busybox": "test hook"}
    bench.write()
    assert "prove:app" in bench.doit("bundle").steps


def _image_gone(made: Proven) -> None:
    spec: Any = made.bench.spec
    del spec["images"][1]
    made.replace("values/app.yaml", "${image.two.ref}", "registry.example.com/team/two:1.0")


def _other_chart(made: Proven) -> None:
    made.replace("chart/templates/web.yaml", ".Values.image.tag }}", '.Values.image.tag | replace "1.0" "2.0" }}')


BROKEN: dict[str, tuple[Callable[[Proven], None], list[str]]] = {
    "an image is left out": (
        _image_gone,
        [
            "registry.example.com/team/two:1.0\n",
            "used by Deployment/web, spec.template.spec.containers[1].image",
            "no image has this name inside: add the one that is meant, with target: 'two:1.0'",
        ],
    ),
    "a tag that is not carried": (
        lambda made: made.replace("values/app.yaml", "${image.one.tag}", "1.1"),
        [
            "registry.example.com/team/one:1.1\n",
            "the bundle brings registry.example.com/team/one:1.0: bring the tag that is asked for",
            "${image.one.tag}",
        ],
    ),
    "a value that points outside": (
        lambda made: made.replace("values/app.yaml", "${image.two.ref}", "quay.io/other/thing:3"),
        ["quay.io/other/thing:3\n", "add {name: thing, source: 'quay.io/other/thing:3'}", "doit images --add"],
    ),
    "a chart that asks for another version": (_other_chart, ["registry.example.com/team/one:2.0\n"]),
    "an untagged image of a test hook": (
        lambda made: made.file("chart/templates/tests/connect.yaml", HOOK),
        ["busybox\n", "used by Pod/connect, spec.containers[0].image", "give the reason in ignore_images"],
    ),
    "a typo in a key of the values": (
        lambda made: made.replace("values/app.yaml", "sidecar:", "sidecra:"),
        [
            "docker.io/team/two:1.0\n",
            "perhaps because: values/app.yaml:2: the chart has no value 'sidecra'",
            "'sidecar'",
        ],
    ),
    "a digest that is not the carried one": (
        lambda made: made.replace(
            "values/app.yaml", "${image.two.ref}", f"${{image.two.repository}}@sha256:{'0' * 64}"
        ),
        ["the bundle brings registry.example.com/team/two:1.0@sha256:", "${image.two.digest}"],
    ),
    "a registry that only the site knows": (
        lambda made: made.replace("values/app.yaml", "${image.two.ref}", "${site.registry}/two:1.0"),
        ["registry.site.invalid/two:1.0\n", "this place is known inside only"],
    ),
    "no reference at all": (
        lambda made: made.replace("values/app.yaml", "${image.two.ref}", "Two:1.0"),
        ["Two:1.0 (no image reference)\n", "correct the values that it is made of"],
    ),
    "an empty image": (
        lambda made: made.replace("values/app.yaml", "${image.two.ref}", ""),
        ["an empty image (no image reference)\n", "used by Deployment/web, spec.template.spec.containers[1].image"],
    ),
    "a chart that can't be rendered": (
        lambda made: made.file("chart/templates/bad.yaml", 'x: {{ required "port is required" .Values.port }}\n'),
        ["the chart of release 'app'", "port is required", "set the value that the chart asks for"],
    ),
    "a chart for newer clusters": (
        lambda made: made.replace("chart/Chart.yaml", "version: 1.0.0", "version: 1.0.0\nkubeVersion: '>=1.30'"),
        ["requires kubeVersion: >=1.30", "install.kubernetes.min_version"],
    ),
}


@pytest.mark.parametrize("way", BROKEN)
def test_each_way_to_break_it_fails_with_what_to_do(bundle: Proven, way: str) -> None:
    breaking, told = BROKEN[way]
    breaking(bundle)
    bundle.bench.write()
    ran = bundle.bench.doit("bundle")
    assert ran.code == 1
    assert "FAILED prove:app: " in ran.err
    for words in told:
        assert words in ran.err
    assert not (bundle.bench.bundle / "manifest.json").exists()


def test_what_is_ignored_with_a_reason_is_no_obstacle(bundle: Proven) -> None:
    bundle.file("chart/templates/tests/connect.yaml", HOOK)
    bundle.release["ignore_images"] = {"busybox": "test hook, never run inside"}
    bundle.bench.write()
    assert bundle.bench.doit("bundle").code == 0
    listed = bundle.bench.doit("images").out
    assert re.search(
        r"^busybox +certain +app +Pod/connect +spec.containers\[0\].image +ignored: test hook", listed, re.M
    )


def test_the_suspected_warn(bundle: Proven) -> None:
    bundle.replace(
        "chart/templates/web.yaml",
        "{{ .Values.sidecar | quote }}",
        '{{ .Values.sidecar | quote }}, env: [{name: WORKER_IMAGE, value: "quay.io/team/worker:1"}]',
    )
    ran = bundle.bench.doit("bundle")
    assert ran.code == 0
    assert "warning: release 'app': suspected image quay.io/team/worker:1 is not in the bundle" in ran.out
    assert "environment variable WORKER_IMAGE" in ran.out


def test_helm_that_appears_proves_it_later(tmp_path: Path) -> None:
    made = proven(tmp_path, "")
    assert made.bench.doit("bundle").code == 0
    made.bench.env["PATH"] = f"{proven(tmp_path / 'other', 'helm4').bench.env['PATH']}"
    assert made.bench.doit("bundle").code == 0
    assert made.proof == [{"release": "app", "proven": True, "reason": ""}]


def test_a_carried_helm_is_enough(tmp_path: Path) -> None:
    made = proven(tmp_path, "")
    try:
        shutil.copy(asset("helm4"), made.bench.place / "helm")
    except PartError as err:
        pytest.skip(str(err))
    spec: Any = made.bench.spec
    spec["files"].append({"name": "helm", "source": "helm", "tool": True})
    made.bench.write()
    ran = made.bench.doit("bundle")
    assert (ran.code, ran.err) == (0, "")
    assert made.proof == [{"release": "app", "proven": True, "reason": ""}]


def test_missing_images_are_added_to_the_spec_as_it_is_written(bundle: Proven) -> None:
    spec: Any = bundle.bench.spec
    del spec["images"][1]
    bundle.file("values/app.yaml", 'image: {repository: "${image.one.repository}", tag: "1.0"}\n')
    bundle.file("chart/templates/tests/connect.yaml", HOOK)
    lines = json.dumps(spec["images"][0])
    rest = "\n".join(f"{key}: {json.dumps(value)}" for key, value in spec.items() if key != "images")
    written = f"# ours\n{rest}\nimages:   # what goes\n- {lines}   # the first\n\n# the end\n"
    path = bundle.bench.place / "airgap.yaml"
    path.write_text(written)
    ran = bundle.bench.doit("images", "--add")
    assert ran.code == 0
    added = [
        '- {name: two, source: "docker.io/team/two:1.0"}\n',
        '- {name: busybox, source: "docker.io/library/busybox:latest"}\n',
    ]
    assert path.read_text() == written.replace("# the first\n", f"# the first\n{''.join(added)}")
    assert "added to airgap.yaml: {name: busybox" in ran.out
    again = bundle.bench.doit("images", "--add")
    assert "added" not in again.out
    assert "0 missing" in again.out
