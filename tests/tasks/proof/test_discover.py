"""What a chart renders with the values of the install: its images, and those that it has only with an API."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from bundle.errors import ProofError, ReleaseError
from clients.cluster.helm import Helm
from tasks.collect.charts import packaged
from tasks.proof import discover as module
from tasks.proof.discover import UNKNOWN, discover, image_names, releases_of
from tasks.runtime.project import Project
from tests.fixtures.benches.connected import connected
from tests.fixtures.benches.workbench import Workbench

POD = "{{kind: Pod, apiVersion: v1, metadata: {{name: p}}, spec: {{containers: [{{image: '{image}'}}]}}}}\n---\n"
ASKS = '{{ if .Capabilities.APIVersions.Has "x.io/v1" }}a: 1{{ end }}'


class Renders:
    """Stands for helm: one image always, another with the API; keeps what it was asked with."""

    def __init__(self, error: ReleaseError | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.values: list[str] = []
        self._error = error

    def template(self, release: str, chart: Path, *, values: Path, **more: Any) -> str:
        self.asked.append(more)
        self.values.append(values.read_text())
        if self._error:
            raise self._error
        more_pods = POD.format(image="q.io/extra:1") if "x.io/v1" in more["api_versions"] else ""
        return POD.format(image="q.io/app:1") + more_pods


@pytest.fixture
def project(bench: Workbench) -> Project:
    (bench.place / "chart/values.yaml").write_text("host: ''\n")
    (bench.place / "values.yaml").write_text("host: ${site.host}\nother: ${image.one.ref}\n")
    release = {"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}
    bench.write({**bench.spec, "install": {"releases": [release], "kubernetes": {"min_version": "1.31"}}})
    return connected(bench)


def found(project: Project, helm: Renders) -> module.Discovered:
    release = project.spec.install.releases[0]
    return discover(project, release, packaged(project, project.spec.charts[0]), cast("Helm", helm))


def test_images_and_values_that_the_chart_does_not_know(project: Project) -> None:
    helm = Renders()
    result = found(project, helm)
    assert [each.text for each in result.images] == ["q.io/app:1"]
    assert (result.with_apis, result.asked) == ((), ())
    assert result.unknown == ("values.yaml:2: the chart has no value 'other'",)
    (asked,) = helm.asked
    assert (asked["kube_version"], asked["namespace"], asked["skip_schema"]) == ("1.31", "app", False)
    assert "${" not in helm.values[0], "stand-ins for what only the site knows"


def test_images_that_it_has_only_where_an_api_is(project: Project, bench: Workbench) -> None:
    (bench.place / "chart/templates/extra.yaml").write_text(ASKS)
    helm = Renders()
    result = found(project, helm)
    assert result.asked == ("x.io/v1",)
    assert [each.text for each in result.images] == ["q.io/app:1"]
    assert [each.text for each in result.with_apis] == ["q.io/extra:1"]
    assert [asked["api_versions"] for asked in helm.asked] == [(), ("x.io/v1",)]


def test_an_api_that_the_spec_counts_on_is_there_from_the_first(project: Project, bench: Workbench) -> None:
    (bench.place / "chart/templates/extra.yaml").write_text(ASKS)
    install: Any = bench.spec["install"]
    install["kubernetes"]["api_versions"] = ["x.io/v1"]
    bench.write()
    result = found(connected(bench), Renders())
    assert [each.text for each in result.images] == ["q.io/app:1", "q.io/extra:1"]
    assert (result.with_apis, result.asked) == ((), ())


def test_a_chart_that_does_not_render_says_which_api_it_asked_for(project: Project, bench: Workbench) -> None:
    (bench.place / "chart/templates/extra.yaml").write_text(ASKS)
    with pytest.raises(ReleaseError, match="it fails") as caught:
        found(project, Renders(ReleaseError("release 'app': it fails")))
    assert "install: {kubernetes: {api_versions: [x.io/v1]}}" in caught.value.hint


def test_a_release_too_large_for_helm_is_told_with_its_largest_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.release_size

    def large(*args: Any, **more: Any) -> Any:
        size = real(*args, **more)
        return type("Large", (), {name: getattr(size, name) for name in ("largest", "largest_size")} | {
            "fits": False, "stored": 2_000_000,
        })  # fmt: skip

    monkeypatch.setattr(module, "release_size", large)
    with pytest.raises(ProofError, match="release 'app' is too large for Helm"):
        found(project, Renders())


def test_an_image_that_is_not_pinned_has_a_digest_of_zeros(project: Project) -> None:
    names = image_names(project)
    assert {entry.digest for entry in names.images.values()} == {UNKNOWN}
    assert str(names.references["one"]) == "registry.example.com/team/one:1.0"


def test_a_chart_without_a_release_counts_as_one(bench: Workbench) -> None:
    bench.write({**bench.spec, "charts": [{"name": "Some.Chart", "source": "./chart"}]})
    (release,) = releases_of(connected(bench))
    assert (release.name, release.chart, release.namespace) == ("some-chart", "Some.Chart", "default")


def test_the_overrides_of_a_site_are_proven_too(project: Project, bench: Workbench) -> None:
    (bench.place / "site.yaml").write_text("host: h\noverrides: {app: {host: q.io, zz: 1}}\n")
    helm = Renders()
    result = found(connected(bench, site=str(bench.place / "site.yaml")), helm)
    assert json.loads(helm.values[0])["host"] == "q.io"
    assert any("site.yaml:2: the chart has no value 'zz'" in each for each in result.unknown)


def repeated(bench: Workbench, site: str = "") -> tuple[Project, Renders]:
    """A release for each team, and the site's list of them."""
    (bench.place / "values.yaml").write_text("host: ${item.host}\nsize: ${item.size}\n")
    release = {"name": "app", "chart": "app", "namespace": "app${item.suffix}", "values": ["values.yaml"]}
    teams = {"type": "array", "items": {"size": {"type": "integer", "default": 2}}}
    install = {"releases": [{**release, "for_each": "${site.teams}"}]}
    bench.write({**bench.spec, "install": install, "site": {"teams": teams}})
    (bench.place / "site.yaml").write_text(site)
    return connected(bench, **({"site": str(bench.place / "site.yaml")} if site else {})), Renders()


def test_a_repeated_release_is_proven_for_one_that_stands_for_all(project: Project, bench: Workbench) -> None:
    for site in ("", "teams: []\n"):
        made, helm = repeated(bench, site)
        assert [each.text for each in found(made, helm).images] == ["q.io/app:1"]
        assert [json.loads(text) for text in helm.values] == [{"host": "teams-item-host.site.invalid", "size": 2}]
        assert [each["namespace"] for each in helm.asked] == ["app-item"]


def test_a_repeated_release_is_proven_for_each_entry_that_is_known(project: Project, bench: Workbench) -> None:
    made, helm = repeated(
        bench, "teams: [{name: a, host: x}, {name: b, host: w, size: 3}]\noverrides: {app-b: {z: 1}}\n"
    )
    result = found(made, helm)
    assert [json.loads(text) for text in helm.values] == [{"host": "x", "size": 2}, {"host": "w", "size": 3, "z": 1}]
    assert [each["namespace"] for each in helm.asked] == ["app-a", "app-b"]
    assert [each.text for each in result.images] == ["q.io/app:1"]
