"""`doit images`: which images the charts of a spec use, where, and which of them the spec lacks."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError
from clients.charts.images import FoundImage
from clients.cluster.helm import Helm
from schema.spec.install import ReleaseSpec
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.collect import charts
from tasks.collect.helm import open_helm
from tasks.commands.additions import add_to_spec, lacking
from tasks.proof.discover import discover, releases_of
from tasks.proof.judge import Judge, Standing
from tasks.runtime.project import Project

_JSON = {"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print the images as JSON"}
_ADD = {
    "name": "add",
    "long": "add",
    "type": bool,
    "default": False,
    "help": "write the certain ones that are missing into the spec",
}
_SUSPECTED = {
    "name": "suspected",
    "long": "suspected",
    "type": bool,
    "default": False,
    "help": "with --add: write the suspected ones that are missing into the spec too",
}
_TITLES = ("image", "", "release", "object", "field", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One use of an image by a release, and how the image stands."""

    release: ReleaseSpec
    found: FoundImage
    standing: Standing

    def row(self) -> tuple[str, ...]:
        """For people."""
        certainty = "certain" if self.found.certain else "suspected"
        field = f"{self.found.field} ({self.found.evidence})" if self.found.evidence else self.found.field
        return (self.found.text, certainty, self.release.name, self.found.object, field, str(self.standing))

    def to_dict(self) -> dict[str, Any]:
        """For `--json`; registry and so on are null for a text that is no reference."""
        reference = self.found.reference
        return {
            "image": self.found.text,
            "registry": reference.host if reference else None,
            "repository": reference.path if reference else None,
            "tag": reference.tag if reference else None,
            "digest": str(reference.digest) if reference and reference.digest else None,
            "certain": self.found.certain,
            "evidence": self.found.evidence,
            "release": self.release.name,
            "chart": self.release.chart,
            "object": self.found.object,
            "field": self.found.field,
            "standing": self.standing.kind,
            "detail": self.standing.detail,
        }


class Images(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Lists images."""

    name = "images"
    doc_purpose = COMMANDS["images"].purpose
    doc_usage = "[--json] [--add [--suspected]]"
    doc_description = (
        "Renders every chart with the values of the install (helm is needed; site=FILE gives real facts, else they are "
        "stand-ins) and lists each image with where it is used. What no manifest states is only suspected; "
        "a use of what is certain elsewhere is not listed as suspected once more."
    )
    cmd_options = (_JSON, _ADD, _SUSPECTED)

    def _execute(self, as_json: bool, add: bool, suspected: bool) -> int:
        project: Project = self.loader.namespace["PROJECT"]
        if not project.has_spec:
            raise InvalidCommand("there is no spec to look at; name it with spec=FILE")
        console = project.console
        try:
            listed, failures = list_images(project)
            missing = _missing(listed, suspected=suspected)
            added = add_to_spec(project.options.spec, lacking(project.spec, missing)) if add else ()
        except AirgapError as err:
            console.problem(f"FAILED images: {err}")
            return 1
        if as_json:
            console.text(json.dumps({"images": [each.to_dict() for each in listed]}, indent=2))
        else:
            for line in (*_table([each.row() for each in listed]), *_counts(listed)):
                console.line(line)
        for image in added:
            console.line(f"added to {project.options.spec.name}: {image}")
        for failure in failures:
            console.problem(f"FAILED images: {failure}")
        return 1 if failures else 0


def list_images(project: Project) -> tuple[Sequence[Listed], Sequence[AirgapError]]:
    """What all charts of the spec use, in its order, rendered side by side; and the charts that can't be rendered.

    What is certain in one place is not suspected in another.
    """
    helm = open_helm(project)
    listed: list[Listed] = []
    failures: list[AirgapError] = []
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        looks = [pool.submit(partial(_of_release, project, release, helm)) for release in releases_of(project)]
    for look in looks:
        try:
            listed += look.result()
        except AirgapError as err:
            failures.append(err)
    certain = {_same(each.found) for each in listed if each.found.certain}
    return [each for each in listed if each.found.certain or _same(each.found) not in certain], failures


def _same(found: FoundImage) -> str:
    """What two uses of one image have in common, however they write it."""
    return str(found.reference or found.text)


def _of_release(project: Project, release: ReleaseSpec, helm: Helm) -> list[Listed]:
    chart = next(chart for chart in project.spec.charts if chart.name == release.chart)
    judge = Judge.of(project, release)
    found = discover(project, release, charts.packaged(project, chart), helm).images
    return [Listed(release=release, found=each, standing=judge.standing(each)) for each in found]


def _missing(listed: Sequence[Listed], *, suspected: bool = False) -> list[FoundImage]:
    wanted = (each for each in listed if suspected or each.found.certain)
    return [each.found for each in wanted if each.standing.kind == "missing"]


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    for row in (_TITLES, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _counts(listed: Sequence[Listed]) -> Iterator[str]:
    certain = {each.found.text for each in listed if each.found.certain}
    missing = {each.text for each in _missing(listed)}
    suspected = {each.found.text for each in listed} - certain
    yield f"{len(certain)} images, {len(missing)} missing in the spec; {len(suspected)} more are suspected"
