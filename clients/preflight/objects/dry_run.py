"""What the API server says to objects before they are there: server-side dry runs, as helm would send them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.cluster.errors import cluster_error
from clients.cluster.kubectl import Kubectl, documents
from clients.cluster.manifests import Manifest

_MANAGER = "helm"  # the field manager of both helms
_ELSEWHERE = "default"  # is in every cluster
_HOOK = "helm.sh/hook"
_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}

Key = tuple[str, str, str]
"""Group, kind and name of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the API server said to one object; `live` is that of the cluster, None when it is to be created.

    `pod`: it was said to a pod made of the object's template.
    """

    thing: Manifest
    text: str
    live: Manifest | None = None
    pod: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All refusals of one batch, and the live objects by key."""

    refusals: tuple[Refusal, ...]
    live: Mapping[Key, Manifest] = field(default_factory=dict)


def dry_run(
    kubectl: Kubectl, things: Sequence[Manifest], *, namespace: str, exists: bool, server_side: bool
) -> Answers:
    """Send a release's objects of one namespace, and a pod of each workload, without anything coming of it.

    Objects that are there are applied, any others are created (`server_side`: applied too, as helm 4 does). In a
    namespace that does not exist they are created in another one, and only what is wrong with themselves is refused;
    pods are left out there.
    """
    hooks = [each for each in things if _hook(each)]
    plain = [each for each in things if not _hook(each) and each.get("kind") != "Pod"]
    live = _live(kubectl, [each for each in plain if each.get("kind") != "Secret"], namespace)
    new = [each for each in plain if key_of(each) not in live]
    old = [each for each in plain if key_of(each) in live]
    refusals = list(_apply(kubectl, old, namespace, live, server_side=server_side))
    if not exists:
        moved = [_moved(each) for each in (*new, *hooks) if each.get("kind") != "Pod"]
        refusals += (each for each in _create(kubectl, moved, _ELSEWHERE) if _is_its_own(each.text))
        return Answers(refusals=tuple(refusals), live=live)
    applied = [each for each in new if server_side and each.get("kind") != "Secret"]
    created = [each for each in new if each not in applied]
    refusals += _apply(kubectl, applied, namespace, live, server_side=True)
    refusals += _create(kubectl, [*created, *(each for each in hooks if each.get("kind") != "Pod")], namespace)
    refusals += _pods(kubectl, things, namespace, live)
    return Answers(refusals=tuple(refusals), live=live)


def dry_run_namespace(kubectl: Kubectl, name: str) -> Answers:
    """What is said to a namespace that is to be made; nothing comes of it."""
    thing = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return Answers(refusals=tuple(_create(kubectl, [thing], _ELSEWHERE)))


def key_of(thing: Mapping[str, Any]) -> Key:
    """What tells an object from others of its namespace."""
    group = str(thing.get("apiVersion") or "").rpartition("/")[0]
    return group, str(thing.get("kind")), str((thing.get("metadata") or {}).get("name"))


def _hook(thing: Mapping[str, Any]) -> bool:
    return _HOOK in ((thing.get("metadata") or {}).get("annotations") or {})


def _moved(thing: Manifest) -> Manifest:
    return {**thing, "metadata": {key: value for key, value in thing["metadata"].items() if key != "namespace"}}


def _is_its_own(text: str) -> bool:
    """Whether an object is wrong in any namespace."""
    return bool(re.search(r" is invalid: |cannot be handled as|strict decoding", text))


def _live(kubectl: Kubectl, things: Sequence[Manifest], namespace: str) -> Mapping[Key, Manifest]:
    """Those that are there, as far as they may be looked at."""
    named = [each for each in things if (each.get("metadata") or {}).get("name")]
    if not named:
        return {}
    argv = ["get", "--filename=-", "--ignore-not-found", "--output=json", "--show-managed-fields"]
    argv += [f"--namespace={namespace}"]
    done = kubectl.run(argv, subject=f"objects of namespace {namespace!r}", objects=named)
    if done.code and not done.stdout.strip():
        error = cluster_error(done.stderr, subject="the cluster")
        if error.reason not in ("forbidden", "not found"):
            raise error
        return {}
    items = [item for each in documents(done, "the cluster") for item in each.get("items", [each])]
    return {key_of(each): each for each in items}


def _applied(live: Mapping[str, Any]) -> bool:
    """Whether helm 4 made an object by server-side apply; those that helm 3 made it goes on to patch."""
    managers = (live.get("metadata") or {}).get("managedFields") or ()
    return any(each.get("manager") == _MANAGER and each.get("operation") == "Apply" for each in managers)


def _apply(
    kubectl: Kubectl,
    things: Sequence[Manifest],
    namespace: str,
    live: Mapping[Key, Manifest],
    *,
    server_side: bool,
) -> Iterator[Refusal]:
    argv = ["apply", "--server-side", "--force-conflicts"]
    for thing, text in _refused(kubectl, argv, things, namespace):
        there = live.get(key_of(thing))
        typed = "typed patch object" in text  # what only server-side apply says
        if not (typed and there and not (server_side and _applied(there))):
            yield Refusal(thing=thing, text=text, live=there)


def _create(kubectl: Kubectl, things: Sequence[Manifest], namespace: str) -> Iterator[Refusal]:
    for thing, text in _refused(kubectl, ["create"], things, namespace):
        if "already exists" not in text:
            yield Refusal(thing=thing, text=text)


def _refused(
    kubectl: Kubectl, verb: Sequence[str], things: Sequence[Manifest], namespace: str
) -> Iterator[tuple[Manifest, str]]:
    """Those of the objects that are refused, with what was said: all are sent at once, and these once more alone."""
    if not things:
        return
    argv = [*verb, "--dry-run=server", "--validate=false", f"--field-manager={_MANAGER}", "--filename=-"]
    argv += ["--output=name", f"--namespace={namespace}"]
    done = kubectl.run(argv, subject=f"objects of namespace {namespace!r}", objects=things)
    if done.code == 0:
        return
    good = set(done.text.split())
    if not good and (error := cluster_error(done.stderr, subject="the cluster")).reason == "unreachable":
        raise error
    for thing in things:
        if _output_name(thing) not in good:
            alone = kubectl.run(argv, subject=_output_name(thing), objects=[thing])
            if alone.code:
                yield thing, alone.stderr


def _output_name(thing: Mapping[str, Any]) -> str:
    group, kind, name = key_of(thing)
    return f"{kind.lower()}.{group}/{name}" if group else f"{kind.lower()}/{name}"


def _pods(
    kubectl: Kubectl, things: Sequence[Manifest], namespace: str, live: Mapping[Key, Manifest]
) -> Iterator[Refusal]:
    """A pod of each template; what it would be invalid for is said to the template already."""
    owners = {}
    for thing in things:
        if pod := pod_of(thing, brought=things):
            owners[str(pod["metadata"]["name"])] = (thing, pod)
    for pod, text in _refused(kubectl, ["create"], [pod for _, pod in owners.values()], namespace):
        thing, _ = owners[str(pod["metadata"]["name"])]
        own = thing.get("kind") == "Pod"
        if "already exists" in text or (not own and _is_its_own(text)) or "service account" in text:
            continue
        yield Refusal(thing=thing, text=text, live=live.get(key_of(thing)), pod=True)


def pod_of(thing: Mapping[str, Any], *, brought: Iterable[Mapping[str, Any]]) -> Manifest | None:
    """A pod as the controllers make it of a workload's template; None for any other object.

    What the release brings itself is not asked for: the service account, priority and runtime classes.
    """
    path = _TEMPLATES.get(str(thing.get("kind")))
    template: Any = thing
    for step in path or ():
        template = template.get(step) if isinstance(template, dict) else None
    if path is None or not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return None
    classes = {(str(each.get("kind")), key_of(each)[2]) for each in brought}
    spec = {
        key: value for key, value in template["spec"].items() if key not in ("serviceAccountName", "serviceAccount")
    }
    for kind, name in (("PriorityClass", "priorityClassName"), ("RuntimeClass", "runtimeClassName")):
        if (kind, spec.get(name)) in classes:
            del spec[name]
    claims = (thing.get("spec") or {}).get("volumeClaimTemplates") if thing.get("kind") == "StatefulSet" else None
    spec["volumes"] = [
        *(spec.get("volumes") or ()),
        *({"name": (each.get("metadata") or {}).get("name"), "emptyDir": {}} for each in claims or ()),
    ]
    meta = template.get("metadata") or {}
    kept = {key: meta[key] for key in ("labels", "annotations") if meta.get(key)}
    name = f"{str(thing.get('kind')).lower()}-{key_of(thing)[2]}"[:60].rstrip("-.")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**kept, "name": name}, "spec": spec}
