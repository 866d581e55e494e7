"""The objects of each release as the API server of this cluster judges them, before the first change."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

from bundle.errors import ClusterError
from clients.cluster.manifests import Manifest
from clients.preflight.findings import Finding, finding_of
from clients.preflight.needs import ApiKind
from clients.preflight.objects.dry_run import dry_run, dry_run_namespace
from clients.preflight.objects.refusals import Owner, refused
from tasks.install.charts.rendered import RenderedRelease
from tasks.site.receiver import Receiver

_AT_ONCE = 4  # releases
_SERVER_SIDE = 4  # the helm that applies on the server's side


def dry_run_findings(receiver: Receiver, rendered: Sequence[RenderedRelease]) -> Iterator[Finding]:
    """What is refused of the releases, and which objects were not judged; nothing comes of it in the cluster."""
    if not rendered:
        return
    kubectl = receiver.cluster.kubectl
    apis = frozenset(kubectl.api_versions())
    changing = _changing(rendered, apis, upgraded=receiver.carried.spec.install.crds == "upgrade")
    spaces = sorted({space for each in rendered for space in _by_namespace(each)})
    spaces = sorted({*spaces, *(each.release.namespace for each in rendered)})
    there = {space: kubectl.exists("namespace", space) for space in spaces}
    server_side = receiver.cluster.helm.version().major >= _SERVER_SIDE

    def judge(release: RenderedRelease) -> list[Finding]:
        spec = release.release
        owner = Owner(name=spec.name, namespace=spec.namespace, installed=receiver.cluster.release(spec) is not None)
        found = []
        if not there[spec.namespace]:
            refusals = refused(dry_run_namespace(kubectl, spec.namespace), replace(owner, installed=True), "")
            found += [each for each in refusals if each.severity != "note"]  # the right is asked for with the others
        for space, things in _by_namespace(release).items():
            judged = [each for each in things if f"{_kind(each).api_version}/{_kind(each).kind}" in apis]
            judged = [each for each in judged if _kind(each) not in changing]
            try:
                answers = dry_run(kubectl, judged, namespace=space, exists=there[space], server_side=server_side)
            except ClusterError as err:
                found.append(finding_of(err, owner.subject))
                continue
            found += refused(answers, owner, space)
        if late := sorted({str(kind) for kinds in release.objects.kinds.values() for kind in kinds & changing}):
            what = f"not judged before their CRDs are in: objects of {', '.join(late)}"
            found.append(Finding(subject=owner.subject, what=what, severity="note"))
        return found

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dry-run") as pool:
        yield from chain.from_iterable(pool.map(judge, rendered))


def _changing(rendered: Sequence[RenderedRelease], apis: frozenset[str], *, upgraded: bool) -> frozenset[ApiKind]:
    """The kinds that the installation itself defines or changes, so that the cluster's word on them counts for nothing.

    Those of crds/ that are kept (not `upgraded`), and are there, stay as they are.
    """
    found: set[ApiKind] = set()
    for each in rendered:
        kept = {
            ApiKind(api_version=f"{crd.group}/{version}", kind=crd.kind)
            for crd in each.objects.crds
            for version in crd.versions
        }
        for kind in each.objects.defines:
            if upgraded or kind not in kept or f"{kind.api_version}/{kind.kind}" not in apis:
                found.add(kind)
    return frozenset(found)


def _by_namespace(release: RenderedRelease) -> dict[str, list[Manifest]]:
    """The objects that helm brings up, by the namespace that they are in or would be in; no tests, no CRDs of crds/."""
    crds = {each.name for each in release.objects.crds}
    found: dict[str, list[Manifest]] = {}
    for thing in release.objects.objects:
        meta = thing.get("metadata") or {}
        hook = str((meta.get("annotations") or {}).get("helm.sh/hook") or "")
        if hook.startswith("test") or (thing.get("kind") == "CustomResourceDefinition" and meta.get("name") in crds):
            continue
        space = str(meta.get("namespace") or release.release.namespace)
        found.setdefault(space, []).append(dict(thing))
    return found


def _kind(thing: Manifest) -> ApiKind:
    return ApiKind(api_version=str(thing.get("apiVersion", "")), kind=str(thing.get("kind", "")))
