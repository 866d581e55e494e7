"""Hauler's manifests."""

from pathlib import Path

import pytest

from schema.drafts.documents import documents
from schema.drafts.draft import Draft
from schema.drafts.hauler import is_hauler, read_hauler
from schema.loading.load import load
from tests.fixtures.places import ROOT

FILES = ROOT / "tests" / "fixtures" / "drafts" / "hauler"


def read(name: str) -> Draft:
    found = documents((FILES / name).read_text(), name)
    assert is_hauler(found)
    return read_hauler(found, "app")


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.stem)
def test_what_needs_no_checksum_and_no_local_file_loads(path: Path, tmp_path: Path) -> None:
    draft = read(path.name)
    draft.files = [file for file in draft.files if not file.unsummed and "://" in file.source]
    draft.charts = [chart for chart in draft.charts if "://" in chart.source]
    draft.releases = [each for each in draft.releases if each.chart in {chart.name for chart in draft.charts}]
    (tmp_path / "airgap.yaml").write_text(draft.text("x.json"))
    load(tmp_path / "airgap.yaml", env={})


def test_there_are_five() -> None:
    assert len(list(FILES.iterdir())) == 5


def test_images_charts_and_files() -> None:
    draft = read("quickstart.yaml")
    assert [image.source for image in draft.images] == [
        "docker.io/library/busybox:latest",
        "docker.io/rancher/cowsay:latest",
    ]
    assert [(chart.name, chart.version) for chart in draft.charts] == [("rancher", "2.8.5")]
    assert [release.name for release in draft.releases] == ["rancher"]
    assert [(file.name, file.unsummed) for file in draft.files] == [
        ("install.sh", True),
        ("rke2-install.sh", True),
        ("hauler.yaml", False),
    ]
    assert draft.left_out == []


def test_annotations_and_signatures() -> None:
    draft = read("signed.yaml")
    assert [image.source for image in draft.images] == [
        "registry.ranchercarbide.dev/rancher/rancher:v2.8.5",
        "ghcr.io/kyverno/kyverno:v1.12.0",
        "registry.ranchercarbide.dev/alpine:3.19",
    ]
    told = [str(item) for item in draft.left_out]
    assert "signature of rancher/rancher:v2.8.5: write verify: {cosign_key: carbide-key.pub} at the image" in told
    assert "rewrite of ghcr.io/kyverno/kyverno:v1.12.0: write target: mirror/kyverno at the image" in told
    assert any(item.startswith("platform linux/arm64: ") for item in told)


def test_charts_from_registries() -> None:
    draft = read("oci-charts.yaml")
    assert [chart.source for chart in draft.charts] == [
        "oci://ghcr.io/fluxcd-community/charts/flux2",
        "oci://ghcr.io/stefanprodan/charts/podinfo",
        "https://charts.jetstack.io",
    ]
    assert [item.what for item in draft.left_out] == ["chart newest", "chart podinfo 6.5.3"]


def test_collections() -> None:
    draft = read("thick.yaml")
    assert [image.source for image in draft.images] == ["docker.io/longhornio/backing-image-manager:v1.6.0"]
    assert [item.what.partition(" http")[0] for item in draft.left_out] == ["image list", "document K3s"]


def test_paths() -> None:
    draft = read("paths.yaml")
    assert [(chart.name, chart.source) for chart in draft.charts] == [
        ("shop", "./charts/shop-1.2.0.tgz"),
        ("web", "charts/web"),
    ]
    assert [item.what for item in draft.left_out] == ["file s3://bucket/data.tar"]


def test_another_file() -> None:
    assert not is_hauler([{"apiVersion": "v1", "kind": "Images"}])
