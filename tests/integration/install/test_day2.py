"""Plan, rollback and uninstall inside, against the real registry, cluster and helm."""

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.made.published import faults
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def test_plan_then_install_then_plan_again(site: Site) -> None:
    site.carry()
    fresh = site.run("plan", "install", "--json", "--exit-code")
    assert fresh.code == 1
    plan = json.loads(fresh.out)
    manifest = json.loads((site.carried / "manifest.json").read_text())
    assert 0 < plan["bytes_to_send"] <= manifest["images"][0]["size"]
    web = {"release": "web", "change": "install", "chart": "web-1.0.0"}
    assert plan["releases"] == [{**web, "reasons": [], "values": [], "overrides": []}]
    assert site.revision("web") == 0
    due = sorted(step["step"] for step in plan["steps"] if step["run"])
    assert site.install().steps == due
    again = site.run("plan", "install", "--exit-code")
    assert again.code == 0, again.out
    assert "to send: 0 B in 0 images" in again.out
    site.values(VALUES.replace("replicas: 1", "replicas: 2"))
    site.carry()
    changed = site.run("plan", "install")
    assert "   ~ replicas: 1 -> 2\n" in changed.out
    assert not {"hmac", str(site.state), "False"} & set(re.split(r"[ :]", changed.out))
    assert faults("plan", site.run("plan", "install", "--json").out) == []
    assert faults("status", site.run("status", "--json").out) == []
    assert site.revision("web") == 1


def test_an_account_with_the_printed_roles_can_install(site: Site) -> None:
    site.carry()
    printed = site.run("roles", "--user=installer")
    assert printed.code == 0, printed.err
    assert site.revision("web") == 0
    site.env["KUBECONFIG"] = str(site.helm.cluster.login("installer"))
    refused = site.run("preflight")
    assert refused.code == 1
    assert "next: " in refused.err
    assert "airgap.pyz roles prints the roles to ask for" in refused.err
    (site.place / "roles.yaml").write_text(printed.out)
    site.helm.cluster.kubectl("apply", "-f", str(site.place / "roles.yaml"))
    site.install()
    assert site.revision("web") == 1


def test_rollback_returns_to_the_revision_before(site: Site) -> None:
    site.carry()
    site.install()
    site.values(VALUES.replace("replicas: 1", "replicas: 2"))
    site.carry()
    site.install()
    ran = site.run("rollback")
    assert ran.code == 0, ran.err
    assert "release web: rolled back to revision 1 (now revision 3, chart web-1.0.0)" in ran.out
    assert "release web: ready" in ran.out
    assert "databases stay as they are" in ran.out
    receipt = json.loads((site.state / "receipt.json").read_text())
    assert [(each["revision"], each["chart"]) for each in receipt["releases"]] == [(3, "web-1.0.0")]
    deployment = json.loads(site.helm.cluster.kubectl("get", "deployment", "web", "-n", site.namespace, "-o", "json"))
    assert deployment["spec"]["replicas"] == 1
    again = site.run("rollback")
    assert (again.code, "no install to roll back from" in again.err) == (1, True)
    assert "helm:web" in site.install().steps, "an install brings the new values back"


def test_rollback_leaves_what_somebody_else_changed(site: Site) -> None:
    site.carry()
    site.install()
    site.values(VALUES.replace("replicas: 1", "replicas: 2"))
    site.carry()
    site.install()
    site.helm.run("rollback", "web", "1", "-n", site.namespace)
    ran = site.run("rollback")
    assert ran.code == 1
    assert "release 'web' is at revision 3, not 2" in ran.err


def test_rollback_goes_back_from_what_we_took_back(site: Site) -> None:
    """The third upgrade fails and is taken back to the second: revision 4, which is as revision 2."""
    site.carry()
    site.install()
    site.values(VALUES.replace("replicas: 1", "replicas: 2"))
    site.carry()
    site.install()
    images = site.bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = "web:pull-fails"
    site.carry()
    assert "rolled back to revision 2 (web-1.0.0)" in site.refused().err
    assert site.revision("web") == 4
    ran = site.run("rollback")
    assert ran.code == 0, ran.err
    assert "release web: rolled back to revision 1 (now revision 5, chart web-1.0.0)" in ran.out
    assert site.get("deployment", "web")["spec"]["replicas"] == 1


def test_a_release_that_left_the_bundle_stays_in_sight_until_it_is_removed(site: Site) -> None:
    install = site.bench.spec["install"]
    assert isinstance(install, dict)
    install["releases"] = [*install["releases"], {**install["releases"][0], "name": "web2"}]
    site.carry()
    site.install()
    install["releases"].pop()
    site.carry()
    gone = f"release web2 in namespace {site.namespace} still runs (revision 1, chart web-1.0.0)"
    assert gone in site.run("plan", "install").out
    assert gone in site.install().out
    assert gone in site.run("plan", "install").out
    assert site.revision("web2") == 1
    ran = site.run("uninstall", "--left-over", "--yes")
    assert ran.code == 0, ran.err
    assert (site.revision("web"), site.revision("web2")) == (1, 0)
    assert gone not in site.run("plan", "install").out


def test_uninstall_asks_first_and_keeps_generated_secrets(site: Site) -> None:
    install = site.bench.spec["install"]
    assert isinstance(install, dict)
    install["secrets"] = [
        {"name": "key", "generate": "hex64", "namespaces": [site.namespace]},
        {"name": "login", "type": "opaque", "namespaces": [site.namespace], "data": {"password": "${env.PASSWORD}"}},
    ]
    site.bench.write()
    site.env["PASSWORD"] = "hush-hush"
    site.carry()
    site.install()
    refused = site.run("uninstall")
    assert refused.code == 1
    assert site.revision("web") == 1
    ran = site.run("uninstall", "--yes")
    assert ran.code == 0, ran.err
    assert site.revision("web") == 0
    names = site.helm.cluster.kubectl("get", "secrets", "-n", site.namespace, "-o", "name").split()
    assert "secret/key" in names
    assert "secret/login" not in names
    assert site.run("uninstall", "--yes", "--secrets").code == 0
    assert "secret/key" not in site.helm.cluster.kubectl("get", "secrets", "-n", site.namespace, "-o", "name").split()
    assert "nothing to remove" in site.run("uninstall", "--yes").out


def test_diagnose_names_the_cause_and_tells_no_secret(site: Site) -> None:
    install = site.bench.spec["install"]
    assert isinstance(install, dict)
    install["secrets"] = [
        {"name": "login", "type": "opaque", "namespaces": [site.namespace], "data": {"p": "${env.PW}"}}
    ]
    site.bench.write()
    site.env["PW"] = "hush-hush"
    site.carry()
    site.install()
    well = site.run("diagnose")
    assert (well.code, "no problems found" in well.out) == (0, True)
    words, env, _ = site.command("diagnose")
    beside = subprocess.run(words, cwd=site.carried, env=env, capture_output=True, text=True, check=True).stdout
    assert Path(beside.split("gathered in ")[1].strip()).parent == site.state
    assert site.run("verify").code == 0
    image = f"{site.registry.host}/{site.namespace}/web:pull-fails"
    site.helm.cluster.kubectl("set", "image", "deployment/web", f"web={image}", "-n", site.namespace)
    ill = site.run("diagnose")
    for _ in range(20):
        if "ImagePullBackOff" in ill.out:
            break
        ill = site.run("diagnose")
    assert "ImagePullBackOff" in ill.out
    assert image in ill.out
    path = Path(ill.out.split("gathered in ")[1].strip())
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.namelist()}
        assert {"likely-causes.txt", f"{site.namespace}/events.txt", f"{site.namespace}/objects.json"} <= names
        assert all(b"hush-hush" not in archive.read(name) for name in archive.namelist())
