"""A cluster that somebody else named: a rehearsal changes nothing that is there, and removes only what it made."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from bundle.errors import ProblemsError, storage_errors
from bundle.formats.sizes import counted
from bundle.storage.private import make_private
from schema.site.stand_ins.rehearsal import MADE, MARK
from schema.spec.install import InstallSpec

_RELEASE_SECRET = "sh.helm.release.v1."  # noqa: S105 - the name of Helm's own secrets, which hold a release
_SHOWN = 3  # objects of a namespace that are named; the rest is counted
# What a cluster puts into each namespace by itself, and policies, which are no application's.
_OF_THE_CLUSTER = (
    "configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt", "configmap/istio-ca-root-cert",
    "serviceaccount/default", "serviceaccount/builder", "serviceaccount/deployer", "secret/default-token-",
    "secret/default-dockercfg-", "secret/builder-", "secret/deployer-", "event/", "event.events.k8s.io/",
    "resourcequota/", "limitrange/", "networkpolicy.networking.k8s.io/",
    "rolebinding.rbac.authorization.k8s.io/system:",
)  # fmt: skip


class NamedCluster(Protocol):
    """What is asked of the cluster, and done there."""

    def get(self, kind: str, name: str, *, namespace: str = "") -> Mapping[str, Any] | None: ...
    def names(self, namespace: str) -> Sequence[str]: ...
    def annotate(self, kind: str, name: str, values: Mapping[str, str | None]) -> None: ...
    def create(self, thing: Mapping[str, Any]) -> None: ...


@dataclass(kw_only=True)
class BorrowedCluster:
    """The cluster of a kubeconfig for one rehearsal, whose mark is `id`.

    `marks` is a directory of this machine's that remembers the marks of rehearsals: a file each, locked while it runs.
    `remove` uninstalls what the spec names, `drop` deletes a namespace with all that is in it.
    """

    cluster: NamedCluster
    id: str
    marks: Path
    remove: Callable[[], object]
    drop: Callable[[str], object]
    say: Callable[[str], None]
    _taken: list[str] = field(default_factory=list)
    _running: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def take(self, install: InstallSpec) -> None:
        """Mark the namespaces of an installation, and make those that are missing.

        A ProblemsError, before anything was changed, names all releases, secrets and other objects that are there.
        What an earlier rehearsal of this machine left when it was killed is removed first.
        """
        spaces = install.namespaces
        self._clean(spaces)
        if problems := [problem for name in spaces for problem in self._used(name, install)]:
            raise ProblemsError(
                "the named cluster is in use, and a rehearsal changes nothing that is there:",
                problems,
                hint="name a cluster without them, for example a new one of kind; nothing was changed",
            )
        with storage_errors("note the mark of this rehearsal", self.marks):
            make_private(self.marks)
            file = self._running.enter_context((self.marks / self.id).open("wb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        for name in spaces:
            self._taken.append(name)
            if self.cluster.get("namespace", name) is None:
                marks = {MARK: self.id, MADE: "true"}
                self.cluster.create(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": marks}}
                )
            else:
                self.cluster.annotate("namespace", name, {MARK: self.id})

    def give_back(self) -> Sequence[str]:
        """Remove what the rehearsal made; what is left in namespaces that were there before is returned in words."""
        if not self._taken:
            return ()
        left = list(self._remove(self._taken, {self.id}))
        self._taken = []
        (self.marks / self.id).unlink(missing_ok=True)
        return left

    def _clean(self, spaces: Sequence[str]) -> None:
        """Remove the leavings of this machine's killed rehearsals."""
        noted = set(self._killed())
        stale = [name for name in spaces if noted and self._mark(name) in noted]
        left = {self._mark(name) for name in stale}
        if stale:
            self.say(f"removing what a rehearsal that was killed has left in {', '.join(stale)}")
            for text in self._remove(stale, noted):
                self.say(text)
            for mark in left:
                (self.marks / mark).unlink(missing_ok=True)

    def _remove(self, spaces: Sequence[str], marks: set[str]) -> Iterator[str]:
        there = [name for name in spaces if self.cluster.get("namespace", name) is not None]
        ours = [name for name in there if self._mark(name) in marks]
        if lost := sorted({*there} - {*ours}):  # a real installation takes the mark away
            yield f"namespace {', '.join(lost)} has lost the mark of the rehearsal: nothing was removed"
            return
        self.remove()
        for name in ours:
            if self._annotations(name).get(MADE):
                self.drop(name)
                continue
            self.cluster.annotate("namespace", name, {MARK: None})
            if objects := self._objects(name):
                yield f"namespace {name!r} still holds {_some(objects)}, which were not there before"

    def _used(self, name: str, install: InstallSpec) -> Iterator[str]:
        if self.cluster.get("namespace", name) is None:
            return
        if mark := self._mark(name):
            yield (
                f"namespace {name!r} has the mark of another rehearsal ({mark}): when that is not running any more, "
                f"remove it: kubectl delete namespace {name}"
            )
            return
        objects = self._objects(name)
        for release in (each.name for each in install.releases if each.namespace == name):
            told = [each for each in objects if each.startswith(f"secret/{_RELEASE_SECRET}{release}.v")]
            objects = [each for each in objects if each not in told]
            if told:
                yield f"release {release!r} is installed in namespace {name!r}"
        for secret in (each.name for each in install.secrets if name in each.namespaces):
            if f"secret/{secret}" in objects:
                objects.remove(f"secret/{secret}")
                yield f"secret {secret!r} is there in namespace {name!r}"
        if objects:
            yield f"namespace {name!r} holds {_some(objects)}"

    def _objects(self, name: str) -> list[str]:
        return [each for each in self.cluster.names(name) if not each.startswith(_OF_THE_CLUSTER)]

    def _annotations(self, name: str) -> Mapping[str, str]:
        found = self.cluster.get("namespace", name) or {}
        return (found.get("metadata") or {}).get("annotations") or {}

    def _mark(self, name: str) -> str:
        return self._annotations(name).get(MARK, "")

    def _killed(self) -> Iterator[str]:
        """The marks of rehearsals of this machine that are not running any more."""
        for path in sorted(self.marks.iterdir()) if self.marks.is_dir() else ():
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            finally:
                os.close(handle)
            yield path.name


def _some(objects: Sequence[str]) -> str:
    more = len(objects) - _SHOWN
    return ", ".join(objects[:_SHOWN]) + (f" and {counted(more, 'other object')}" if more > 0 else "")
