"""Five bundles as people make them by hand: `docker save`, skopeo, a distribution's tarball, and a damaged one."""

import gzip
import json
from pathlib import Path

import pytest

from bundle.meter import SilentMeter
from schema.drafts.draft import Draft
from schema.loading.load import load
from tasks.start.by_hand import draft_by_hand
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.images.hand_made import by_hand, save_chart, save_image
from tests.fixtures.images.images import image, layer

API = image(layer("api", 900, compressed=False))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def guide(place: Path) -> None:
    """As a vendor's guide has it: one `docker save` each, tagged for the internal registry, and a list by hand."""
    by_hand(place, {"api": "reg.corp/shop/api:2.1.0", "db": "reg.corp/shop/db:16"}, {"shop": "2.1.0"})
    write(place / "manifest.txt", "api 2.1.0\ndb 16\n")
    write(place / "values/shop.yaml", "replicas: 3\n")


def skopeo(place: Path) -> None:
    """A flat directory: archives, a chart, a script and checksums side by side."""
    save_image(place / "argocd.tar", "quay.io/argoproj/argocd:v2.10.1")
    save_image(place / "redis.tar", "docker.io/library/redis:7.0.14-alpine", API)
    save_chart(place / "argo-cd-6.4.0.tgz", "argo-cd", "6.4.0")
    (place / "certificates.tgz").write_bytes(gzip.compress(b"none"))
    write(place / "load.sh", "for f in *.tar; do skopeo copy docker-archive:$f ...; done\n")
    write(place / "SHA256SUMS", "0  argocd.tar\n")
    write(place / "argo-cd-values.yaml", "redis: {enabled: true}\n")


def layouts(place: Path) -> None:
    """`skopeo copy docker://... oci:images/NAME:TAG`, one layout each."""
    for name in ("podinfo", "cache"):
        write_layout(place / f"images/{name}", image(layer(name, 500)), "6.7.1")
        index = json.loads((place / f"images/{name}/index.json").read_text())
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "6.7.1"}
        write(place / f"images/{name}/index.json", json.dumps(index))
    save_chart(place / "charts/podinfo-6.7.1.tgz", "podinfo", "6.7.1")
    save_chart(place / "charts/crds-1.0.0.tgz", "crds", "1.0.0")


def distribution(place: Path) -> None:
    """One compressed tarball of all images, the binary and its script, as Kubernetes distributions publish them."""
    tar = save_image(place / "airgap-images-amd64.tar", "docker.io/rancher/mirrored-pause:3.6")
    (place / "airgap-images-amd64.tar.gz").write_bytes(gzip.compress(tar.read_bytes()))
    tar.unlink()
    write(place / "install.sh", "#!/bin/sh\n")
    write(place / "bin/k3s", "binary")
    write(place / "sha256sum-amd64.sha256", "0  k3s\n")
    write(place / ".git/config", "")


def damaged(place: Path) -> None:
    """A copy that was interrupted, two images of one name, a chart that is none."""
    by_hand(
        place, {"one": "a.example/x/web:1", "two": "b.example/y/web:1", "cut": "a.example/x/cut:1"}, {"web": "1.0.0"}
    )
    (place / "images/cut.tar").write_bytes((place / "images/cut.tar").read_bytes()[:4000])
    (place / "charts/broken-1.tgz").write_bytes(b"no gzip")


MADE = {
    guide: (["api", "db"], ["shop"], [], ["manifest.txt"]),
    skopeo: (["argocd", "redis"], ["argo-cd"], ["certificates.tgz", "load.sh"], ["SHA256SUMS"]),
    layouts: (["cache", "podinfo"], ["crds", "podinfo"], [], []),
    distribution: (["mirrored-pause"], [], ["k3s", "install.sh"], ["sha256sum-amd64.sha256"]),
    damaged: (["web"], ["web"], [], ["charts/broken-1.tgz", "docker-archive:../made/images/two.tar", "images/cut.tar"]),
}


def drafted(place: Path, make: object) -> Draft:
    made = place / "made"
    made.mkdir()
    make(made)  # type: ignore[operator]
    (place / "project").mkdir()
    return draft_by_hand(made, place / "project", meter=SilentMeter())


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_a_directory_becomes_a_spec(make: object, tmp_path: Path) -> None:
    images, charts, files, left_out = MADE[make]  # type: ignore[index]
    draft = drafted(tmp_path, make)
    assert [each.name for each in draft.images] == images
    assert [each.name for each in draft.charts] == charts
    assert [each.chart for each in draft.releases] == charts
    assert [each.name for each in draft.files] == files
    assert sorted(item.what.partition(":a")[0].partition(":b")[0] for item in draft.left_out) == left_out
    assert all(item.reason for item in draft.left_out)
    for path, text in {"airgap.yaml": draft.text("x.json"), **draft.values}.items():
        write(tmp_path / "project" / path, text)
    spec = load(tmp_path / "project/airgap.yaml", env={})
    assert all(place.path.exists() for image in spec.images if (place := image.source))  # type: ignore[union-attr]


def test_values_of_a_chart_are_those_called_as_it_is(tmp_path: Path) -> None:
    assert drafted(tmp_path, guide).values == {"values/shop.yaml": "replicas: 3\n"}


def test_images_go_where_their_names_say(tmp_path: Path) -> None:
    draft = drafted(tmp_path, guide)
    assert (draft.name, draft.version, draft.prefix) == ("shop", "2.1.0", "reg.corp/shop")


def test_a_layouts_bare_tag_is_that_of_its_directory(tmp_path: Path) -> None:
    draft = drafted(tmp_path, layouts)
    assert [(each.source, each.target) for each in draft.images] == [
        ("oci:../made/images/cache:6.7.1", "cache:6.7.1"),
        ("oci:../made/images/podinfo:6.7.1", "podinfo:6.7.1"),
    ]
    assert draft.prefix == ""
