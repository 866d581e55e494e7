"""Hook jobs that an earlier run left at work: helm deletes one of the same name before it makes its own."""

import re
from collections.abc import Collection, Iterator

from clients.cluster.pods.causes import causes
from clients.cluster.pods.containers import statuses
from clients.cluster.pods.trouble import Patience
from clients.cluster.pods.workloads import NamespaceState, Object, has_ended, instance

_HOOK = "helm.sh/hook"
_CHANGING = re.compile(r"\b(pre|post)-(install|upgrade|rollback|delete)\b")


def hooks_at_work(state: NamespaceState, release: str, names: Collection[str] | None) -> tuple[Object, ...]:
    """The release's hook jobs whose pods run, or are about to. One that can't start (its image is not there, nothing
    has room for it) or waits for its next try is not at work: nothing is cut off when it goes.

    `names` are those of the release's hook jobs, for one that bears no label; None: nobody knows them, so that any
    unlabelled one may be the release's.
    """
    return tuple(
        each
        for each in _hook_jobs(state)
        if instance(each) in ("", release)
        if instance(each) or names is None or each["metadata"]["name"] in names
        if _is_at_work(each, state)
    )


def unlabelled_hooks(state: NamespaceState) -> bool:
    """Whether there is a hook job at work of which only its name may tell whose it is."""
    return any(not instance(each) and _is_at_work(each, state) for each in _hook_jobs(state))


def pods_of(job: Object, state: NamespaceState) -> Iterator[Object]:
    """The pods that a job has made."""
    for each in state.objects.values():
        owner = state.owner(each) if each["kind"] == "Pod" else None
        if owner and owner["metadata"]["uid"] == job["metadata"]["uid"]:
            yield each


def _hook_jobs(state: NamespaceState) -> Iterator[Object]:
    for each in state.objects.values():
        hook = str((each["metadata"].get("annotations") or {}).get(_HOOK) or "")
        if each["kind"] == "Job" and _CHANGING.search(hook) and not has_ended(each):
            yield each


def _is_at_work(job: Object, state: NamespaceState) -> bool:
    pods = list(pods_of(job, state))
    if not pods:
        return bool((job.get("status") or {}).get("active"))
    return any(_runs(pod) or (_is_new(pod) and not causes(state, [pod], Patience())) for pod in pods)


def _runs(pod: Object) -> bool:
    return any("running" in (each.get("state") or {}) for each in statuses(pod))


def _is_new(pod: Object) -> bool:
    return bool((pod.get("status") or {}).get("phase", "Pending") == "Pending")
