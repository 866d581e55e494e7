"""Waiting for what a cluster does by itself: what is waited for is said again and again, and why it takes so long."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bundle.errors import ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.hooks import hooks_at_work, pods_of, unlabelled_hooks
from clients.cluster.pods.trouble import Trouble
from clients.cluster.pods.watch import INTERVAL, Watch
from clients.cluster.pods.workloads import Object

_TRIES = 3  # looks, at a cluster that does not answer; helm has the last word on that
_ANSWERS = 2  # looks in a row; right after an upgrade an old pod may answer once more

Say = Callable[[str], None]
"""Told again and again what is waited for, on one line; whoever prints it takes care that it is not too often."""

Answers = Sequence[tuple[str, str]]
"""What is wrong with what a release answers, each with the next step."""


def silent(_: str) -> None:
    """Tells nobody."""


def await_ready(
    watching: Watch,
    *,
    timeout: float,
    steady: float | None = None,
    ask: Callable[[], Answers] | None = None,
    free: bool = False,
    interval: float = INTERVAL,
    say: Say = silent,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until workloads are ready, their pods for `steady` seconds (None: by their probes), and nothing is wrong
    with what `ask` finds, twice in a row; a ReleaseError tells what is not, at the latest after `timeout` seconds. With
    `free`, pods that a StatefulSet can't replace by itself are removed.
    """
    deadline, answered = now() + timeout, 0
    watching.begin(anew=False)
    while True:
        trouble = watching.look(last=now() >= deadline)
        if free:
            watching.free()
        if watching.refusal and watching.is_refused:
            raise watching.refusal
        if trouble:
            what = f"release {watching.release!r} is deployed, but its pods fail: {trouble}{also(trouble, watching)}"
            raise ReleaseError(what, hint=trouble.hint)
        lacking = [*watching.lacking(), *watching.unsteady(steady)]
        answers = ask() if ask and not watching.lacking() else ()
        answered = answered + 1 if ask and not watching.lacking() and not answers else 0
        if not lacking and not answers and (not ask or answered >= _ANSWERS):
            return
        if now() >= deadline:
            raise _not_ready(watching, timeout, lacking, answers)
        say(watching.progress() or next(iter([*lacking, *(what for what, _ in answers)]), "its answer"))
        pause(interval)


def let_hooks_end(
    helm: Helm,
    watching: Watch,
    *,
    timeout: float,
    interval: float = INTERVAL,
    say: Say = silent,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until no hook job of an earlier run is at work any more; whether there was one. It may be in the middle of a
    migration, and is never deleted: one still at work after `timeout` seconds is a ReleaseError, before helm begins.
    """
    deadline, earlier = now() + timeout, watching
    for _ in range(_TRIES):
        if earlier.latest is None and not earlier.is_refused:
            earlier.look()
    while hooks := _hooks_at_work(helm, earlier):
        named = ", ".join(each["metadata"]["name"] for each in hooks)
        if now() >= deadline:
            job = f"job/{hooks[0]['metadata']['name']} --namespace {watching.namespace}"
            raise ReleaseError(
                f"release {watching.release!r}: hook job {named} of an earlier run is still at work after "
                f"{timeout:.0f} s; it is not cut off, for it may be in the middle of a migration",
                hint=f"see what it does: kubectl logs {job}; when it has ended, or when you have removed it "
                f"(kubectl delete {job}), run the install again",
            )
        earlier = watching.afresh() if earlier is watching else earlier
        pods = {pod["metadata"]["uid"] for job in hooks if earlier.latest for pod in pods_of(job, earlier.latest)}
        said = next((each.brief for each in earlier.suspects() if each.uid in pods), "it is at work")
        say(f"hook job {named} of an earlier run, which is not cut off: {said}")
        pause(interval)
        earlier.look()
    return earlier is not watching


@contextmanager
def looking_after(watching: Watch, found: list[Trouble], interval: float, say: Say) -> Iterator[None]:
    """Look again and again while the body runs; `found` gets the first trouble that will not heal."""

    def look() -> None:
        trouble = watching.look()
        if trouble and not found:
            found.append(trouble)
        watching.free()
        if text := watching.progress():
            say(text)

    with meanwhile(look, interval):
        yield


@contextmanager
def meanwhile(work: Callable[[], None], interval: float) -> Iterator[None]:
    """Do something every `interval` seconds, in a thread of its own, until the body has ended."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(interval):
            work()

    thread = threading.Thread(target=loop, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def also(first: Trouble, watching: Watch) -> str:
    """The other suspects, one line for each object and not the same thing twice."""
    others = {each.message: each for each in watching.suspects() if first.name != each.name}
    others.pop(first.message, None)
    return "".join(f"\n  also: {each.brief}" for each in list(others.values())[:3])


def _hooks_at_work(helm: Helm, watching: Watch) -> tuple[Object, ...]:
    state = watching.latest
    if state is None:
        return ()
    names = helm.hook_jobs(watching.release, namespace=watching.namespace) if unlabelled_hooks(state) else None
    return hooks_at_work(state, watching.release, names)


def _not_ready(watching: Watch, timeout: float, lacking: Sequence[str], answers: Answers) -> ReleaseError:
    suspects = watching.suspects()
    lines = [*lacking, *(what for what, _ in answers), *(str(each) for each in suspects[:1])]
    told = "".join("\n  " + line.replace("\n", "\n  ") for line in lines)
    others = also(suspects[0], watching) if suspects else ""
    hints = [each.hint for each in suspects[:1]] or [hint for _, hint in answers if hint]
    return ReleaseError(
        f"release {watching.release!r} is deployed, but not healthy after {timeout:.0f} s:{told}{others}",
        hint=next(iter(hints), "doit diagnose gathers all that the cluster says about it"),
    )
