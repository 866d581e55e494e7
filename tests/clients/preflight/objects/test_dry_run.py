"""Objects that are sent without anything coming of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ClusterError
from clients.cluster.kubectl import Kubectl
from clients.preflight.objects.dry_run import Answers, dry_run, key_of, pod_of
from clients.programs.process import Completed


def thing(kind: str, name: str = "x", *, group: str = "apps/v1", hook: str = "", **spec: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name}
    if hook:
        meta["annotations"] = {"helm.sh/hook": hook}
    return {"apiVersion": group, "kind": kind, "metadata": meta, **({"spec": spec} if spec else {})}


class Server:
    """Plays kubectl: `live` are there, `refuses` by name; keeps which objects were sent how, and where."""

    def __init__(self, *live: dict[str, Any], refuses: dict[str, str] | None = None) -> None:
        self.live, self.refuses = live, refuses or {}
        self.sent: list[tuple[str, str, list[str]]] = []

    def __call__(self, argv: Sequence[str], *, stdin: bytes, **_: Any) -> Completed:
        verb, items = argv[2], json.loads(stdin)["items"]
        names = [each["metadata"]["name"] for each in items]
        space = next(word.partition("=")[2] for word in argv if word.startswith("--namespace="))
        self.sent.append((verb, space, names))
        if verb == "get":
            found = [each for each in self.live if each["metadata"]["name"] in names]
            return Completed(code=0, stdout=json.dumps({"items": found}).encode() if found else b"", stderr="")
        assert "--dry-run=server" in argv
        bad = [name for name in names if name in self.refuses]
        good = [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in items]
        out = [line for line, name in zip(good, names, strict=True) if name not in bad]
        said = "\n".join(self.refuses[name] for name in bad)
        return Completed(code=1 if bad else 0, stdout="\n".join(out).encode(), stderr=said)


def ask(server: Server, *things: dict[str, Any], exists: bool = True, server_side: bool = False) -> Answers:
    kubectl = Kubectl(Path("kubectl"), runner=server)
    return dry_run(kubectl, things, namespace="n", exists=exists, server_side=server_side)


OLD = thing("ConfigMap", "old", group="v1")
NEW = thing("ConfigMap", "new", group="v1")


def test_what_is_there_is_applied_and_what_is_not_is_created() -> None:
    server = Server(OLD)
    answers = ask(server, OLD, NEW, thing("Secret", "s", group="v1"), thing("Job", "h", hook="pre-install"))
    assert answers == Answers(refusals=(), live={("", "ConfigMap", "old"): OLD})
    assert server.sent == [("get", "n", ["old", "new"]), ("apply", "n", ["old"]), ("create", "n", ["new", "s", "h"])]


def test_helm_4_applies_what_is_new_too() -> None:
    server = Server(OLD)
    ask(server, OLD, NEW, thing("Secret", "s", group="v1"), server_side=True)
    assert server.sent[1:] == [("apply", "n", ["old"]), ("apply", "n", ["new"]), ("create", "n", ["s"])]


def test_those_that_are_refused_are_asked_once_more_alone() -> None:
    server = Server(OLD, refuses={"old": "x is invalid: field is immutable", "other": "already exists"})
    (refusal,) = ask(server, OLD, NEW, thing("ConfigMap", "other", group="v1")).refusals
    assert (refusal.thing, refusal.live, refusal.text) == (OLD, OLD, "x is invalid: field is immutable")
    assert [names for verb, _, names in server.sent if verb == "apply"] == [["old"], ["old"]]


def test_words_of_server_side_apply_alone_count_only_for_what_helm_applies() -> None:
    typed = "failed to create typed patch object (n/old; v1, Kind=ConfigMap): duplicate entries for key"
    assert ask(Server(OLD, refuses={"old": typed}), OLD).refusals == ()
    assert ask(Server(OLD, refuses={"old": typed}), OLD, server_side=True).refusals == ()
    (refusal,) = ask(Server(refuses={"new": typed}), NEW, server_side=True).refusals
    assert refusal.text == typed
    managers = [{"manager": "helm", "operation": "Apply"}]
    ours = {**OLD, "metadata": {**OLD["metadata"], "managedFields": managers}}
    (refusal,) = ask(Server(ours, refuses={"old": typed}), OLD, server_side=True).refusals
    assert refusal.text == typed
    assert ask(Server(ours, refuses={"old": typed}), OLD).refusals == ()


def test_a_namespace_that_does_not_exist() -> None:
    moved = {**NEW, "metadata": {"name": "new", "namespace": "n"}}
    server = Server(refuses={"new": 'The ConfigMap "new" is invalid: data: Invalid value: ...', "q": "exceeded quota"})
    (refusal,) = ask(server, moved, thing("Service", "q", group="v1"), workload(), exists=False).refusals
    assert refusal.thing == NEW
    assert {space for verb, space, _ in server.sent if verb == "create"} == {"default"}
    assert not any("deployment-web" in names for _, _, names in server.sent)


def workload(kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}], **more}}
    return thing(kind, "web", template=template)


def test_a_pod_of_each_workload_is_created() -> None:
    server = Server(refuses={"deployment-web": 'violates PodSecurity "restricted:latest": x'})
    (refusal,) = ask(server, workload()).refusals
    assert (refusal.pod, refusal.thing["kind"]) == (True, "Deployment")


@pytest.mark.parametrize(
    "text", ["Pod is invalid: spec.x", 'error looking up service account n/default: serviceaccount "default" not found']
)
def test_what_is_wrong_with_the_template_is_told_of_the_workload_and_not_once_more(text: str) -> None:
    assert ask(Server(refuses={"deployment-web": text.replace("Pod is", 'The Pod "x" is')}), workload()).refusals == ()


def test_a_cluster_that_does_not_answer_is_no_refusal() -> None:
    with pytest.raises(ClusterError, match="connection refused"):
        ask(Server(refuses={"new": "dial tcp 127.0.0.1:1: connect: connection refused"}), NEW)


def test_a_pod_as_it_will_be() -> None:
    made = workload("Job", serviceAccountName="own", priorityClassName="mine", runtimeClassName="kata")
    pod = pod_of(made, brought=[thing("PriorityClass", "mine")])
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"a": "b"}, "name": "job-web"},
        "spec": {"containers": [{"name": "c"}], "runtimeClassName": "kata", "volumes": []},
    }


def test_volumes_of_a_stateful_set_and_the_template_of_a_cron_job() -> None:
    made = workload("StatefulSet")
    made["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    pod = pod_of(made, brought=[])
    assert pod
    assert pod["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]
    cron = thing("CronJob", "c", jobTemplate={"spec": {"template": {"spec": {"containers": []}}}})
    assert pod_of(cron, brought=[])
    assert pod_of(NEW, brought=[]) is None
    assert pod_of(thing("Deployment", template="x"), brought=[]) is None


def test_keys() -> None:
    assert key_of(workload()) == ("apps", "Deployment", "web")
    assert key_of({"kind": "X"}) == ("", "X", "None")
