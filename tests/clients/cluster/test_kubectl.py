"""Kubectl over a stand-in program: what it is asked, how its words become errors, and what stays secret."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ClusterError, ProgramError
from bundle.formats.versions import Version
from clients.cluster.kubectl import Kubectl, Right
from tests.fixtures.made.crds import Answers, kubectl

STAND_IN = """#!/bin/sh
here=$(dirname "$0")
for each in "$@"; do printf '%s\\n' "$each"; done >>"$here/argv"
cat >>"$here/stdin"
cat "$here/stdout" 2>/dev/null
cat "$here/stderr" >&2 2>/dev/null
exit $(cat "$here/code" 2>/dev/null || echo 0)
"""
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login", "namespace": "shop"},
    "data": {"password": "aHVudGVyMg=="},
}


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "kubectl"
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def answering(stand_in: Path, stdout: Any = "", *, stderr: str = "", code: int = 0) -> Kubectl:
    text = stdout if isinstance(stdout, str) else json.dumps(stdout)
    for name, content in (("stdout", text), ("stderr", stderr), ("code", str(code))):
        (stand_in.parent / name).write_text(content)
    return Kubectl(stand_in, kubeconfig=Path("/k/config"), context="prod")


def asked(stand_in: Path) -> list[str]:
    return (stand_in.parent / "argv").read_text().split("\n")


def test_secrets_go_by_standard_input_only(stand_in: Path) -> None:
    answering(stand_in, "secret/login\n").apply([SECRET])
    assert "--server-side" in asked(stand_in)
    assert {"--kubeconfig=/k/config", "--context=prod", "--field-manager=airgap"} <= set(asked(stand_in))
    assert not [arg for arg in asked(stand_in) if "aHVudGVyMg" in arg]
    assert json.loads((stand_in.parent / "stdin").read_text())["items"] == [SECRET]


def test_a_log_that_is_gone_is_none(stand_in: Path) -> None:
    kubectl = answering(stand_in, "unable to retrieve container logs for containerd://e64a9bdc5b3b6e38")
    assert kubectl.logs("web-1", "web", namespace="shop", previous=True) == ""


def test_whether_an_object_is_there(stand_in: Path) -> None:
    assert answering(stand_in, "secret/login\n").exists("secret", "login", namespace="shop")
    assert "--output=name" in asked(stand_in), "nothing of what it holds leaves kubectl"
    assert not answering(stand_in).exists("secret", "login", namespace="shop")


def test_what_is_refused_is_not_repeated(stand_in: Path) -> None:
    words = 'Error from server (BadRequest): Secret in version "v1" cannot be handled: ...|{"password":"aHVudGVyMg=="}|'
    with pytest.raises(ClusterError, match="secret shop/login: ") as caught:
        answering(stand_in, stderr=words, code=1).create(SECRET)
    assert "aHVudGVyMg" not in str(caught.value)
    assert caught.value.reason == "invalid"


def test_nothing_to_do_asks_nobody(stand_in: Path) -> None:
    kubectl = answering(stand_in, code=1)
    assert (kubectl.apply([]), kubectl.can_i([])) == ((), ())
    assert not (stand_in.parent / "argv").exists()


def test_one_object_or_none(stand_in: Path) -> None:
    assert answering(stand_in, SECRET).get("secret", "login", namespace="shop") == SECRET
    assert answering(stand_in, "").get("secret", "login", namespace="shop") is None
    assert "--namespace=shop" in asked(stand_in)


def test_lists_of_all_namespaces(stand_in: Path) -> None:
    assert answering(stand_in, {"kind": "List", "items": [SECRET]}).list("secrets", selector="a=b") == [SECRET]
    assert {"--all-namespaces", "--selector=a=b"} <= set(asked(stand_in))


def test_versions(stand_in: Path) -> None:
    told = {"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}, "serverVersion": {"gitVersion": "v1.29.1-gke.5"}}
    versions = answering(stand_in, told).version()
    assert (str(versions.client), str(versions.server)) == ("1.32.4-dispatcher", "1.29.1-gke.5")
    assert Version.parse("1.29") < versions.server < Version.parse("v1.30")


def test_the_cluster_does_not_answer(stand_in: Path) -> None:
    words = (
        'E1123 18:33:55.379978    4690 memcache.go:265] "Unhandled Error" err="no API group list"\n'
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n"
    )
    with pytest.raises(ClusterError) as caught:
        answering(stand_in, {"clientVersion": {"gitVersion": "v1.32.4"}}, stderr=words, code=1).version()
    assert caught.value.what == (
        "the cluster: The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?"
    )
    assert caught.value.reason == "unreachable"


def test_too_old_a_kubectl(stand_in: Path) -> None:
    told = {"clientVersion": {"gitVersion": "v1.18.0"}, "serverVersion": {"gitVersion": "v1.29.1"}}
    with pytest.raises(ProgramError, match=r"kubectl is 1\.18\.0, expected 1\.22\.0 or later"):
        answering(stand_in, told).version()


def test_rights_that_are_missing_in_their_order(stand_in: Path) -> None:
    rights = [Right(verb="create", resource=each, namespace="shop") for each in ("secrets", "pods", "jobs")]
    reviews = [{"kind": "SelfSubjectAccessReview", "status": {"allowed": yes}} for yes in (False, True, False)]
    kubectl = answering(stand_in, "\n".join(json.dumps(each, indent=4) for each in reviews))
    assert kubectl.can_i([*rights, rights[0]]) == (rights[0], rights[2])
    spec = json.loads((stand_in.parent / "stdin").read_text())["items"][1]["spec"]
    assert spec == {"resourceAttributes": {"verb": "create", "resource": "pods", "group": "", "namespace": "shop"}}


def test_fewer_answers_than_questions_are_no_leave(stand_in: Path) -> None:
    with pytest.raises(ClusterError, match="asked for 1, got 0 answers"):
        answering(stand_in, "").can_i([Right(verb="get", resource="pods")])


@pytest.mark.parametrize(
    ("labels", "forced"),
    [
        pytest.param({"app.kubernetes.io/managed-by": "airgap"}, True, id="ours"),
        pytest.param({"app.kubernetes.io/managed-by": "Helm"}, False, id="helm's"),
        pytest.param(None, False, id="nobody's"),
    ],
)
def test_conflicts_are_won_on_what_is_ours(stand_in: Path, labels: dict[str, str] | None, forced: bool) -> None:
    """The stand-in refuses every apply; whether a forced one is tried is the question."""
    live = {**SECRET, "metadata": {**SECRET["metadata"], "labels": labels}}  # type: ignore[dict-item]
    told = 'Apply failed with 1 conflict: conflict with "kubectl-edit": .data.password'
    conflict = f"error: {told}\nPlease review the fields above--they currently have other managers."
    kubectl = answering(stand_in, live, stderr=conflict, code=1)
    # Only the apply fails: getting is answered with the object.
    stand_in.write_text(STAND_IN.replace("exit $(", 'case "$*" in *" get "*) exit 0;; esac\nexit $('))
    with pytest.raises(ClusterError) as caught:
        kubectl.apply([SECRET])
    assert ("--force-conflicts" in asked(stand_in)) is forced
    assert caught.value.what == f"secret shop/login: {told}"
    assert caught.value.reason == "conflict"


@pytest.mark.parametrize(
    ("words", "log"),
    [
        pytest.param('container "web" in pod "web" is waiting to start: ContainerCreating', "", id="before"),
        pytest.param('previous terminated container "web" in pod "web" not found', "", id="never-restarted"),
    ],
)
def test_containers_that_have_said_nothing(stand_in: Path, words: str, log: str) -> None:
    error = f"Error from server (BadRequest): {words}"
    assert answering(stand_in, stderr=error, code=1).logs("web", "web", namespace="shop") == log


def test_events_are_in_order_whatever_their_age(stand_in: Path) -> None:
    involved = {"kind": "Pod", "name": "web-1"}
    items = [
        {"involvedObject": involved, "reason": "B", "message": "two\n lines", "lastTimestamp": "2026-01-01T00:00:02Z"},
        {"involvedObject": involved, "reason": "C", "eventTime": "2026-01-01T00:00:03.000000Z", "lastTimestamp": None},
        {"involvedObject": involved, "reason": "A", "count": 7, "lastTimestamp": "2026-01-01T00:00:01Z"},
    ]
    kubectl = answering(stand_in, {"items": items})
    events = kubectl.events("shop", warnings=True)
    assert [str(event) for event in events] == ["A:  (7 times)", "B: two lines", "C: "]
    assert [event.reason for event in kubectl.events("shop", since="2026-01-01T00:00:02Z")] == ["B", "C"]
    assert "/api/v1/namespaces/shop/events?fieldSelector=type%3DWarning" in asked(stand_in)


def test_an_api_whose_server_is_away_hides_no_others() -> None:
    away = "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion"
    rows = "pods  po  v1  true  Pod  create,get\ndeployments  apps/v1  true  Deployment  create\n"
    found = kubectl(Answers((0, "v1\napps/v1\n", ""), (1, rows, away))).api_versions()
    assert found == ("apps/v1", "apps/v1/Deployment", "v1", "v1/Pod")
    with pytest.raises(ClusterError):
        kubectl(Answers((0, "v1\n", ""), (1, "", "error: Unauthorized"))).api_versions()
