"""A spec's own steps inside: their outputs reach later values, and they run again only for other inputs."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import VALUES, Site, make_site, steps
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])

TOKEN = "token-of-workspace"
ENROLL = f"""\
import json, os, sys
with open(os.environ["COUNT"], "a") as file:
    file.write(sys.argv[1] + "\\n")
with open(os.environ["LAST"], "a") as file:
    file.write(os.environ.get("AIRGAP_LAST_OUTPUTS", "none") + "\\n")
if sys.argv[1] == "beta":
    sys.exit("refused " + os.environ["PASSWORD"])
print(json.dumps({{"token": "{TOKEN}-" + sys.argv[1], "replicas": 2}}))
"""


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace(), charts=("hook", "web"))
    (site.bench.place / "enroll.py").write_text(ENROLL)
    (site.bench.place / "values/hook.yaml").write_text(VALUES.replace("replicas: 1\n", ""))
    site.values(VALUES.replace("1", "${output.enroll.replicas}", 1) + "apiToken: ${output.enroll.token}\n")
    hook, web = site.plan["releases"]
    hook["values"] = ["values/hook.yaml"]
    web["needs"] = ["enroll"]
    site.plan["actions"] = [
        {"name": "enroll", "after": ["hook"], "run": ["python3", "enroll.py", "${site.workspace}"],
         "env": {"PASSWORD": "${env.PASSWORD}"}, "outputs": "json"},
    ]  # fmt: skip
    site.env |= {"PASSWORD": "hush-hush-hush", "COUNT": str(tmp_path / "count"), "LAST": str(tmp_path / "last")}
    return site


def facts(site: Site, workspace: str) -> str:
    path = site.place / "site.yaml"
    path.write_text(f"workspace: {workspace}\n")
    return f"site={path}"


def calls(site: Site) -> list[str]:
    return Path(site.env["COUNT"]).read_text().split()


def test_outputs_reach_a_later_release_and_other_inputs_run_it_again(site: Site) -> None:
    site.carry()
    first = site.install(facts(site, "alpha"))
    order = [line.split()[0] for line in first.out.splitlines() if line.startswith(("health:", "action:", "helm:web"))]
    assert order == ["health:hook", "action:enroll", "helm:web", "health:web"]
    given = json.loads(site.helm.run("get", "values", "web", "-n", site.namespace, "-o", "json"))
    assert (given["replicas"], given["apiToken"]) == (2, f"{TOKEN}-alpha")
    assert json.loads(site.secret("airgap-action-enroll")["outputs"]) == {"token": f"{TOKEN}-alpha", "replicas": 2}
    assert site.install(facts(site, "alpha")).steps == []
    assert TOKEN.encode() not in site.everything_written()
    assert TOKEN not in first.out + first.err

    site.carry()
    failed = site.refused(facts(site, "beta"))
    assert "FAILED action:enroll: action 'enroll': python3 exited with 1" in failed.err
    assert "refused ***" in failed.err
    assert "hush" not in failed.out + failed.err
    assert site.revision("web") == 1

    again = site.install(facts(site, "gamma"))
    assert steps(again, "action", "helm", "health") == ["action:enroll", "health:web", "helm:web"]
    assert calls(site) == ["alpha", "beta", "gamma"]
    first_time, *later = Path(site.env["LAST"]).read_text().splitlines()
    assert first_time == "none"
    assert [json.loads(line) for line in later] == [{"token": f"{TOKEN}-alpha", "replicas": 2}] * 2, (
        "a failure keeps them"
    )
    given = json.loads(site.helm.run("get", "values", "web", "-n", site.namespace, "-o", "json"))
    assert given["apiToken"] == f"{TOKEN}-gamma"

    # Another machine, without our state: the cluster remembers.
    site.place.joinpath("state").rename(site.place / "lost")
    assert "action:enroll" not in site.install(facts(site, "gamma")).steps
    assert calls(site) == ["alpha", "beta", "gamma"]
