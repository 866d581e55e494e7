"""Installs, takes back and removes releases while looking after them.

A cause that will not heal ends a wait, and is told with its last words, which are gathered before anything is removed.
"""

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bundle.errors import AirgapError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.trouble import Trouble
from clients.cluster.pods.watch import INTERVAL, Watch
from clients.cluster.pods.workloads import Object
from clients.cluster.release import DEPLOYED, Release, last_good
from clients.cluster.waiting import Say, also, await_ready, let_hooks_end, looking_after, meanwhile, silent

_SETTLING = 30.0  # seconds in which a rollback's pods take the place of those that failed
_WAITED = re.compile(
    r"timed out|deadline exceeded|not ready|cancell?ed|BackoffLimitExceeded|hooks? failed|exited without"
)
_STOPPED = re.compile(r"context cancell?ed$")  # by us
_GRACE = 30  # seconds that Kubernetes gives a pod to end, when the pod does not say
_BEYOND = 15.0  # seconds more, for node and API server


def install_release(
    helm: Helm,
    watching: Watch,
    chart: Path,
    *,
    before: int,
    values: Path,
    timeout: float,
    description: str = "",
    skip_schema: bool = False,
    interval: float = INTERVAL,
    say: Say = silent,
) -> Release:
    """`helm upgrade --install`, looked after; `before` is the revision that is there now, 0 for none.

    Recover the release first (`helm.recover`). When it fails, or a cause will not heal, it is taken back: an upgrade to
    the last revision that was deployed, a first install is removed. A ReleaseError tells the cause, its events and last
    log lines, and what has become of the release.
    """
    watching.begin()
    if let_hooks_end(helm, watching, timeout=timeout, interval=interval, say=say):
        watching.begin()
    found: list[Trouble] = []
    try:
        with looking_after(watching, found, interval, say):
            return helm.upgrade_install(
                watching.release,
                chart,
                namespace=watching.namespace,
                values=values,
                timeout=timeout,
                description=description,
                skip_schema=skip_schema,
                cancelled=lambda: bool(found),
            )
    except AirgapError as err:
        watching.look(last=True)
        ending = _taken_back(helm, watching, before, timeout=timeout, interval=interval, say=say)
        if not found and not ending:
            raise
        raise _explained(err, found, watching, ending) from err


def return_to(
    helm: Helm, watching: Watch, revision: int, *, timeout: float, interval: float = INTERVAL, say: Say = silent
) -> None:
    """Make a new revision like an old one, and wait until its workloads are ready: a ReleaseError tells what is not.

    Helm itself does not wait, so that the release is never left pending.
    """
    back = watching.afresh(floor=_SETTLING)
    back.begin(anew=False)
    try:
        with looking_after(back, [], interval, say):
            helm.rollback(back.release, revision, namespace=back.namespace, timeout=timeout, wait=False)
    except ReleaseError as err:
        by_hand = f"by hand: helm rollback {back.release} {revision} --namespace {back.namespace}"
        raise ReleaseError(err.what, hint=f"{err.hint}; {by_hand}" if err.hint else by_hand) from err
    await_ready(back, timeout=timeout, steady=0.0, free=True, interval=interval, say=say)


def remove_release(
    helm: Helm, watching: Watch, *, timeout: float, interval: float = INTERVAL, say: Say = silent,
    now: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:  # fmt: skip
    """Uninstall a release and wait until its pods have ended; returns those that have not when their time is up."""
    watching.look()
    pods = watching.pods()
    with meanwhile(lambda: say("its objects are being removed"), interval):
        helm.uninstall(watching.release, namespace=watching.namespace, timeout=timeout)
    grace = max((each["spec"].get("terminationGracePeriodSeconds", _GRACE) for each in pods.values()), default=0)
    deadline = now() + min(timeout, grace + _BEYOND)
    while left := _left(watching, pods):
        if now() >= deadline:
            return left
        say(f"{', '.join(left)}: not ended yet")
        pause(interval)
    return ()


def _left(watching: Watch, pods: dict[str, Object]) -> tuple[str, ...]:
    """Those of the pods that are still there; a cluster that does not answer has none that are known."""
    if not pods:
        return ()
    watching.look()
    there = watching.latest.objects if watching.latest else {}
    return tuple(f"pod {each['metadata']['name']}" for uid, each in pods.items() if uid in there)


def _taken_back(helm: Helm, watching: Watch, before: int, *, timeout: float, interval: float, say: Say) -> str:
    """Undo what a failed helm did to a release; returns what has become of it, empty when nothing had been done."""
    release, namespace = watching.release, watching.namespace
    try:
        history = helm.history(release, namespace=namespace)
    except AirgapError as err:
        return f"it is not known what became of it: {err.what}\n  the next install looks at it, and puts it right"
    newest = history[-1] if history else None
    if newest is None or newest.revision <= before or newest.status == DEPLOYED:
        return ""
    good = last_good(history)
    try:
        if not before:
            with meanwhile(lambda: say("what was installed is being removed again"), interval):
                helm.uninstall(release, namespace=namespace, timeout=timeout)
            return "what was installed of it was removed again"
        if good is None:
            return f"it is left {newest.status} at revision {newest.revision}: none before it was ever deployed"
        told = f"rolled back to revision {good.revision} ({good.chart})"
        back = partial(_rolling_back, say)
        return_to(helm, watching, good.revision, timeout=timeout, interval=interval, say=back)
    except AirgapError as err:
        return _not_taken_back(helm, watching, good, err)
    return told


def _rolling_back(say: Say, text: str) -> None:
    say(f"rolling back: {text}")


def _not_taken_back(helm: Helm, watching: Watch, good: Release | None, err: AirgapError) -> str:
    """What is to be done by hand where a release could not be taken back."""
    release, namespace, why = watching.release, watching.namespace, err.what.replace("\n", "\n  ")
    command = f"helm rollback {release} {good.revision}" if good else f"helm uninstall {release}"
    try:
        now = helm.status(release, namespace=namespace)
    except AirgapError:
        now = None
    if now and good and now.status == DEPLOYED:
        return f"it was rolled back to revision {good.revision} ({good.chart}), which does not come up either: {why}"
    found = f"it is {now.status} at revision {now.revision}" if now else "it is not known what became of it"
    return (
        f"it could not be taken back, {found}: {why}\n"
        f"  the next install puts it right, or by hand: {command} --namespace {namespace}"
    )


def _explained(err: AirgapError, found: Sequence[Trouble], watching: Watch, ending: str) -> ReleaseError:
    """What failed and why, and what has become of the release. Helm's own words count where no cause was seen."""
    # Where helm was refused, what it found there is not why; nor was anything given the time to be ready.
    suspects = watching.suspects() if _WAITED.search(err.what) else ()
    trouble = next(iter([*found, *suspects]), None)
    waiting = "".join(f"\n  waited for {line}" for line in watching.waiting())
    last = f"\n  {ending}" if ending else ""
    if trouble is None:
        return ReleaseError(f"{err.what}{waiting}{last}", hint=err.hint)
    slow = "; if it is only slow, raise the release's timeout" if trouble.waits else ""
    what = f"release {watching.release!r} does not come up: {trouble}{also(trouble, watching)}"
    helm = "" if found and _STOPPED.search(err.what) else f"\n  helm: {err.what}"
    told = f"{what}{waiting if trouble.waits else ''}{helm}{last}"
    return ReleaseError(told, hint=f"{trouble.hint}{slow}")
