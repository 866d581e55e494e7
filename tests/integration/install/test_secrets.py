"""Secrets through the whole of `install`: made, kept, put right, refused; and nowhere to be read but in the cluster."""

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])

PULL, ADMIN, LICENSE = "pull-me-9f3k2", "admin-77-tulip", "license of acme: 0451"


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.env |= {"PULL_PASSWORD": PULL, "ADMIN_PASSWORD": ADMIN}
    (site.inside / "license.txt").write_text(LICENSE + "\n")
    write_pair(site.inside)
    pair = {"certificate": "${file.tls.crt}", "key": "${file.tls.key}"}
    names = [site.namespace]
    site.plan["secrets"] = [
        {"name": "pull", "type": "docker-registry", "namespaces": [site.namespace, other(site)], "username": "robot",
         "password": "${env.PULL_PASSWORD}"},
        {"name": "license", "type": "opaque", "namespaces": names, "data": {"license.txt": "${file.license.txt}"}},
        {"name": "admin", "type": "opaque", "namespaces": names, "data": {"password": "${env.ADMIN_PASSWORD}"}},
        {"name": "tls", "type": "tls", "namespaces": names, **pair},
        {"name": "key", "generate": "hex64", "namespaces": names},
    ]  # fmt: skip
    site.values(VALUES + "pullSecret: pull\nuiPassword: ${secret.key}\n")
    return site


def other(site: Site) -> str:
    return f"{site.namespace}-other"


def write_pair(place: Path, *, expired: bool = False, foreign: bool = False) -> None:
    authority = trustme.CA()
    ended = datetime.now(UTC) - timedelta(days=1) if expired else None
    issued = authority.issue_cert("web.internal", not_after=ended)
    issued.cert_chain_pems[0].write_to_path(place / "tls.crt")
    (authority.issue_cert("web.internal") if foreign else issued).private_key_pem.write_to_path(place / "tls.key")


def secrets_of(site: Site) -> dict[str, str]:
    """Every text that nobody may read outside of the cluster, by what it is."""
    lines = (site.inside / "tls.key").read_text().splitlines()
    return {"pull": PULL, "admin": ADMIN, "license": LICENSE, "key": site.secret("key")["value"], "tls": lines[1]}


def leaks(texts: dict[str, str], data: str | bytes) -> list[str]:
    found = data.encode() if isinstance(data, str) else data
    return [name for name, text in texts.items() if text.encode() in found]


def is_below(process: int) -> bool:
    """Whether it is of this test, and not of one that runs beside it. OSError when it has ended."""
    while process > 1 and process != os.getpid():
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process == os.getpid()


@contextmanager
def watched() -> Iterator[tuple[set[bytes], dict[str, int]]]:
    """The command lines of all processes while the body runs, and the modes of what its own put into private places."""
    lines: set[bytes] = set()
    modes: dict[str, int] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.03):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    lines.add(path.read_bytes())
            for path in Path("/dev/shm").glob("airgap-values-*"):
                with contextlib.suppress(OSError):
                    if is_below(int(path.name.split("-")[2])):
                        modes[str(path)] = path.stat().st_mode & 0o777

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lines, modes
    finally:
        over.set()
        thread.join()


def test_they_are_made_kept_and_put_right(site: Site) -> None:
    site.carry()
    with watched() as (argvs, modes):
        first = site.install()
    known = secrets_of(site)
    assert re.fullmatch("[0-9a-f]{64}", known["key"])
    assert site.secret("license") == {"license.txt": LICENSE}
    assert site.secret("tls")["tls.key"] == (site.inside / "tls.key").read_text().removesuffix("\n")
    for namespace in (site.namespace, other(site)):
        assert site.get("secret", "pull", namespace)["type"] == "kubernetes.io/dockerconfigjson"
        login = json.loads(site.secret("pull", namespace)[".dockerconfigjson"])["auths"][site.registry.host]
        assert (login["username"], login["password"]) == ("robot", PULL)
    deployed = site.helm.run("get", "values", "web", "-n", site.namespace, "-o", "json")
    assert json.loads(deployed)["uiPassword"] == known["key"]
    assert "warning: release 'web': values/web.yaml:6: the chart has no value 'uiPassword'" in first.out

    assert leaks(known, first.out + first.err) == []
    assert leaks(known, site.everything_written()) == []
    assert any(b"helm" in line for line in argvs), "nothing was watched"
    assert [name for line in argvs for name in leaks(known, line)] == []
    assert modes, "no values were written"
    assert set(modes.values()) == {0o700}
    left = [path for path in modes if os.path.exists(path)]
    assert left == []
    assert "receipt" in first.steps
    assert leaks(known, (site.state / "receipt.json").read_bytes()) == []

    # Somebody edits one by hand and removes another; the state is lost as well.
    kubectl = site.helm.cluster.kubectl
    kubectl("patch", "secret", "admin", "-n", site.namespace, "--patch", '{"stringData": {"password": "other"}}')
    kubectl("delete", "secret", "pull", "-n", other(site))
    shutil.rmtree(site.state)
    again = site.install()
    assert [step for step in again.steps if step.startswith("secret:")] == ["secret:admin", "secret:pull"]
    assert site.secret("admin") == {"password": ADMIN}
    assert site.secret("key")["value"] == known["key"]
    assert site.install().steps == []


def test_a_secret_in_a_message_is_masked(site: Site) -> None:
    """An action that fails and tells all, and a chart that Kubernetes refuses with the value in its words."""
    (site.bench.place / "tell.py").write_text("import os, sys\nsys.exit('the word is ' + os.environ['WORD'])\n")
    site.plan["actions"] = [{"name": "tell", "run": ["python3", "tell.py"], "env": {"WORD": "${secret.admin}"}}]
    site.env["ADMIN_PASSWORD"] = "4711937"
    site.carry()
    ran = site.refused()
    assert "action 'tell': python3 exited with 1" in ran.err
    assert "the word is ***" in ran.err
    known = {**secrets_of(site), "admin": "4711937"}
    assert leaks(known, ran.out + ran.err) == []

    site.plan["releases"][0]["values"] = ["values/web.yaml", "values/wrong.yaml"]
    wrong = "resources:\n  requests:\n    cpu: ${secret.admin}\n  limits:\n    cpu: 1\n"
    (site.bench.place / "values/wrong.yaml").write_text(wrong)
    site.carry()
    ran = site.refused()
    assert "FAILED preflight" in ran.err
    assert leaks(known, ran.out + ran.err) == []
    assert leaks(known, site.everything_written()) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"expired": True}, "secret 'tls': the certificate expired on "),
        ({"foreign": True}, "secret 'tls': the key does not belong to the certificate"),
    ],
    ids=["expired", "of another key"],
)
def test_a_pair_that_can_not_serve_is_refused_before_any_change(site: Site, wrong: dict[str, bool], told: str) -> None:
    write_pair(site.inside, **wrong)
    site.env["ADMIN_PASSWORD"] = ""
    site.carry()
    ran = site.refused()
    assert told in ran.err
    assert "secret 'admin': 'password' is empty" in ran.err, "all is told at once"
    assert site.is_untouched


def test_what_is_missing_is_told_at_once_before_any_change(site: Site) -> None:
    del site.env["ADMIN_PASSWORD"], site.env["PULL_PASSWORD"]
    (site.inside / "license.txt").unlink()
    site.carry()
    ran = site.refused()
    for told in ("env.ADMIN_PASSWORD", "env.PULL_PASSWORD", "file.license.txt"):
        assert told in ran.err
    assert ran.steps == ["verify"]
    assert site.is_untouched
