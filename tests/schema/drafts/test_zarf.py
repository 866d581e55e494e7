"""Zarf packages."""

import pytest

from schema.drafts.documents import documents
from schema.drafts.draft import Draft
from schema.drafts.zarf import read_zarf
from tests.fixtures.places import ROOT

FILES = ROOT / "tests" / "fixtures" / "drafts" / "zarf"


def read(name: str) -> Draft:
    (document,) = documents((FILES / f"{name}.yaml").read_text(), name)
    return read_zarf(document, "app")


def left(draft: Draft) -> list[str]:
    return [item.what for item in draft.left_out]


def test_there_are_five() -> None:
    assert len(list(FILES.iterdir())) == 5


def test_images_and_manifests() -> None:
    draft = read("dos-games")
    assert (draft.name, draft.version) == ("dos-games", "1.1.0")
    assert [image.source for image in draft.images] == ["ghcr.io/zarf-dev/doom-game:0.0.1"]
    assert left(draft) == ["manifests of component baseline", "actions of component baseline"]


def test_charts_and_releases() -> None:
    draft = read("podinfo")
    assert [(chart.name, chart.source) for chart in draft.charts] == [
        ("podinfo-local", "chart"),
        ("podinfo", "oci://ghcr.io/stefanprodan/charts/podinfo"),
    ]
    assert [(each.name, each.chart, each.namespace) for each in draft.releases] == [
        ("podinfo-local", "podinfo-local", "podinfo-from-local-chart"),
        ("podinfo-oci", "podinfo", "podinfo-from-oci"),
    ]
    assert {"architecture arm64", "chart podinfo-git", "chart podinfo 6.4.0"} <= set(left(draft))


def test_files() -> None:
    draft = read("files")
    assert draft.version == "0.1.0"
    assert [(file.name, file.source, bool(file.sha256), file.unsummed) for file in draft.files] == [
        ("kubectl", "https://dl.k8s.io/release/v1.29.2/bin/linux/amd64/kubectl", True, False),
        ("tool", "https://example.com/tools.tar.gz", False, True),
        ("app.conf", "cfg/app.conf", False, False),
    ]
    assert {"metadata.version", "extractPath of tool", "checksum of https://example.com/tools.tar.gz"} <= set(
        left(draft)
    )


def test_what_has_no_counterpart() -> None:
    named = left(read("init"))
    assert {"import of component gitea", "repos of component repos", "dataInjections of component repos"} <= set(named)
    assert {"scripts of component repos", "variable DOMAIN", "constant PORT"} <= set(named)


def test_templates_are_left_out() -> None:
    draft = read("big-bang")
    assert len(draft.images) == 2
    assert {"image ###ZARF_PKG_TMPL_IMAGE###", "variable REPLICAS of chart kyverno"} <= set(left(draft))
    assert [each.namespace for each in draft.releases] == ["kyverno"]


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.stem)
def test_every_reason_is_given(path: object) -> None:
    assert all(item.reason for item in read(path.stem).left_out)  # type: ignore[attr-defined]
