"""Installs a release while looking after it: a cause that can't heal ends the wait, and is told with its last words."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from bundle.errors import ClusterError, ProgramError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.causes import causes
from clients.cluster.pods.trouble import Event, Patience, Trouble
from clients.cluster.pods.workloads import KINDS, WORKLOADS, NamespaceState, belongs, unready
from clients.cluster.release import Release
from clients.programs.process import masked

INTERVAL = 3.0  # seconds between two looks; each is two short kubectl runs
_LINES = 12
_EVENTS = 6


class ClusterView(Protocol):
    """What is looked at in a cluster; Kubectl is one."""

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        """All objects of some kinds."""

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        """What happened, oldest first."""

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        """The last lines that a container wrote."""


class Watch:
    """Looks after one release in one namespace, from its making on. Secrets are masked in what it tells."""

    def __init__(
        self,
        release: str,
        *,
        namespace: str,
        cluster: ClusterView,
        patience: Patience | None = None,
        secrets: Iterable[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._release = release
        self._namespace = namespace
        self._cluster = cluster
        self._patience = patience or Patience()
        self._secrets = secrets
        self._now = now
        self._before: NamespaceState | None = None
        self._since: dict[tuple[str, str, str], float] = {}
        self._told: dict[tuple[str, str, str], Trouble] = {}
        self._waiting: tuple[str, ...] = ()

    def begin(self) -> None:
        """Remember what is there before anything changes: older pods are not this upgrade's trouble."""
        self._before = self._snapshot()

    def look(self) -> Trouble | None:
        """Look once: a cause that has lasted longer than its patience, or None.

        A cluster that does not answer is no cause: it may be restarting, and helm has the last word.
        """
        snapshot = self._snapshot()
        if snapshot is None:
            return None
        members = list(snapshot.members(self._release, before=self._before))
        found = causes(snapshot, members, self._patience)
        now = self._now()
        self._since = {trouble.key: self._since.get(trouble.key, now) for trouble in found}
        # Told at first sight: a failed hook's pod may be gone a second later.
        for trouble in found:
            if trouble.key not in self._told:
                self._told[trouble.key] = self._with_last_words(trouble, snapshot)
        workloads = (each for each in members if each["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"))
        # What was missing last is kept: helm may have begun to undo all by now.
        self._waiting = tuple(lack for each in workloads if (lack := unready(each))) or self._waiting
        lasting = next((each for each in found if now - self._since[each.key] >= each.patience), None)
        return self._with_last_words(lasting, snapshot) if lasting else None

    def suspect(self) -> Trouble | None:
        """The likeliest cause among the troubles of the last look, or else of all that were seen; None without any."""
        now_seen = (self._told[key] for key in self._since)
        return next(iter([*now_seen, *reversed(self._told.values())]), None)

    def waiting(self) -> tuple[str, ...]:
        """What was not ready when anything was seen not to be, one line for each workload."""
        return self._waiting

    def _snapshot(self) -> NamespaceState | None:
        try:
            objects = self._cluster.list(KINDS, namespace=self._namespace)
            return NamespaceState.of(objects, self._cluster.events(self._namespace, warnings=True))
        except (ClusterError, ProgramError):
            return None

    def _with_last_words(self, trouble: Trouble, snapshot: NamespaceState) -> Trouble:
        """The trouble with its events and log; those told before stay when the pod has none any more."""
        earlier = self._told.get(trouble.key)
        kind = next((each["kind"] for each in snapshot.objects.values() if each["kind"].lower() == trouble.kind), "")
        events = tuple(str(event) for event in snapshot.about(kind, trouble.name))[-_EVENTS:]
        log = self._last_lines(trouble, snapshot)
        return replace(
            trouble,
            message=masked(trouble.message, self._secrets),
            events=tuple(masked(line, self._secrets) for line in events) or (earlier.events if earlier else ()),
            log=tuple(masked(line, self._secrets) for line in log) or (earlier.log if earlier else ()),
        )

    def _last_lines(self, trouble: Trouble, snapshot: NamespaceState) -> tuple[str, ...]:
        for pod, container, previous in _speakers(trouble, snapshot):
            try:
                text = self._cluster.logs(pod, container, namespace=self._namespace, lines=_LINES, previous=previous)
            except (ClusterError, ProgramError):
                continue
            if text.strip():
                return tuple(text.rstrip().splitlines())
        return ()


def watch(look: Callable[[], Trouble | None], stop: threading.Event, *, interval: float = INTERVAL) -> Trouble | None:
    """Look every `interval` seconds until there is a trouble, which is returned, or `stop` is set."""
    while not stop.wait(interval):
        if trouble := look():
            return trouble
    return None


def install_release(
    helm: Helm,
    watching: Watch,
    release: str,
    chart: Path,
    *,
    namespace: str,
    values: Path,
    timeout: float,
    description: str = "",
    interval: float = INTERVAL,
) -> Release:
    """`helm.upgrade_install`, looked after: a ReleaseError tells the cause, its events and last log lines.

    Recover the release first (`helm.recover`). When a cause can't heal, helm is stopped and undoes what it did.
    """
    watching.begin()
    found: list[Trouble] = []
    try:
        with _looking_after(watching, found, interval):
            return helm.upgrade_install(
                release,
                chart,
                namespace=namespace,
                values=values,
                timeout=timeout,
                description=description,
                cancelled=lambda: bool(found),
            )
    except (ReleaseError, ProgramError) as err:
        if not found and not watching.suspect():
            watching.look()  # a hook that failed at once; helm leaves it there when it undoes the rest
        raise _explained(err, found[0] if found else watching.suspect(), watching, release) from err


def unready_workloads(cluster: ClusterView, release: str, *, namespace: str) -> tuple[str, ...]:
    """What of a release is not ready, one line for each workload; none when all is. Hooks don't count."""
    found = (each for each in cluster.list(WORKLOADS, namespace=namespace) if belongs(each, release))
    return tuple(lack for each in found if (lack := unready(each)))


@contextmanager
def _looking_after(watching: Watch, found: list[Trouble], interval: float) -> Iterator[None]:
    """Look in a thread of its own while the body runs; `found` gets the trouble."""
    stop = threading.Event()

    def look() -> None:
        if trouble := watch(watching.look, stop, interval=interval):
            found.append(trouble)

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _explained(
    err: ReleaseError | ProgramError, trouble: Trouble | None, watching: Watch, release: str
) -> ReleaseError:
    if trouble:
        return ReleaseError(f"release {release!r} does not come up: {trouble}\n  helm: {err.what}", hint=trouble.hint)
    waiting = "".join(f"\n  waited for {line}" for line in watching.waiting())
    return ReleaseError(f"{err.what}{waiting}", hint=err.hint)


def _speakers(trouble: Trouble, snapshot: NamespaceState) -> Iterator[tuple[str, str, bool]]:
    """Pods and containers that may have said why, and whether before their last restart, in the order to ask them."""
    if trouble.container:
        yield trouble.name, trouble.container, trouble.reason == "CrashLoopBackOff"
    elif trouble.kind == "job":
        for pod in snapshot.objects.values():
            owners = pod["metadata"].get("ownerReferences") or ()
            if pod["kind"] == "Pod" and any((o["kind"], o["name"]) == ("Job", trouble.name) for o in owners):
                for container in pod["spec"]["containers"]:
                    yield pod["metadata"]["name"], container["name"], False
