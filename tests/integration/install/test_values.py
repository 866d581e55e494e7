"""Values as they reach the releases inside: names, site facts, another registry; and what is refused before."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def given(site: Site) -> dict[str, Any]:
    """The values that release web was given."""
    found = json.loads(site.helm.run("get", "values", "web", "-n", site.namespace, "-o", "json"))
    assert isinstance(found, dict)
    return found


def has(site: Site, repository: str) -> bool:
    """Whether the registry has tag 1.0 there."""
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    return site.registry.request("HEAD", f"/v2/{repository}/manifests/1.0", headers=accept).status == 200


def test_one_bundle_serves_two_sites(site: Site) -> None:
    """Facts of the site keep their types, another registry changes the names; unknown keys are told, not refused."""
    name = site.namespace
    site.values(
        VALUES.replace("replicas: 1", "replicas: ${site.size.web}")
        + "pinned: ${image.web.ref}@${image.web.digest}\nresorces: {}\n"
    )
    site.carry()
    facts = site.place / "site.yaml"
    facts.write_text("size: {web: 2}\n")
    first = site.install(f"site={facts}")
    digest = json.loads((site.carried / "manifest.json").read_text())["images"][0]["digest"]
    there = f"{site.registry.host}/{name}/web"
    assert given(site) == {
        "image": {"repository": there, "tag": "1.0"},
        "pinned": f"{there}:1.0@{digest}",
        "replicas": 2,
        "resorces": {},
    }
    assert "values/web.yaml:6: the chart has no value 'resorces'; did you mean 'resources'?" in first.out
    assert site.install(f"site={facts}").steps == []

    facts.write_text("size: {web: 1}\n")
    changed = site.install(f"site={facts}", f"registry={site.registry.host}/{name}-moved/deep")
    assert "push:web" in changed.steps
    assert "helm:web" in changed.steps
    assert given(site)["image"] == {"repository": f"{site.registry.host}/{name}-moved/deep/web", "tag": "1.0"}
    assert given(site)["replicas"] == 1
    assert has(site, f"{name}-moved/deep/web")
    receipt = json.loads((site.state / "receipt.json").read_text())
    assert receipt["images"][0]["ref"] == f"{site.registry.host}/{name}-moved/deep/web:1.0"


def test_pushed_to_another_host_than_the_cluster_pulls_from(site: Site) -> None:
    site.bench.spec["registry"] = {
        "prefix": f"registry.internal/{site.namespace}",
        "push": f"{site.registry.host}/{site.namespace}/in",
    }
    site.carry()
    site.install()
    assert given(site)["image"]["repository"] == f"registry.internal/{site.namespace}/web"
    assert has(site, f"{site.namespace}/in/web")
    assert site.install().steps == []


def test_placeholders_and_missing_facts_are_refused_before_any_change(site: Site) -> None:
    site.values(VALUES + "host: web.mycompany.com\nadmin: <your name>\n")
    site.carry()
    ran = site.refused()
    assert "release 'web': values/web.yaml:5: 'host' still holds 'mycompany.com'" in ran.err
    assert "release 'web': values/web.yaml:6: 'admin' still holds '<your name>'" in ran.err
    assert site.is_untouched

    site.values(VALUES + "host: ${site.host}\nzone: ${site.zone.name}\n")
    site.carry()
    ran = site.refused()
    assert "no site file was given; host, zone.name are needed" in ran.err
    assert "copy site.example.yaml of the bundle to site.yaml, fill it in, and pass site=site.yaml" in ran.err
    (site.place / "site.yaml").write_text("hots: a\nzone: {name: b}\n")
    ran = site.refused(f"site={site.place / 'site.yaml'}")
    assert "site.host" in ran.err
    assert ran.steps == []
    assert site.is_untouched


def test_a_wrong_registry_is_refused(site: Site) -> None:
    site.carry()
    ran = site.run("install", "registry=https://registry.internal/team")
    assert ran.code == 3
    assert "'https://registry.internal/team' is an address" in ran.err
    assert site.is_untouched


def test_a_site_overrides_what_the_bundle_says(site: Site) -> None:
    """Merged as helm merges, checked against the chart, shown by the plan; only what it is about runs again."""
    site.env["LABEL"] = "a-secret-word"
    site.carry()
    facts = site.place / "site.yaml"
    facts.write_text("overrides:\n  wbe: {replicas: 2}\n")
    assert "no release is called 'wbe'; expected one of: web; did you mean 'web'?" in site.refused(f"site={facts}").err
    facts.write_text("overrides:\n  web: {image: {repository: elsewhere.example/web}}\n")
    ran = site.refused(f"site={facts}")
    assert "image 'elsewhere.example/web:1.0' (Deployment/web" in ran.err
    assert site.is_untouched
    facts.write_text("overrides:\n  web: {replicas: 2, resorces: {}, label: '${env.LABEL}'}\n")
    planned = site.run("plan", "install", f"site={facts}").out
    assert "override replicas: 2" in planned
    first = site.install(f"site={facts}")
    assert "site.yaml:2: the chart has no value 'resorces'; did you mean 'resources'?" in first.out
    values = given(site)
    assert (values["replicas"], values["label"], values["image"]["tag"]) == (2, "a-secret-word", "1.0")
    assert site.install(f"site={facts}").steps == []
    facts.write_text("overrides:\n  web: {replicas: 1}\n")
    changed = site.install(f"site={facts}")
    assert [step for step in changed.steps if step.startswith(("push", "helm", "secret"))] == ["helm:web"]
    assert "label" not in given(site)
    assert b"a-secret-word" not in site.everything_written()
    assert "a-secret-word" not in first.out + first.err + planned
