"""The steps that prove completeness: every image that a release's chart renders is in the bundle."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import FormatError, ProgramError
from bundle.formats import strict_json
from bundle.storage.files import write_bytes
from schema.loading.values import release_files
from schema.lock import Lock
from schema.spec.contents import ChartSpec
from schema.spec.install import ReleaseSpec
from tasks.collect import charts
from tasks.collect.helm import INSTALL_HINT, find_helm, is_carried, open_helm
from tasks.collect.images import pin_of
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step
from tasks.runtime.version import VERSION

if TYPE_CHECKING:
    from bundle.metadata.entries import ProofEntry


_REASON = "helm was not at hand"


def prove_steps(project: Project) -> Iterator[Step]:
    """`prove:<release>`: what its chart renders is in the bundle, or ignored with a reason."""
    spec, carried = project.spec, _Carried(project)
    site = [path for path in [project.options.site] if path and path.is_file()]
    tools = ["file:helm"] if is_carried(project) else []
    for release in spec.install.releases:
        yield Step(
            base="prove",
            name=release.name,
            doc="prove that every image it uses is in the bundle",
            action=partial(_prove, project, release),
            inputs=partial(_inputs, project, release, carried),
            outputs=partial(_outputs, project, release),
            after=[f"chart:{release.chart}", *(f"pin:{image.name}" for image in spec.images), *tools],
            local=[*release_files(release), *site],
        )


def results(project: Project) -> "tuple[ProofEntry, ...] | None":
    """What was found out for each release, in the order of the spec; None while a release was not looked at."""
    from bundle.metadata.entries import ProofEntry

    found = []
    for release in project.spec.install.releases:
        try:
            found.append(ProofEntry.from_dict(strict_json.loads(_result(project, release).read_bytes())))
        except (OSError, ValueError, FormatError):
            return None
    return tuple(found)


def _result(project: Project, release: ReleaseSpec) -> Path:
    return project.work / "proof" / f"{release.name}.json"


def _outputs(project: Project, release: ReleaseSpec) -> tuple[Path, ...]:
    return (_result(project, release),)


def _chart(project: Project, release: ReleaseSpec) -> ChartSpec:
    return next(chart for chart in project.spec.charts if chart.name == release.chart)


class _Carried:
    """What the bundle pushes, as one digest that is made once for each state of the lock: every release asks for it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: tuple[Lock, str | None] | None = None

    @property
    def digest(self) -> str | None:
        """Over names inside, sources and pins; None while an image is not pinned."""
        lock = self._project.lock
        if self._known is None or self._known[0] is not lock:
            self._known = (lock, self._made())
        return self._known[1]

    def _made(self) -> str | None:
        spec = self._project.spec
        images = [(image.to_dict(spec.path.parent), pin_of(self._project, image)) for image in spec.images]
        if any(pin is None for _, pin in images):
            return None
        made = [image.to_dict() for image in self._project.spec.derived]
        return _digest([*([image, str(pin.digest)] for image, pin in images if pin), *made])


def _inputs(project: Project, release: ReleaseSpec, carried: _Carried) -> Inputs | None:
    spec = project.spec
    pin, images = charts.chart_pin(project, _chart(project, release)), carried.digest
    if not pin or not images:
        return None
    about = [release.to_dict(spec.path.parent), [secret.to_dict() for secret in spec.install.secrets]]
    return {
        "chart": str(pin.sha256),
        "images": images,
        "release": _digest([*about, spec.discovery.to_dict(), spec.registry.prefix]),
        "kubernetes": _digest(spec.install.kubernetes.to_dict()),
        "required": spec.bundle.require_proof,
        "helm": str(find_helm(project) or ""),
        "site": str(project.options.site or ""),
        "version": VERSION,
        "tree": str(project.tree),
    }


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _prove(project: Project, release: ReleaseSpec) -> None:
    from bundle.metadata.entries import ProofEntry

    project.claim()
    try:
        helm = open_helm(project)
    except ProgramError as err:
        if project.spec.bundle.require_proof:
            what = f"release {release.name!r} can't be proven, and bundle.require_proof asks for it: {err.what}"
            raise ProgramError(what, hint=err.hint or INSTALL_HINT) from err
        _keep(project, release, ProofEntry(release=release.name, proven=False, reason=_REASON))
        project.note(f"prove:{release.name}", f"NOT PROVEN: {err.what}")
        return
    # What renders charts is imported only then: a run with nothing to do starts without it.
    from tasks.proof.discover import discover, if_there
    from tasks.proof.judge import Judge, check, check_with_apis

    chart = project.tree / charts.chart_entry(project, _chart(project, release)).file
    found = discover(project, release, chart, helm)
    judge = Judge.of(project, release)
    check(release.name, judge, found.images, unknown=found.unknown)
    check_with_apis(release.name, judge, found.with_apis, if_there(found.asked))
    for warning in (*judge.warnings(found.images), *found.unknown):
        project.console.line(f"   warning: release {release.name!r}: {warning}")
    _keep(project, release, ProofEntry(release=release.name, proven=True))
    count = len({each.text for each in found.images if each.certain})
    project.note(f"prove:{release.name}", f"{count} image{'' if count == 1 else 's'}, all in the bundle or ignored")


def _keep(project: Project, release: ReleaseSpec, entry: "ProofEntry") -> None:
    write_bytes(_result(project, release), json.dumps(entry.to_dict()).encode(), mode=0o600)
