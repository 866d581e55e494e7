"""`init`: projects of one's own, in which `airgap` and `doit` are the same."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schema.loading.load import load
from tests.fixtures.images.hand_made import by_hand
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError
from tests.fixtures.places import CHARTS, ROOT
from tests.fixtures.servers.website import Page, website

AIRGAP = ("-m", "airgap")
DOIT = ("-c", "from doit.__main__ import main; main()")
DRAFTS = ROOT / "tests" / "fixtures" / "drafts"


def run(place: Path, *words: str, program: tuple[str, ...] = AIRGAP, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the program in a directory, without a helm unless `env` has one."""
    own = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **env}
    argv = [sys.executable, "-P", *program, *words]
    kept = {key: value for key, value in os.environ.items() if key not in ("PATH", "SOURCE_DATE_EPOCH")}
    done = subprocess.run(
        argv, cwd=place, env={**kept, **own}, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def good(place: Path, *words: str, program: tuple[str, ...] = AIRGAP, **env: str) -> str:
    done = run(place, *words, program=program, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def test_an_empty_project(tmp_path: Path) -> None:
    out = good(tmp_path, "init", "shop")
    assert out.endswith("next: edit shop/airgap.yaml, then cd shop && airgap bundle\n")
    assert files(tmp_path / "shop") == {
        ".airgap/airgap.schema.json", ".gitignore", "README.md", "airgap.yaml", "dodo.py", "doit.cfg",
        "receipts/.gitkeep", "sites/example.yaml", "values/.gitkeep",
    }  # fmt: skip
    first = (tmp_path / "shop" / "airgap.yaml").read_text().splitlines()[0]
    schema = tmp_path / "shop" / first.partition("$schema=")[2]
    assert json.loads(schema.read_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "nothing to do" in good(tmp_path / "shop", "bundle") + good(tmp_path / "shop", "bundle")


def test_airgap_and_doit_are_the_same_in_it(tmp_path: Path) -> None:
    good(tmp_path, "init", "--from", "hello", "demo")
    place = tmp_path / "demo"
    assert "bundle hello 1.0.0: 1 image, 1 chart, 1 file" in good(place, "bundle")
    assert "nothing to do" in good(place, "bundle", program=DOIT)
    for words in (["list", "--all", "--status"], ["plan", "bundle"], ["info", "pin:hello"], ["verify"]):
        by_doit = good(place, *words, program=DOIT)
        assert by_doit == good(place, *words)
    assert {"dist", ".airgap", "airgap.lock"} <= {path.name for path in place.iterdir()}
    assert not (ROOT / "dist" / "hello-1.0.0" / "demo").exists()


def test_doit_in_it_without_a_spec_says_what_to_do(tmp_path: Path) -> None:
    for program in (AIRGAP, DOIT):
        good(tmp_path, "init")
        (tmp_path / "airgap.yaml").unlink()
        done = run(tmp_path, "bundle", program=program)
        assert done.returncode == 3
        assert "there is no spec" in done.stderr
        assert f"next: start one: {'airgap' if program == AIRGAP else 'doit'} init" in done.stderr


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    good(tmp_path, "init")
    (tmp_path / "airgap.yaml").write_text("version: 1 # mine\n")
    out = good(tmp_path, "init")
    assert "kept   airgap.yaml" in out
    assert "wrote" not in out
    assert (tmp_path / "airgap.yaml").read_text() == "version: 1 # mine\n"
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    done = run(tmp_path, "init", "--from", "hello")
    assert done.returncode == 1
    assert "airgap.yaml is there already\n  next: name another directory" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a", "b"], 3, "init takes one directory, not 2"),
        (["--from", "nowhere.txt"], 1, "FAILED init: --from nowhere.txt: there is no such file"),
        (["--nope"], 3, "airgap help init"),
        (["--from"], 3, "init"),
    ],
)
def test_wrong_words(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = run(tmp_path, "init", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["lists/longhorn.txt", "compose/variables.yml", "hauler/signed.yaml"])
def test_from_files_that_need_no_network(tmp_path: Path, kind: str) -> None:
    out = good(tmp_path, "init", "p", f"--from={DRAFTS / kind}")
    assert " images, 0 charts, 0 files in airgap.yaml" in out
    listed = good(tmp_path / "p", "plan", "bundle")
    assert "pin (" in listed
    if "hauler" in kind:
        assert "  signature of rancher/rancher:v2.8.5: write verify: {cosign_key: carbide-key.pub} at the image" in out
        assert "# - signature of rancher/rancher:v2.8.5: " in (tmp_path / "p" / "airgap.yaml").read_text()


def test_a_remote_file_without_a_checksum_is_fetched_once_and_summed(tmp_path: Path) -> None:
    with website() as site:
        site.pages["/install.sh"] = Page(body=b"#!/bin/sh\n")
        manifest = {
            "apiVersion": "content.hauler.cattle.io/v1",
            "kind": "Files",
            "spec": {"files": [{"path": f"{site.url}/install.sh"}]},
        }
        (tmp_path / "hauler.yaml").write_text(json.dumps(manifest))
        out = good(tmp_path, "init", "p", "--from", "hauler.yaml")
        assert [request.split()[:2] for request in site.asked].count(["GET", "/install.sh"]) == 1
        digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
        assert f"sha256 {digest}; compare it with what its makers publish" in out
        spec = load(tmp_path / "p" / "airgap.yaml", env={})
        assert [str(each.sha256) for each in spec.files] == [f"sha256:{digest}"]
        assert "file:install.sh" in good(tmp_path / "p", "bundle")


def test_from_a_bundle_made_by_hand(tmp_path: Path) -> None:
    hand = by_hand(tmp_path / "hand", {"api": "reg.corp/shop/api:2.1.0"}, {"shop": "2.1.0"})
    (hand / "notes.md").write_text("read me\n")
    out = good(tmp_path, "init", "p", "--from", "hand")
    assert "1 image, 1 chart, 1 file in airgap.yaml" in out
    assert "prefix: reg.corp/shop" in (tmp_path / "p" / "airgap.yaml").read_text()
    assert "bundle shop 2.1.0: 1 image, 1 chart, 1 file" in good(tmp_path / "p", "bundle")


def test_from_a_chart_without_helm(tmp_path: Path) -> None:
    out = good(tmp_path, "init", "p", "--from", str(CHARTS / "web"))
    assert "the charts' images were not looked for: helm is not on PATH" in out
    assert "airgap images --add" in out
    assert "1 chart, " in out


def test_from_a_chart_with_helm(tmp_path: Path) -> None:
    """The images of the chart are in the spec, and the values make the chart use them by their internal names."""
    try:
        program = asset("helm3")
    except PartError as err:
        pytest.skip(str(err))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "helm").symlink_to(program)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.2.3\n")
    (chart / "values.yaml").write_text(
        "image: {registry: ghcr.io, repository: x/web, tag: '1.0'}\nside: {image: 'redis:7'}\n"
    )
    (chart / "templates" / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n"
        "    - name: web\n"
        "      image: '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}'\n"
        "    - name: side\n      image: '{{ .Values.side.image }}'\n"
    )
    out = good(tmp_path, "init", "p", "--from", "chart", PATH=path)
    assert "image  ghcr.io/x/web:1.0" in out
    assert "image  docker.io/library/redis:7" in out
    assert "2 images, 1 chart, 0 files" in out
    values = (tmp_path / "p" / "values" / "app.yaml").read_text()
    assert 'registry: "${image.web.registry}"\n  repository: "${image.web.path}"\n  tag: "${image.web.tag}"' in values
    assert 'image: "${image.redis.ref}"' in values
    listed = json.loads(good(tmp_path / "p", "images", "--json", PATH=path))["images"]
    assert {each["image"]: each["standing"] for each in listed} == {
        "registry.internal.example.com/app/web:1.0": "carried",
        "registry.internal.example.com/app/redis:7": "carried",
    }
