"""`doit adopt bundle=DIR`: the images and charts of a bundle that was made by hand become the sources of a spec."""

import json
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.archive.hand_made import SavedImage, is_hand_made
from bundle.errors import AirgapError, FormatError
from bundle.oci.locations import LocalChart, LocalImage
from schema.drafts.draft import LeftOut
from schema.edit import NewChart, NewImage, NewSource, add_charts, add_images, change_sources
from schema.spec.spec import Spec
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.commands.additions import rewrite_spec
from tasks.install.hand_made import HandMade, SavedChart, match_chart, match_image, read_hand_made, reference_of
from tasks.runtime.console import LocalWork
from tasks.runtime.project import Project

_DEFAULT_PLATFORM = "linux/amd64"  # of a bundle
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Adoption:
    """What is to change in a spec: entries that get another source, and new ones; `told` says it, line by line."""

    images: list[NewSource] = field(default_factory=list)
    charts: list[NewSource] = field(default_factory=list)
    new_images: list[NewImage] = field(default_factory=list)
    new_charts: list[NewChart] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many entries it is about."""
        return len(self.images) + len(self.charts) + len(self.new_images) + len(self.new_charts)

    def apply(self, text: str) -> str:
        """The text of a spec with all of it."""
        if self.images:
            text = change_sources(text, "images", self.images)
        if self.charts:
            text = change_sources(text, "charts", self.charts)
        if self.new_images:
            text = add_images(text, self.new_images)
        return add_charts(text, self.new_charts) if self.new_charts else text


class Adopt(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Makes sources of what lies in a directory."""

    name = "adopt"
    doc_purpose = COMMANDS["adopt"].purpose
    doc_usage = "bundle=DIR [spec=FILE] [registry=HOST/PATH]"
    doc_description = (
        "Reads the image archives in DIR or DIR/images (.tar, also compressed) and charts/*.tgz to their end. "
        "What the spec has of it comes from there then, "
        "what it has not is added. Without a spec one is written, whose images go inside to registry=."
    )

    def _execute(self) -> int:
        project: Project = self.loader.namespace["PROJECT"]
        path = project.options.bundle
        if path is None:
            raise InvalidCommand("name the directory with the images and charts: doit adopt bundle=DIR")
        try:
            return _adopt(project, path)
        except AirgapError as err:
            project.console.problem(f"FAILED adopt: {err}")
            return 1


def _adopt(project: Project, path: Path) -> int:
    if not is_hand_made(path):
        hint = (
            "name a directory with image archives (*.tar, images/*.tar) or charts/*.tgz; what doit bundle made is ready"
        )
        raise FormatError(f"{str(path)!r} is no bundle that was made by hand", hint=hint)
    from clients.sbom.zstd import open_zstd

    made = read_hand_made(path, meter=LocalWork(project.console), open_zstd=open_zstd)
    target = project.options.spec
    if target.is_file():
        adoption = adopted(project.spec, made)
        if adoption.count:
            rewrite_spec(target, adoption.apply)
    else:
        adoption = adopted_anew(target.parent, made)
        rewrite_spec(target, adoption.apply, new=_head(made, project.options.registry))
    for line in adoption.told:
        project.console.line(line)
    for line in made.bad:
        project.console.problem(line)
    project.console.text(_summary(project, adoption))
    return 1 if made.bad else 0


def adopted(spec: Spec, made: HandMade) -> Adoption:
    """What changes in a spec so that all that is in the directory comes from there."""
    adoption, base = Adoption(), spec.path.parent
    used: set[tuple[Path, str]] = set()
    for image in spec.images:
        saved = match_image(image, made.images)
        if saved is None:
            adoption.told.append(f"stays: image {image.name}: {image.source_text} (in no archive)")
            continue
        used.add((saved.file, saved.ref))
        source = _image_source(saved, base)
        if not (isinstance(image.source, LocalImage) and _same(image.source.path, saved.file)):
            target = str(image.target).removeprefix(f"{spec.registry.prefix}/")
            adoption.images.append(NewSource(name=image.name, source=source, target=target))
            adoption.told.append(f"adopted: image {image.name}: {source}")
    packages: set[Path] = set()
    for chart in spec.charts:
        packaged = match_chart(chart, made.charts)
        packages |= {packaged.file} if packaged else set()
        if packaged is None:
            adoption.told.append(f"stays: chart {chart.name}: {chart.source_text} (not in charts/)")
        elif not (isinstance(chart.source, LocalChart) and _same(chart.source.path, packaged.file)):
            adoption.charts.append(NewSource(name=chart.name, source=_relative(packaged.file, base)))
            adoption.told.append(f"adopted: chart {chart.name} {packaged.version}: {_relative(packaged.file, base)}")
    names = {image.name.lower() for image in spec.images} | {image.name.lower() for image in spec.derived}
    inside = [*(image.target for image in spec.images), *(image.target for image in spec.derived)]
    targets = {str(each).removeprefix(f"{spec.registry.prefix}/") for each in inside}
    more = [each for each in made.images if (each.file, each.ref) not in used]
    _add_images(adoption, more, base, names, targets)
    known = {chart.name.lower() for chart in spec.charts}
    _add_charts(adoption, [each for each in made.charts if each.file not in packages], base, known)
    return adoption


def adopted_anew(base: Path, made: HandMade) -> Adoption:
    """All that is in the directory, as the entries of a spec in `base`."""
    adoption = Adoption()
    _add_images(adoption, made.images, base, set(), set())
    _add_charts(adoption, made.charts, base, set())
    return adoption


def _add_images(
    adoption: Adoption, saved: Sequence[SavedImage], base: Path, names: set[str], targets: set[str]
) -> None:
    """Entries for these; `names` and `targets` are taken, and an image whose target is, is left out with a word."""
    for each in saved:
        reference, source = reference_of(each), _image_source(each, base)
        wanted = reference.name if reference else _NAME.sub("-", each.file.name.partition(".tar")[0]).strip("-.")
        name = next(name for name in _names(wanted or "image") if name.lower() not in names)
        target = f"{reference.name}:{reference.tag or 'latest'}" if reference else ""
        if target and target in targets:
            why = f"another image is {target} already; give it a `target` of its own in the spec"
            adoption.told.append(f"left out: {source}: {why}")
            adoption.left_out.append(LeftOut(what=source, reason=why))
            continue
        names.add(name.lower())
        targets.add(target)
        platform = "" if each.platform in ("", _DEFAULT_PLATFORM) else _platform(each.platform)
        adoption.new_images.append(NewImage(name=name, source=source, target=target, platform=platform))
        adoption.told.append(f"added: image {name}: {source}")


def _platform(text: str) -> str:
    """What an archive holds, as a spec writes it: what says no platform leaves that open."""
    return text if all(each.count("/") for each in text.split(",")) else "all"


def _add_charts(adoption: Adoption, charts: Sequence[SavedChart], base: Path, names: set[str]) -> None:
    for each in charts:
        source = _relative(each.file, base)
        name = next(name for name in _names(each.name) if name.lower() not in names)
        names.add(name.lower())
        adoption.new_charts.append(NewChart(name=name, source=source, version=each.version))
        adoption.told.append(f"added: chart {name} {each.version}: {source}")


def _names(wanted: str) -> Iterator[str]:
    yield wanted
    yield from (f"{wanted}-{number}" for number in range(2, 10_000))


def _head(made: HandMade, registry: str) -> str:
    """The first lines of a new spec."""
    name = _NAME.sub("-", made.path.resolve().name).strip("-.") or "adopted"
    version = next((chart.version for chart in made.charts), "1")
    bundle = f"{{name: {json.dumps(name)}, version: {json.dumps(version)}}}"
    return f"version: 1\nbundle: {bundle}\nregistry: {{prefix: {json.dumps(_prefix(made, registry))}}}\n"


def _prefix(made: HandMade, registry: str) -> str:
    """Where the images go inside: as told, else what all their names in the archives begin with."""
    if registry or (registry := common_prefix(made)):
        return registry
    found = ", ".join(sorted(_places(made))) or "none"
    raise FormatError(
        f"the images' names do not tell which registry they go to: they begin with {found}",
        hint="say it: registry=registry.mycompany.com/zenml",
    )


def common_prefix(made: HandMade) -> str:
    """What all names of the images begin with, where that can be a place inside; else empty."""
    places = _places(made)
    return places.pop() if len(places) == 1 and places != {"docker.io/library"} else ""


def _places(made: HandMade) -> set[str]:
    return {posixpath.dirname(reference.repository) for each in made.images if (reference := reference_of(each))}


def _image_source(saved: SavedImage, base: Path) -> str:
    place = saved.location
    return str(replace(place, path=Path(_relative(place.path, base))))


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _relative(path: Path, base: Path) -> str:
    return os.path.relpath(path, base)


def _summary(project: Project, adoption: Adoption) -> str:
    spec = project.options.spec
    if not adoption.count:
        return f"{spec}: nothing to change"
    return (
        f"{spec}: {adoption.count} entries come from {project.options.bundle} now; digests are those of its archives, "
        "not the registries'\n  next: doit bundle, and doit lock whenever an archive was replaced"
    )
