"""Which installation a run is about."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.site.receiver import Receiver
from tasks.site.target import ClusterAddress, Target
from tests.fixtures.benches.receiving import ENV, receiving


def kubeconfig(path: Path, servers: Mapping[str, str], current: str = "", **cluster: Any) -> Path:
    """A kubeconfig with a context for each of these clusters, by their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "clusters": [{"name": f"c-{name}", "cluster": {"server": url, **cluster}} for name, url in servers.items()],
        "contexts": [{"name": name, "context": {"cluster": f"c-{name}", "user": "u"}} for name in servers],
        "users": [{"name": "u", "user": {"token": "geheim"}}],
    }
    path.write_text(json.dumps(data | ({"current-context": current} if current else {})))
    return path


TWO = {"a": "https://a.example:6443", "b": "https://b.example:6443"}


def test_the_current_context_says_the_cluster(tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", TWO, "b")
    assert ClusterAddress.named({"KUBECONFIG": str(one)}).server == TWO["b"]
    assert ClusterAddress.named({"KUBECONFIG": str(one)}, context="a").server == TWO["a"]
    assert ClusterAddress.named({}, kubeconfig=one).server == TWO["b"]


def test_the_files_of_kubeconfig_are_merged_as_kubectl_does(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "one", {"a": TWO["a"]})
    second = kubeconfig(tmp_path / "two", {"a": "https://late.example", "b": TWO["b"]}, "a")
    env = {"KUBECONFIG": f"{tmp_path}/none:{first}:{second}"}
    assert ClusterAddress.named(env).server == TWO["a"]


def test_the_users_own_file_and_a_pods_cluster(tmp_path: Path) -> None:
    kubeconfig(tmp_path / ".kube/config", TWO, "a")
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert ClusterAddress.named({"HOME": str(tmp_path)}).server == TWO["a"]
    assert ClusterAddress.named({"HOME": f"{tmp_path}/nobody", **pod}).server == "https://10.0.0.1:443"
    assert ClusterAddress.named({}) == ClusterAddress()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "clusters: 3", "contexts: [1]\ncurrent-context: a", "current-context: [a]", "\udcff"]
)
def test_what_is_no_kubeconfig_names_no_cluster(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert ClusterAddress.named({"KUBECONFIG": str(tmp_path / "bad")}) == ClusterAddress()


def test_one_url_may_lead_to_two_clusters(tmp_path: Path) -> None:
    """As https://127.0.0.1:6443 does through a tunnel to the one or the other."""
    (tmp_path / "ca.crt").write_bytes(b"ca of a")
    held = base64.b64encode(b"ca of a").decode()
    files = {
        "file": kubeconfig(tmp_path / "a", TWO, "a", **{"certificate-authority": "ca.crt"}),
        "data": kubeconfig(tmp_path / "b", TWO, "a", **{"certificate-authority-data": held}),
        "other": kubeconfig(tmp_path / "c", TWO, "a", **{"certificate-authority-data": held[::-1]}),
    }
    found = {name: ClusterAddress.named({}, kubeconfig=path) for name, path in files.items()}
    assert found["file"] == found["data"] != found["other"]
    names = {Target(cluster=each, registry="r.example/x").name for each in found.values()}
    assert len(names) == 2
    assert all(name.startswith("a.example-") for name in names)


def test_a_name_is_one_directory() -> None:
    strange = ClusterAddress(server="https://[fe80::1]:6443")
    for target in (Target(cluster=strange, registry="r"), Target(cluster=ClusterAddress(), registry="127.0.0.1:5/t")):
        assert "/" not in target.name
        assert not target.name.startswith(".")
    assert Target(cluster=strange, registry="r").name == Target(cluster=strange, registry="r/").name


def test_each_target_has_a_state_of_its_own(carried_bundle: Path, tmp_path: Path) -> None:
    def at(server: str, **given: str) -> Receiver:
        path = kubeconfig(tmp_path / server, {"x": f"https://{server}"}, "x")
        return receiving(carried_bundle, tmp_path / "state", env={**ENV, "KUBECONFIG": str(path)}, **given)

    places = [each.state for each in (at("a.example"), at("b.example"), at("a.example", registry="other.example"))]
    assert len(set(places)) == 3
    assert {place.parent for place in places} == {tmp_path / "state/app"}
    assert at("a.example").state == places[0]


def test_a_site_names_its_cluster_and_a_rehearsal_has_its_own(carried_bundle: Path, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "state/prod.conf", TWO, "a")
    (tmp_path / "state").chmod(0o700)
    (tmp_path / "state/site.yaml").write_text("host: h.example\nkubeconfig: prod.conf\nkube_context: b\n")
    receiver = receiving(carried_bundle, tmp_path / "state")
    assert receiver.target.cluster.server == TWO["b"]
    assert receiver.cluster.programs.env["KUBECONFIG"] == str(tmp_path / "state/prod.conf")
    words = {"rehearsal": "cluster", "registry": "http://127.0.0.1:5000/x"}
    rehearsed = receiving(carried_bundle, tmp_path / "state", **words)
    assert rehearsed.target.cluster == ClusterAddress()
    assert "KUBECONFIG" not in rehearsed.cluster.programs.env
