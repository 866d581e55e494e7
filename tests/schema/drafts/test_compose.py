"""Compose files: images with their defaults; what needs a chart is said."""

from pathlib import Path

import pytest

from schema.drafts.compose import read_compose
from schema.drafts.documents import documents
from schema.loading.load import load
from tests.fixtures.places import ROOT

FILES = ROOT / "tests" / "fixtures" / "drafts" / "compose"
WANTED: dict[str, tuple[list[str], list[str]]] = {
    "wordpress.yml": (["mysql:8.0", "wordpress:latest"], ["volumes"]),
    "built.yaml": (["redis:alpine"], ["service web", "service worker"]),
    "airflow.yaml": (["postgres:13", "apache/airflow:2.8.1"], ["networks"]),
    "variables.yml": (
        ["gitlab/gitlab-runner:alpine-v16.9.0", "traefik:v2.11"],
        [
            "image gitlab/gitlab-ee:${GITLAB_TAG} of service gitlab",
            "image ${REGISTRY:?set it}/registry:2 of service registry",
            "image $IMAGE of service plain",
            "secrets",
        ],
    ),
    "harbor.yml": (
        ["goharbor/harbor-log:v2.10.0", "goharbor/harbor-core:v2.10.0"],
        ["service none", "image Not An Image", "networks", "configs", "include"],
    ),
}


@pytest.mark.parametrize("name", WANTED)
def test_a_file_becomes_a_spec(name: str, tmp_path: Path) -> None:
    images, left_out = WANTED[name]
    (document,) = documents((FILES / name).read_text(), name)
    draft = read_compose(document, "app")
    short = [image.source.removeprefix("docker.io/").removeprefix("library/") for image in draft.images]
    assert short == images
    always = "how the services run"
    assert sorted(item.what for item in draft.left_out) == sorted([always, *left_out])
    assert all(item.reason for item in draft.left_out)
    (tmp_path / "airgap.yaml").write_text(draft.text("x.json"))
    load(tmp_path / "airgap.yaml", env={})


def test_there_are_five() -> None:
    assert sorted(WANTED) == sorted(path.name for path in FILES.iterdir())


def test_its_name() -> None:
    assert read_compose({"name": "shop", "services": {}}, "dir").name == "shop"
    assert read_compose({"services": {"x": "nonsense"}}, "dir").name == "dir"
