"""Writes up what a survey found: files fit to be sent away, and the likely causes in the order to mend them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bundle.errors import FormatError
from bundle.oci.reference import DOCKER_HUB, Reference
from clients.cluster.pods.causes import causes
from clients.cluster.pods.containers import pull_secrets, statuses
from clients.cluster.pods.trouble import Patience
from clients.cluster.pods.workloads import unready
from clients.cluster.release import DEPLOYED
from clients.cluster.survey import NamespaceSurvey
from clients.programs.process import masked

_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})


def gather(scenes: Sequence[NamespaceSurvey], *, secrets: Iterable[str] = ()) -> dict[str, str]:
    """File name -> text, without secrets: Secrets are told by their keys, and what looks secret is masked."""
    files = {"likely-causes.txt": "".join(f"{line}\n" for line in likely_causes(scenes, secrets=secrets))}
    for scene in scenes:
        place = scene.namespace
        files[f"{place}/releases.txt"] = _text(_releases(scene))
        files[f"{place}/overview.txt"] = _text(_overview(scene))
        files[f"{place}/events.txt"] = _text(_events(scene))
        files[f"{place}/secrets.txt"] = _text(scene.secrets)
        files[f"{place}/objects.json"] = _objects(scene, secrets)
        files |= {f"{place}/logs/{name.replace('/', '.')}.txt": log for name, log in scene.logs.items()}
        if scene.gaps:
            files[f"{place}/not-gathered.txt"] = _text(scene.gaps)
    # Objects are redacted as such; as text their quotes would be torn.
    return {name: text if name.endswith("objects.json") else redact_text(text, secrets) for name, text in files.items()}


def likely_causes(scenes: Sequence[NamespaceSurvey], *, secrets: Iterable[str] = ()) -> list[str]:
    """One block of text for each, causes before what follows from them; empty when nothing is wrong to be seen."""
    found = [line for scene in scenes for line in _scene_causes(scene)]
    return [redact_text(line, secrets) for line in dict.fromkeys(found)]


def _scene_causes(scene: NamespaceSurvey) -> Iterator[str]:
    yield from _pull_mismatches(scene)
    troubled = set()
    for release in scene.histories:
        for trouble in causes(scene.snapshot, scene.snapshot.members(release), Patience()):
            troubled.add(release)
            yield f"release {release!r}: {trouble}\n  next: {trouble.hint}"
    for release, history in scene.histories.items():
        if not history:
            yield f"release {release!r} is not in namespace {scene.namespace!r}\n  next: doit install"
        elif history[-1].is_pending:
            yield (
                f"release {release!r} is {history[-1].status}: a helm works on it, or was interrupted\n"
                "  next: doit install recovers it, when no other helm is running"
            )
        elif history[-1].status != DEPLOYED and release not in troubled:
            yield f"release {release!r} is {history[-1].status}: {history[-1].description}\n  next: doit install"
    for each in scene.addressed:
        if each["kind"] == "Ingress" and not _addresses(each):
            yield (
                f"ingress {each['metadata']['name']} has no address: no controller serves its class "
                f"{(each.get('spec') or {}).get('ingressClassName') or '(none)'!r}\n"
                "  next: kubectl get ingressclass, and name one of them in the values"
            )


def _pull_mismatches(scene: NamespaceSurvey) -> Iterator[str]:
    """Pods whose images come from a host for which none of their pull secrets has a login."""
    for pod in _of(scene, "Pod"):
        names = pull_secrets(pod)
        missing = [name for name in names if scene.pull_hosts.get(name) is None]
        opened = {_bare(host) for name in names for host in scene.pull_hosts.get(name) or ()}
        for status in statuses(pod):
            waiting = ((status.get("state") or {}).get("waiting") or {}).get("reason", "")
            host = _host(status.get("image", ""))
            if "ImagePull" not in waiting or not names or host in opened:
                continue
            only = ", ".join(sorted(opened)) or "nothing"
            told = f"pull secret {', '.join(missing)} is not there" if missing else f"its pull secrets open only {only}"
            yield (
                f"pod {pod['metadata']['name']}: its image comes from {host}, but {told}\n"
                f"  next: make the pull secret for {host}: install.secrets of type docker-registry"
            )


def _releases(scene: NamespaceSurvey) -> Iterator[str]:
    for name, history in scene.histories.items():
        yield f"{name}: {'no such release' if not history else ''}".rstrip(": ") if not history else f"{name}:"
        for each in history:
            yield f"  {each.revision} {each.status} {each.chart} {each.updated} {each.description}"


def _events(scene: NamespaceSurvey) -> Iterator[str]:
    """All events, those about an earlier object of a name that is there again marked as such."""
    there = {(each["kind"], each["metadata"]["name"]) for each in scene.snapshot.objects.values()}
    for event in scene.events:
        earlier = event.uid and event.uid not in scene.snapshot.objects and (event.kind, event.name) in there
        kind = f"{'earlier ' if earlier else ''}{event.kind.lower()}"
        yield f"{event.last} {event.type} {kind} {event.name} {event}"


def _overview(scene: NamespaceSurvey) -> Iterator[str]:
    for each in scene.snapshot.objects.values():
        if each["kind"] in _WORKLOADS:
            yield unready(each) or f"{each['kind'].lower()} {each['metadata']['name']}: ready"
    for pod in _of(scene, "Pod"):
        status = pod.get("status") or {}
        phase = "Terminating" if pod["metadata"].get("deletionTimestamp") else status.get("phase")
        yield f"pod {pod['metadata']['name']}: {phase} on {pod['spec'].get('nodeName') or 'no node'}"
        for each in statuses(pod):
            state = next(iter((each.get("state") or {"unknown": {}}).items()))
            reason = (state[1] or {}).get("reason") or state[0]
            yield f"  {each['name']}: {reason}, {each.get('restartCount', 0)} restarts, image {each.get('image')}"
        for name in pull_secrets(pod):
            hosts = scene.pull_hosts.get(name)
            yield f"  pull secret {name}: {'not there' if hosts is None else 'for ' + ', '.join(hosts)}"
    for each in scene.addressed:
        rules = (each.get("spec") or {}).get("rules") or ()
        hosts = "".join(f" {rule['host']}" for rule in rules if rule.get("host"))
        yield f"{each['kind'].lower()} {each['metadata']['name']}{hosts}: {', '.join(_addresses(each)) or 'no address'}"


def _objects(scene: NamespaceSurvey, secrets: Iterable[str]) -> str:
    objects = [*scene.snapshot.objects.values(), *scene.addressed]
    return json.dumps(redact_object(objects, secrets), indent=1) + "\n"


def _of(scene: NamespaceSurvey, kind: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in scene.snapshot.objects.values() if each["kind"] == kind)


def _addresses(each: Mapping[str, Any]) -> list[str]:
    """Where an Ingress or Service is reached from outside; a Service's cluster address where there is no other."""
    balancers = ((each.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    found = [str(one.get("hostname") or one.get("ip")) for one in balancers]
    own = (each.get("spec") or {}).get("clusterIP")
    return found or ([str(own)] if own else [])


def _host(image: str) -> str:
    try:
        return _bare(Reference.parse(image).host)
    except FormatError:
        return image


def _bare(host: str) -> str:
    """A registry's host as images name it; pull secrets may have it as an address."""
    name = host.partition("://")[2] or host
    name = name.partition("/")[0]
    return DOCKER_HUB if name in ("index.docker.io", "registry-1.docker.io") else name


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


MASK = "***"

_WORD = (
    r"(?:passw(?:or)?d|passphrase|passwd|(?<![A-Za-z])(?:pass|pwd)(?![A-Za-z])|token|credential|(?<!pull)secret(?!s?_?-?name)"
    r"|(?:api|private|access|encrypt(?:ion)?|signing|master)[_-]?key)"
)
_REST = r"[\w.-]{0,60}"
_GAP = r"[ \t]{0,8}+"
_VALUE = (
    r"(?!(?:true|false|null)\b)"
    r"""(?:\\"(?:[^"\\\n]|\\[^"\n]){0,4096}\\"|"(?:[^"\\\n]|\\.){0,4096}"|'[^'\n]{0,4096}'"""
    r"""|\[[^\]\n]{0,4096}\]|[^\s,;&"']{1,65536})"""
)
# Each begins at a word that is searched for and has a bound, so that no text takes more than its length.
_SOUNDS_SECRET = re.compile(_WORD, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"({_WORD}{_REST}(?:%22|[\\\"']){{0,4}}{_GAP}(?:=>|[=:]|%3[AaDd]){_GAP}){_VALUE}", re.IGNORECASE
)
_ARGUMENT = re.compile(
    rf"(?<![\w-])(--?[\w-]{{0,60}}{_WORD}[\w-]{{0,60}}(?:[ \t]{{1,8}}|[\"'],[ \t]{{0,8}})){_VALUE}", re.IGNORECASE
)
_OPTION = re.compile(rf"--?[\w-]{{0,60}}{_WORD}[\w-]{{0,60}}", re.IGNORECASE)
_LINE = re.compile(  # not the head of a block
    rf"^([ \t]{{0,40}}[\w.-]{{0,60}}{_WORD}{_REST}:[ \t]{{1,8}})"
    r"(?!\*\*\*|[|>][-+0-9]{0,2}[ \t]*$|(?:true|false|null)$)[^\s{\[].*$",
    re.IGNORECASE | re.MULTILINE,
)
_BLOCK = re.compile(  # a text of several lines in YAML
    rf"^(([ \t]{{0,40}})[\w.-]{{0,60}}{_WORD}{_REST}:[ \t]{{0,8}}[|>][-+0-9]{{0,2}}[ \t]{{0,8}}\n)"
    r"(?:\2[ \t]{1,80}[^\n]*(?:\n|\Z)){1,2000}",
    re.IGNORECASE | re.MULTILINE,
)
_IDENTIFIED = re.compile(r"(\bidentified (?:with \S{1,60} )?(?:by|as) )'[^'\n]{0,4096}'", re.IGNORECASE)
_SHAPES = re.compile(  # tokens that say of themselves what they are
    r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,255}|xox[abprs]-[\w-]{10,255}"
    r"|eyJ[\w-]{5,4096}\.eyJ[\w-]{5,8192}\.[\w-]{0,4096})"
)
_LOGIN = re.compile(r"(://)[^/\s@]+@")
_HEADER = re.compile(r"\b(bearer|basic)\s{1,8}[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_MASKED = r"(?!(?:bearer|basic) \*\*\*)"
_AUTHORIZED = re.compile(
    rf"(\b(?:authorization|cookie)[\\\"']{{0,4}}{_GAP}[:=]{_GAP}\\?[\"']?+){_MASKED}[^\r\n\"']{{1,65536}}",
    re.IGNORECASE,
)
_KEY_BODY = r"[A-Za-z0-9+/=\s\\:,]*"
_PEM = re.compile(
    rf"-----BEGIN [A-Z ]{{0,40}}PRIVATE KEY-----{_KEY_BODY}(?:DEK-Info:[^\n]*{_KEY_BODY})?"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
)
_LONG_TAIL = frozenset({"managedFields"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # repeats what is masked elsewhere


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A log or message without known secrets, and without what stands where secrets usually do."""
    text = _SHAPES.sub(MASK, _PEM.sub(MASK, masked(text, secrets)))
    text = _BLOCK.sub(rf"\1\2  {MASK}\n", text)
    text = _HEADER.sub(rf"\1 {MASK}", _LOGIN.sub(rf"\1{MASK}@", text))
    for pattern in (_AUTHORIZED, _IDENTIFIED, _LINE, _ARGUMENT, _ASSIGNED):
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def redact_object(thing: Any, secrets: Iterable[str] = ()) -> Any:
    """A Kubernetes object without Secrets' data, without values of variables that sound secret, and shorter."""
    if isinstance(thing, dict):
        if thing.get("kind") == "Secret":
            thing = {
                **thing,
                **{part: dict.fromkeys(thing[part], MASK) for part in ("data", "stringData") if part in thing},
            }
        if _SOUNDS_SECRET.search(str(thing.get("name", ""))) and "value" in thing:
            thing = {**thing, "value": MASK}
        return {
            key: MASK if _is_text(value) and _SOUNDS_SECRET.search(str(key)) else redact_object(value, secrets)
            for key, value in thing.items()
            if key not in _LONG_TAIL and key != _LAST_APPLIED
        }
    if isinstance(thing, list):
        options = [False, *(isinstance(each, str) and bool(_OPTION.fullmatch(each)) for each in thing)]
        return [
            MASK if after and isinstance(each, str) else redact_object(each, secrets)
            for after, each in zip(options, thing, strict=False)
        ]
    return redact_text(thing, secrets) if isinstance(thing, str) else thing


def _is_text(value: Any) -> bool:
    """Whether it is a text, or a list of texts."""
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
    )
