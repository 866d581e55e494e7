"""`airgap init`: a project of one's own in a directory, with a spec made from what one has."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from doit.cmd_base import Command
from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError, storage_errors
from bundle.formats.sizes import counted
from bundle.oci.locations import DaemonImage, HostSettings
from bundle.storage.private import make_private
from schema.drafts.draft import Draft, tidy
from schema.values.chart import ChartValues
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.collect.charts import packaged
from tasks.collect.helm import find_helm
from tasks.commands.additions import add_to_spec, lacking
from tasks.commands.images import list_images
from tasks.runtime.console import Console, LocalWork
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.start.image_values import image_values, values_text
from tasks.start.sources import KINDS, Asked, read_source
from tasks.start.template import SCHEMA, example, project_files, schema_file, spec_text

if TYPE_CHECKING:
    from clients.charts.source import Charts
    from clients.registry.repository import Registries

_FROM = {"name": "source", "long": "from", "type": str, "default": "", "help": f"{KINDS}; or hello, the example"}
_CHART = {"name": "chart", "long": "chart", "type": str, "default": "", "help": "which chart of a chart repository"}
_VERSION = {
    "name": "chart_version",
    "long": "chart-version",
    "type": str,
    "default": "",
    "help": "which version of it (default: the newest of a repository)",
}
_SPEC = "airgap.yaml"
_HELLO = "hello"


class Init(PlainCommand, Command):  # type: ignore[misc]
    """Writes a project. What is there already stays."""

    name = "init"
    doc_purpose = COMMANDS["init"].purpose
    doc_usage = "[DIR] [--from SOURCE]"
    doc_description = (
        "Files that are there stay as they are. With --from the spec is made from SOURCE; what it has no place for is "
        "listed with the reason. A chart's images are found by rendering it (helm is needed)."
    )
    cmd_options = (_FROM, _CHART, _VERSION)

    def parse_execute(self, in_args: list[str]) -> Any:
        """As doit does, but with options after the directory too."""
        words = iter(in_args)
        options: list[str] = []
        names: list[str] = []
        for word in words:
            (options if word.startswith("-") else names).append(word)
            if (
                word.startswith("-")
                and "=" not in word
                and word.lstrip("-") in {each["long"] for each in self.cmd_options}
            ):
                options += islice(words, 1)
        return super().parse_execute([*options, *names])

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Write what is missing; exit code 1 when the source can't be read."""
        if len(pos_args) > 1:
            raise InvalidCommand(f"init takes one directory, not {len(pos_args)}")
        console, cwd = Console(), Path.cwd()
        console.watch(self.name)
        directory = cwd / (pos_args[0] if pos_args else ".")
        asked = Asked(
            text=opt_values["source"], directory=cwd, chart=opt_values["chart"], version=opt_values["chart_version"]
        )
        try:
            return _make(asked, directory, console)
        except AirgapError as err:
            console.problem(f"FAILED init: {err}")
            return 1


def _make(asked: Asked, directory: Path, console: Console) -> int:
    if asked.text and (directory / _SPEC).exists():
        hint = "name another directory, or remove that spec"
        raise AirgapError(f"{os.path.relpath(directory / _SPEC)} is there already", hint=hint)
    name = tidy(directory.resolve().name)
    draft = None
    if asked.text and asked.text != _HELLO:
        draft = read_source(asked, directory, partial(_charts, console, asked.text), LocalWork(console))
    files = dict(project_files(draft.name if draft else name))
    if asked.text == _HELLO:
        files |= _example()
    elif draft:
        files |= {_SPEC: _summed(draft, console).text(SCHEMA), **draft.values}
    else:
        files[_SPEC] = spec_text(name)
    with storage_errors("write the project", directory):
        for path, text in files.items():
            _write(directory, path, text, console)
        make_private((directory / SCHEMA).parent)
        shutil.copyfile(schema_file(), directory / SCHEMA)
        if asked.text == _HELLO:
            shutil.copytree(example() / "image", directory / "image", dirs_exist_ok=True)
    if draft:
        _tell(draft, directory, console)
    here = os.path.relpath(directory)
    enter = "" if here == "." else f"cd {shlex.quote(here)} && "
    edit = "" if asked.text else f"edit {shlex.quote(os.path.relpath(directory / _SPEC))}, then "
    console.line(f"next: {edit}{enter}doit bundle")
    return 0


def _write(directory: Path, path: str, text: str, console: Console) -> None:
    place = directory / path
    if place.exists():
        console.line(f"kept   {path}")
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    if not path.endswith(".gitkeep"):
        console.line(f"wrote  {path}")


def _example() -> Mapping[str, str]:
    """The texts of the example, with the schema where a project has it."""
    texts = {
        path.relative_to(example()).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("chart", "files", "values")
        for path in sorted((example() / folder).rglob("*"))
        if path.is_file()
    }
    spec = (example() / _SPEC).read_text(encoding="utf-8").partition("\n")[2]
    return {_SPEC: f"# yaml-language-server: $schema={SCHEMA}\n{spec}", **texts}


def _summed(draft: Draft, console: Console) -> Draft:
    """The draft with the sha256 of each remote file, downloaded once where its source states none."""
    if any(file.unsummed for file in draft.files):
        from clients.download import checksum

        registries = _registries(console, draft.plain_hosts)
        for number, file in enumerate(draft.files):
            if file.unsummed:
                digest = checksum(file.source, subject=f"file {file.name!r}", registries=registries)
                console.line(f"summed {file.source}: sha256 {digest.hex}; compare it with what its makers publish")
                draft.files[number] = replace(file, sha256=digest.hex)
    return draft


def _registries(console: Console, plain_hosts: Sequence[str]) -> "Registries":
    """How hosts are reached before there is a spec that says more: without TLS where the user wrote http://."""
    from clients.http.transport import Transport
    from clients.registry.repository import Registries

    hosts = {host: HostSettings(plain_http=True) for host in plain_hosts}
    return Registries(Transport(hosts, meter=console, pool_size=1), meter=console)


def _charts(console: Console, url: str) -> "Charts":
    from clients.charts.source import Charts

    return Charts(_registries(console, [urlsplit(url).netloc] if url.startswith("http://") else ()))


def _project(directory: Path, console: Console) -> Project:
    """The project of a directory, as a run in it has it."""
    options = Options.parse({}, cwd=directory.resolve(), default_jobs=4, user_state=directory)
    return Project(options, env=os.environ, console=console)


def _tell(draft: Draft, directory: Path, console: Console) -> None:
    """Find the images of the charts, and say what came of the source and what did not."""
    project = _project(directory, console)
    if draft.charts:
        _discover(draft, project, directory)
        project = _project(directory, console)
    spec = project.spec
    contents = ((spec.images, "image"), (spec.charts, "chart"), (spec.files, "file"))
    console.line(f"{', '.join(counted(len(items), noun) for items, noun in contents)} in {_SPEC}")
    if draft.left_out:
        console.line("without a counterpart, also in the comments of airgap.yaml:")
        for item in draft.left_out:
            console.line(f"  {item}")


def _discover(draft: Draft, project: Project, directory: Path) -> None:
    console = project.console
    if not find_helm(project):
        console.line("the charts' images were not looked for: helm is not on PATH")
        console.line("  next: install helm 3.8 or later, then doit images --add")
        return
    listed, failures = list_images(project)
    missing = [each.found for each in listed if each.found.certain and each.standing.kind == "missing"]
    for image in add_to_spec(project.options.spec, lacking(project.spec, missing)):
        console.line(f"image  {image.source}")
    suspected = sorted({each.found.text for each in listed if not each.found.certain})
    for text in suspected:
        console.line(f"suspected, not added: {text}")
    if suspected:
        console.line("  next: doit images shows where each is used; doit images --add --suspected adds them")
    for failure in failures:
        console.problem(str(failure))
    if not failures:
        _set_images(draft, _project(directory, console), directory)
        for line in _not_set(_project(directory, console)):
            console.line(line)


def _not_set(project: Project) -> Iterator[str]:
    """The images of the spec that a chart still calls by their names at the source, with where it does."""
    for each in list_images(project)[0]:
        if each.found.certain and each.standing.kind == "source":
            yield f"not set by a value: {each.found.text} ({each.found.object}, {each.found.field})"
            yield f"  next: set it in values/{each.release.name}.yaml, or change the chart where it has no value for it"


def _set_images(draft: Draft, project: Project, directory: Path) -> None:
    """Write into each release's new values file how the chart is to name its images."""
    sources = {image.name: image.source for image in project.spec.images if not isinstance(image.source, DaemonImage)}
    names = {place.reference.repository: name for name, place in sources.items() if place.reference}
    for release in draft.releases:
        for path in (each for each in release.values if draft.values.get(each) == "{}\n"):
            chart = next(each for each in project.spec.charts if each.name == release.chart)
            package = packaged(project, chart).read_bytes()
            overrides = image_values(ChartValues.read(package, subject=f"chart {chart.name!r}"), names)
            (directory / path).write_text(values_text(release.name, overrides), encoding="utf-8")
