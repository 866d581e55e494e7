"""The Kubernetes API through the kubectl command: objects as plain JSON, in and out by standard input and output."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import ClusterError, FormatError, ProgramError
from bundle.formats import strict_json
from bundle.formats.versions import Version
from clients.cluster.errors import cluster_error
from clients.cluster.pods.trouble import Event
from clients.programs.process import Completed, Runner, masked, run

FIELD_MANAGER = "airgap"
OWNER_LABEL = "app.kubernetes.io/managed-by"  # its value is FIELD_MANAGER on what is ours
OLDEST_KUBECTL = Version(major=1, minor=22)  # server-side apply is stable since
_KEYS_TEMPLATE = (
    "--output=go-template={{range .items}}{{.metadata.name}} {{.type}}:{{range $key, $_ := .data}} {{$key}}{{end}}"
    '{{"\\n"}}{{end}}'
)
_NO_LOG = "unable to retrieve container logs for "  # what kubelet answers, as if it were the log
_PARTIAL = "unable to retrieve the complete list of server APIs"
_REQUEST_SECONDS = 30
_PROCESS_SECONDS = 180.0

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What kubectl is, and the cluster it talks to."""

    client: Version
    server: Version


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """Leave to do `verb` on a resource, named in the plural as RBAC does; an empty namespace means all of them."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        named = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {named} " + (f"in namespace {self.namespace!r}" if self.namespace else "in all namespaces")


class Kubectl:
    """One cluster. Every failure is a ClusterError that names the object, or a ProgramError; safe for several threads.

    Without `kubeconfig` and `context`, what KUBECONFIG or ~/.kube/config say.
    """

    def __init__(
        self, program: Path | str, *, kubeconfig: Path | None = None, context: str = "", runner: Runner = run
    ) -> None:
        self._base = [str(program), f"--request-timeout={_REQUEST_SECONDS}s"]
        self._base += [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        self._base += [f"--context={context}"] if context else []
        self._runner = runner

    def version(self) -> Versions:
        """Ask both for their versions; a kubectl that is too old is a ProgramError."""
        subject = "the cluster"
        done = self.run(["version", "--output=json"], subject=subject)
        data = _object(done, subject) if done.stdout.strip().startswith(b"{") else {}
        try:
            client = Version.parse(data["clientVersion"]["gitVersion"])
            if client < OLDEST_KUBECTL:
                raise ProgramError(
                    f"kubectl is {client}, expected {OLDEST_KUBECTL} or later", hint="install a newer kubectl"
                )
            return Versions(client=client, server=Version.parse(data["serverVersion"]["gitVersion"]))
        except (KeyError, TypeError, FormatError) as err:
            raise cluster_error(done.stderr, subject=subject) from err

    def get(self, kind: str, name: str, *, namespace: str = "") -> JsonObject | None:
        """One object (`kind` as kubectl takes it: secret, deployments.apps); None when there is none."""
        subject = _named(kind, name, namespace)
        argv = ["get", kind, name, "--ignore-not-found", "--output=json", *_in(namespace)]
        done = self._ok(self.run(argv, subject=subject), subject)
        return _object(done, subject) if done.stdout.strip() else None

    def exists(self, kind: str, name: str, *, namespace: str = "") -> bool:
        """Whether there is such an object; nothing that it holds leaves kubectl."""
        subject = _named(kind, name, namespace)
        argv = ["get", kind, name, "--ignore-not-found", "--output=name", *_in(namespace)]
        return bool(self._ok(self.run(argv, subject=subject), subject).stdout.strip())

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[JsonObject]:
        """All objects of one kind or several (`pods,jobs.batch`); an empty namespace means all of them.

        `selector` is a label selector.
        """
        subject = f"{kind} in {f'namespace {namespace!r}' if namespace else 'all namespaces'}"
        argv = ["get", kind, "--output=json", *(_in(namespace) or ["--all-namespaces"])]
        argv += [f"--selector={selector}"] if selector else []
        return _items(_object(self._ok(self.run(argv, subject=subject), subject), subject))

    def api_versions(self) -> tuple[str, ...]:
        """The APIs that answer, as charts may ask for them (as helm sees them): GROUP/VERSION, GROUP/VERSION/KIND."""
        subject = "the cluster's APIs"
        groups = self._ok(self.run(["api-versions"], subject=subject), subject).text.split()
        argv = ["api-resources", "--no-headers", "--output=wide"]
        done = self.run(argv, subject=subject)
        rows = [row.split() for row in (done if _PARTIAL in done.stderr else self._ok(done, subject)).text.splitlines()]
        kinds = (_kind_of(row) for row in rows)
        return tuple(sorted({*groups, *(kind for kind in kinds if kind)}))

    def names(self, namespace: str) -> tuple[str, ...]:
        """All objects of a namespace, of every kind that the cluster lists, as `kind.group/name`."""
        subject = f"what is in namespace {namespace!r}"
        argv = ["api-resources", "--verbs=list", "--namespaced", "--output=name"]
        kinds = self._ok(self.run(argv, subject=subject), subject).text.split()
        argv = ["get", ",".join(kinds), "--output=name", *_in(namespace)]
        return tuple(self._ok(self.run(argv, subject=subject), subject).text.split())

    def annotate(self, kind: str, name: str, values: Mapping[str, str | None], *, namespace: str = "") -> None:
        """Set annotations of an object, and take away those that are None."""
        subject = _named(kind, name, namespace)
        changes = [f"{key}-" if value is None else f"{key}={value}" for key, value in values.items()]
        argv = ["annotate", "--overwrite", kind, name, *changes, *_in(namespace)]
        self._ok(self.run(argv, subject=subject), subject)

    def raw(self, path: str) -> JsonObject:
        """GET an API path such as /readyz or /api/v1/nodes, without discovery: the fastest way to look."""
        subject = f"the cluster's {path.partition('?')[0]}"
        return _object(self._ok(self.run(["get", "--raw", path], subject=subject), subject), subject)

    def apply(
        self, objects: Sequence[Mapping[str, Any]], *, field_manager: str = FIELD_MANAGER, dry_run: bool = False
    ) -> tuple[str, ...]:
        """Create or change objects by server-side apply, and return their names as `kind/name`.

        Fields that somebody else set to other values are a conflict. On objects that carry our label the spec wins: a
        hand edit there is drift. On any others it is an error that names the owner, for they are not ours to take.
        """
        if not objects:
            return ()
        subject = ", ".join(_object_named(each) for each in objects)
        argv = ["apply", "--server-side", f"--field-manager={field_manager}", "--filename=-", "--output=name"]
        argv += ["--dry-run=server"] if dry_run else []
        done = self.run(argv, subject=subject, objects=objects)
        if done.code and _is_conflict(done, subject) and self._all_ours(objects):
            done = self.run([*argv, "--force-conflicts"], subject=subject, objects=objects)
        return tuple(self._ok(done, subject).text.split())

    def create(self, thing: Mapping[str, Any]) -> None:
        """Create an object; a ClusterError with the reason `exists`, and no change, when there is one."""
        subject = _object_named(thing)
        argv = ["create", f"--field-manager={FIELD_MANAGER}", "--filename=-", "--output=name"]
        self._ok(self.run(argv, subject=subject, objects=[thing]), subject)

    def delete(self, kind: str, name: str, *, namespace: str = "", wait: bool = True) -> bool:
        """Remove an object; False when there was none. `wait`: until its finalizers are through."""
        subject = _named(kind, name, namespace)
        argv = ["delete", kind, name, "--ignore-not-found", "--output=name", f"--wait={str(wait).lower()}"]
        return bool(self._ok(self.run([*argv, *_in(namespace)], subject=subject), subject).stdout.strip())

    def can_i(self, rights: Iterable[Right]) -> tuple[Right, ...]:
        """The rights of these that the account does not have, in order; one program run asks for all.

        By SelfSubjectAccessReview, which every authorizer answers; a rules review may leave some of them out.
        """
        asked = list(dict.fromkeys(rights))
        if not asked:
            return ()
        subject = "the account's rights"
        argv = ["create", "--filename=-", "--output=json", "--validate=false"]
        reviews = [_review(right) for right in asked]
        done = self._ok(self.run(argv, subject=subject, objects=reviews), subject)
        answers = list(documents(done, subject))
        if len(answers) != len(asked):
            raise ClusterError(f"{subject}: asked for {len(asked)}, got {len(answers)} answers")
        return tuple(r for r, a in zip(asked, answers, strict=True) if not a.get("status", {}).get("allowed"))

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        """The last lines that a container wrote (`previous`: before its last restart); empty before its first word."""
        subject = f"the log of {_named('pod', pod, namespace)}"
        argv = ["logs", pod, f"--container={container}", f"--tail={lines}", *_in(namespace)]
        done = self.run([*argv, *(["--previous"] if previous else [])], subject=subject)
        if done.code and ("waiting to start" in done.stderr or "previous terminated container" in done.stderr):
            return ""
        text = self._ok(done, subject).text
        return "" if text.startswith(_NO_LOG) else text

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        """What happened in a namespace as far as the API keeps it (an hour), oldest first.

        `warnings`: nothing else. `since`: RFC 3339 in UTC; earlier events are left out.
        """
        path = f"/api/v1/namespaces/{namespace}/events" + ("?fieldSelector=type%3DWarning" if warnings else "")
        events = (Event.from_json(item) for item in _items(self.raw(path)))
        return tuple(sorted((event for event in events if event.last >= since), key=lambda event: event.last))

    def secret_keys(self, namespace: str) -> tuple[str, ...]:
        """A namespace's Secrets as `NAME TYPE: KEYS`; their values do not leave kubectl."""
        subject = f"secrets in namespace {namespace!r}"
        lines = self._ok(self.run(["get", "secrets", _KEYS_TEMPLATE, *_in(namespace)], subject=subject), subject).text
        return tuple(line.rstrip() for line in lines.splitlines())

    def _all_ours(self, objects: Sequence[Mapping[str, Any]]) -> bool:
        """Whether each of those that exist carries our label."""
        for each in objects:
            meta = each["metadata"]
            live = self.get(_kind(each), meta["name"], namespace=meta.get("namespace", ""))
            if live and (live["metadata"].get("labels") or {}).get(OWNER_LABEL) != FIELD_MANAGER:
                return False
        return True

    def run(self, argv: Sequence[str], *, subject: str, objects: Sequence[Mapping[str, Any]] = ()) -> Completed:
        """Run kubectl with these objects on its standard input; what it says of their secrets is masked."""
        stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode() if objects else None
        done = self._runner([*self._base, *argv], subject=subject, timeout=_PROCESS_SECONDS, stdin=stdin)
        secrets = [secret for each in objects for secret in _secrets(each)]
        return Completed(code=done.code, stdout=done.stdout, stderr=masked(done.stderr, secrets)) if secrets else done

    def _ok(self, done: Completed, subject: str) -> Completed:
        if done.code == 0:
            return done
        error = cluster_error(done.stderr, subject=subject)
        if error.reason == "conflict":
            raise ClusterError(
                error.what,
                reason="conflict",
                hint=f"remove {subject} so that it is made anew, or take it from the spec",
            )
        raise error


def _is_conflict(done: Completed, subject: str) -> bool:
    return cluster_error(done.stderr, subject=subject).reason == "conflict"


def _in(namespace: str) -> list[str]:
    return [f"--namespace={namespace}"] if namespace else []


def _named(kind: str, name: str, namespace: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _object_named(thing: Mapping[str, Any]) -> str:
    meta = thing["metadata"]
    return _named(thing["kind"].lower(), meta["name"], meta.get("namespace", ""))


def _kind_of(row: Sequence[str]) -> str:
    """GROUP/VERSION/KIND of a line of api-resources: NAME [SHORTNAMES] APIVERSION NAMESPACED KIND VERBS ..."""
    at = next((index for index, word in enumerate(row) if word in ("true", "false") and index > 1), 0)
    return f"{row[at - 1]}/{row[at + 1]}" if at and at + 1 < len(row) else ""


def _kind(thing: Mapping[str, Any]) -> str:
    """The kind as kubectl finds it among several API groups: Kind.version.group."""
    group, _, version = thing["apiVersion"].rpartition("/")
    return f"{thing['kind']}.{version}.{group}" if group else str(thing["kind"])


def _review(right: Right) -> JsonObject:
    """A SelfSubjectAccessReview (authorization.k8s.io/v1)."""
    attributes = {"verb": right.verb, "resource": right.resource, "group": right.group, "namespace": right.namespace}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }


def _secrets(thing: Mapping[str, Any]) -> Iterable[str]:
    """What must not be repeated of an object that the API refused."""
    if thing.get("kind") == "Secret":
        for part in ("data", "stringData"):
            yield from (str(value) for value in thing.get(part, {}).values())


def _object(done: Completed, subject: str) -> JsonObject:
    return next(documents(done, subject), {})


def documents(done: Completed, subject: str) -> Iterator[JsonObject]:
    """The JSON objects that stand one after another in what kubectl answered; a ClusterError when it is no JSON."""
    try:
        yield from (each for each in strict_json.stream(done.text) if isinstance(each, dict))
    except ValueError as err:
        raise ClusterError(f"{subject}: kubectl gave an answer that is no JSON", hint="try it by hand") from err


def _items(answer: JsonObject) -> list[JsonObject]:
    return [item for item in answer.get("items") or [] if isinstance(item, dict)]
