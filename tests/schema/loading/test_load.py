"""Valid specs: what loading makes of them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings, LocalChart, LocalImage, OciChart, RegistryImage, RepositoryChart
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from schema.loading import _validation as validation
from schema.loading.load import load
from schema.spec.spec import BundleSpec, SignSpec, Spec
from schema.syntax.document import Node
from tests.fixtures.made.full_spec import HEAD, HEX, make, spec
from tests.fixtures.places import ROOT


def test_what_is_carried(full: Spec) -> None:
    base = full.path.parent
    assert full.bundle == BundleSpec(
        name="demo",
        version="1.2.3",
        layout="docker-archive",
        platform=None,
        archive=True,
        directory=True,
        split=4 * 2**30,
        require_proof=True,
        sign=SignSpec(key=base / "keys/release", key_text="keys/release"),
        sbom=False,
        report=True,
    )
    assert full.bundle.directory_name == "demo-1.2.3"
    assert (full.registry.prefix, full.registry.push, full.registry.charts) == (
        "inside.example/demo",
        "10.0.0.5:5000/demo",
        "charts",
    )
    assert full.hosts == {
        "inside.example": HostSettings(
            ca=base / "certs/ca.pem", client_cert=base / "certs/me.pem", client_key=base / "certs/me.key"
        ),
        "127.0.0.1:5000": HostSettings(plain_http=True),
        "docker.io": HostSettings(mirror="mirror.example/hub"),
    }
    assert [(image.name, image.source_text, str(image.target), image.platform) for image in full.images] == [
        ("web", "nginx:1.2.3", "inside.example/demo/nginx:1.2.3", None),
        (
            "one",
            f"docker.io/library/redis@sha256:{HEX}",
            f"inside.example/demo/cache:digest-{HEX[:12]}",
            Platform.parse("linux/arm/v7"),
        ),
    ]
    assert full.images[0].source == RegistryImage(reference=Reference.parse("nginx:1.2.3"))
    assert [(chart.name, chart.source, chart.version, chart.images) for chart in full.charts] == [
        ("web", OciChart(reference=Reference.parse("h.x/charts/web")), "1.2.3", ("web",)),
        ("old", RepositoryChart(url="https://charts.example"), "v2.0.0-rc.1+build", ()),
        ("own", LocalChart(path=base / "./chart"), "", ()),
    ]
    assert [(file.name, file.source, file.sha256, file.tool) for file in full.files] == [
        ("helm", "https://get.example/helm", Digest.parse(f"sha256:{HEX}"), True),
        ("notes.md", base / "notes.md", None, False),
    ]


def test_no_value_of_the_environment_gets_into_the_install_part(full: Spec) -> None:
    assert "hunter2" not in repr(full.to_dict())


HELLO_DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("nginx", "", "nginx:latest"),
        ("quay.io/a/b/web:1.2", "", "web:1.2"),
        (f"web@{HELLO_DIGEST}", "", "web:digest-0123456789ab"),
        (f"web:3@{HELLO_DIGEST}", "", "web:3"),
        ("host:5000/web", "", "web:latest"),
        ("web:1", "deep/er:2", "deep/er:2"),
        ("web:1", "renamed", "renamed:1"),
        ("oci:layout:1.5", "", "local:1.5"),
        ("oci:layout:example.com/a/b:7", "", "local:7"),
        ("oci:layout", "", "local:latest"),
        ("docker-archive:web.tar:nginx:1.27", "", "local:1.27"),
        ("docker-archive:web.tar", "web:1", "web:1"),
        ("oci-archive:web.tar:not/a tag", "", "local:latest"),
    ],
)
def test_the_name_inside(tmp_path: Path, source: str, target: str, expected: str) -> None:
    make(tmp_path, "layout/index.json", "web.tar")
    more = f", target: '{target}'" if target else ""
    (image,) = spec(tmp_path, f"images: [{{name: Local, source: '{source}'{more}}}]\n").images
    assert str(image.target) == f"reg.internal/demo/{expected}"
    assert image.platform == Platform.parse("linux/amd64")


def test_local_images_are_relative_to_the_spec(tmp_path: Path) -> None:
    make(tmp_path, "layout/index.json")
    (image,) = spec(tmp_path, "images: [{name: a, source: 'oci:layout:1'}]\n").images
    assert image.source == LocalImage(transport="oci", path=tmp_path / "layout", ref="1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "charts: [{name: c, source: 'oci://h.x/c', version: 1.2.3+b, images: [a]}]\n"
            "images: [{name: a, source: 'x:1.2.3_b'}]\n",
            id="a tag writes + as _",
        ),
        pytest.param(
            "charts: [{name: c, source: 'oci://h.x/c', version: 1.2.3, images: [a]}]\n"
            f"images: [{{name: a, source: 'x@{HELLO_DIGEST}', target: 'x:1.2.3'}}]\n",
            id="a tag that only the target has",
        ),
        pytest.param("registries: {h: &h {plain_http: true}, i: *h, j: {<<: *h}}\n", id="aliases and merge keys"),
        pytest.param("vars: {flag: true}\nregistries: {h: {plain_http: '${vars.flag}'}}\n", id="types of variables"),
        pytest.param("registries: {h: {plain_http: on}}\n", id="on where a boolean belongs"),
        pytest.param(
            "install: {actions: [{name: a, run: [x, --password-file, f, --token=]}]}\n",
            id="options without a secret",
        ),
    ],
)
def test_accepted(tmp_path: Path, text: str) -> None:
    assert spec(tmp_path, text)


def test_a_merged_key_is_overridden_by_an_own_one(tmp_path: Path) -> None:
    hosts = spec(tmp_path, "registries: {h: &h {plain_http: true, mirror: m.x}, i: {mirror: n.x, <<: *h}}\n").hosts
    assert hosts["i"] == HostSettings(plain_http=True, mirror="n.x")


def test_the_first_of_several_merged_mappings_wins(tmp_path: Path) -> None:
    text = "registries: {h: &h {mirror: h.x}, i: &i {mirror: i.x, plain_http: true}, j: {<<: [*h, *i]}}\n"
    assert spec(tmp_path, text).hosts["j"] == HostSettings(mirror="h.x", plain_http=True)


def test_the_environment_is_the_process_s_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "AIRGAP_TEST_TAG", "9")
    path = tmp_path / "airgap.yaml"
    path.write_text(HEAD + "images: [{name: a, source: 'x:${env.AIRGAP_TEST_TAG}'}]\n")
    assert load(path).images[0].source_text == "x:9"


class TestFingerprints:
    """A document that was found valid is not validated again, and only such a one."""

    def test_a_known_document_is_not_validated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "airgap.yaml"
        path.write_text(HEAD)
        valid: set[str] = set()
        first = load(path, env={}, valid=valid)
        assert len(valid) == 1

        def refuse(*_: Node) -> None:
            pytest.fail("validated again")

        monkeypatch.setattr("schema.loading.load.validate", refuse)
        assert load(path, env={}, valid=valid) == first

    def test_a_changed_document_is(self, tmp_path: Path) -> None:
        path = tmp_path / "airgap.yaml"
        path.write_text(HEAD + "images: [{name: a, source: 'x:${env.V}'}]\n")
        valid: set[str] = set()
        load(path, env={"V": "1"}, valid=valid)
        load(path, env={"V": "2"}, valid=valid)
        assert len(valid) == 2

    def test_another_schema_gives_another_verdict(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "airgap.yaml"
        path.write_text(HEAD)
        valid: set[str] = set()
        load(path, env={}, valid=valid)
        other = tmp_path / "schema.json"
        other.write_text(validation.SCHEMA_FILE.read_text() + "\n")
        monkeypatch.setattr(validation, "SCHEMA_FILE", other)
        load(path, env={}, valid=valid)
        assert len(valid) == 2

    def test_a_faulty_one_is_not_remembered(self, tmp_path: Path) -> None:
        path = tmp_path / "airgap.yaml"
        path.write_text(HEAD + "imges: []\n")
        valid: set[str] = set()
        for _ in range(2):
            with pytest.raises(Exception, match="imges"):
                load(path, env={}, valid=valid)
        assert valid == set()

    def test_jsonschema_is_not_even_imported(self, tmp_path: Path) -> None:
        path = tmp_path / "airgap.yaml"
        path.write_text(HEAD)
        valid: set[str] = set()
        load(path, env={}, valid=valid)
        code = (
            "import sys; from pathlib import Path; from schema.loading.load import load;"
            f"load(Path({str(path)!r}), env={{}}, valid={valid!r}); print('jsonschema' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"


def test_the_flagship_example_loads() -> None:
    flagship = load(ROOT / "airgap.yaml", env={})
    assert flagship.path.read_text().startswith("# yaml-language-server: $schema=schema/airgap.schema.json\n")
    assert (len(flagship.images), len(flagship.derived), len(flagship.charts), len(flagship.install.releases)) == (
        5,
        2,
        6,
        8,
    )
    assert flagship.bundle.directory_name == "zenml-pro-0.13.0-0.93.0"


def test_fingerprints_hold_no_text_of_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_text(HEAD)
    valid: set[str] = set()
    load(path, env={}, valid=valid)
    assert [len(bytes.fromhex(mark)) for mark in valid] == [hashlib.sha256().digest_size]
