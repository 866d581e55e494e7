"""Which `${...}` a spec and its values files use, and where; what of it the installing side does not have."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import FormatError, SpecError
from bundle.metadata.names import SITE_EXAMPLE
from schema.site.instances import expanded
from schema.site.site import Site
from schema.spec.backup import DumpSpec
from schema.spec.install import InstallSpec
from schema.spec.repeat import Instance
from schema.spec.spec import Spec
from schema.syntax import template
from schema.syntax.notation import path_text
from schema.syntax.template import Name
from schema.values.file import ValuesFile

_SHOWN = 3  # places or names in one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One name at one place: `file:line` in a values file, words elsewhere."""

    name: Name
    where: str


def uses(spec: Spec, files: Iterable[ValuesFile]) -> tuple[Use, ...]:
    """Every use, first those of the spec. A spec that is not expanded yet counts as that of a site without lists."""
    spec = expanded(spec, Site)
    templates = (*((f"image {each.name!r}: 'add_ca'", each.add_ca) for each in spec.derived), *_templates(spec.install))
    lists = (Use(name=Name(space="site", rest=each.list), where="'for_each'") for each in spec.install.lists)
    required = (use for each, use in zip(spec.install.lists, lists, strict=True) if not each.first)
    values = (
        Use(name=name, where=f"{file.label}:{node.place.line}")
        for file in _each_filled(spec, files)
        for node, name in file.names()
    )
    return (*uses_of(templates), *required, *values)


def _each_filled(spec: Spec, files: Iterable[ValuesFile]) -> Iterator[ValuesFile]:
    """The values files, those of repeated releases once for each item."""
    base, items = spec.path.parent, dict[str, list[Instance | None]]()
    for release in spec.install.releases:
        for each in release.values:
            items.setdefault(path_text(each.file, base), []).append(release.instance)
    for file in files:
        for instance in dict.fromkeys(items.get(file.label, [None])):
            yield file.of(instance)
            if file.filled:
                break


def known_uses(spec: Spec, files: Iterable[ValuesFile]) -> tuple[Use, ...]:
    """Every use there is: also those of commands that an install does not run, as a backup's."""
    commands = spec.install.backup.commands
    return (*uses(spec, files), *backup_uses(commands), *restore_uses(commands))


def backup_uses(commands: Iterable[DumpSpec]) -> tuple[Use, ...]:
    """The names in a backup's commands."""
    return uses_of(
        (f"backup command {command.name!r}", text)
        for command in commands
        for text in (*command.run, *command.env.values())
    )


def restore_uses(commands: Iterable[DumpSpec]) -> tuple[Use, ...]:
    """The names in what tries the dumps out."""
    return uses_of(
        (f"restore of backup command {command.name!r}", text)
        for command in commands
        for text in (command.restore.templates if command.restore else ())
    )


def uses_of(templates: Iterable[tuple[str, str]]) -> tuple[Use, ...]:
    """The names in texts, each with where it stands."""
    return tuple(Use(name=name, where=where) for where, text in templates for name in _names(text))


def gather(
    used: Iterable[Use],
    *,
    site: Site,
    env: Mapping[str, str],
    directory: Path,
    ask: Callable[[str], str] | None,
    faults: Iterable[str] = (),
) -> Mapping[str, str]:
    """The environment with what it lacked asked for, names of users first; `ask` gets a prompt, None: no terminal.

    A SpecError lists everything at once that is missing, each with the places that use it, after the `faults` of the
    site file; nothing is asked then.
    """
    places: dict[Name, list[str]] = {}
    for use in used:
        places.setdefault(use.name, []).append(use.where)
    missing = {name: what for name in places if (what := _missing(name, site, env, directory))}
    asked = [name for name in missing if name.space == "env" and ask]
    asked.sort(key=lambda name: not is_user(name.rest))
    told = {name: what for name, what in missing.items() if name not in asked}
    problems = [*faults, *_told(told, places, site)]
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise SpecError(f"the settings are not complete, {count}:", problems, hint=_next_step(told, site))
    return {**env, **{name.rest: ask(f"{name.rest} ({places[name][0]}): ") for name in asked if ask}}


def is_user(variable: str) -> bool:
    """Whether a variable of the environment holds the name of a user, which may be seen while it is typed."""
    return variable.upper().endswith(("USER", "USERNAME"))


def _told(told: Mapping[Name, str], places: Mapping[Name, Sequence[str]], site: Site) -> Iterator[str]:
    """A line for each missing name with the places that use it; without a site file one line for all its settings."""
    settings = [name.rest for name in told if name.space == "site"]
    if settings and not site.label:
        yield (
            f"no site file was given; {_few(settings)} are needed"
            if len(settings) > 1
            else (f"no site file was given; {settings[0]} is needed")
        )
    for name, what in told.items():
        if name.space != "site" or site.label:
            yield f"{what}; used in {_few(places[name])}"


def _few(texts: Iterable[str]) -> str:
    """The first three, and how many more there are."""
    each = list(dict.fromkeys(texts))
    more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return ", ".join(each[:_SHOWN]) + more


def _missing(name: Name, site: Site, env: Mapping[str, str], directory: Path) -> str:
    """What is wrong with this name; empty when it has a value."""
    if name.space == "env" and name.rest not in env:
        return f"{name} is not set"
    if name.space == "file" and not (directory / name.rest).is_file():
        return f"{name}: there is no file {str(directory / name.rest)!r}"
    if name.space == "site":
        try:
            site.value(name)
        except FormatError as err:
            return err.what
    return ""


def _next_step(lacking: Collection[Name], site: Site) -> str:
    steps = []
    if any(name.space == "site" for name in lacking):
        template_ = f"copy {SITE_EXAMPLE} of the bundle to site.yaml, fill it in, and pass site=site.yaml"
        steps.append(f"add the settings to {site.label}" if site.label else template_)
    if names := [f"{name.rest}=..." for name in lacking if name.space == "env"]:
        steps.append(f"export {' '.join(names)}")
    if any(name.space == "file" for name in lacking):
        steps.append("start install in the directory that the files' paths are relative to")
    return "; ".join(steps)


def _templates(install: InstallSpec) -> Iterator[tuple[str, str]]:
    yield "kubernetes: 'ingress_class'", install.kubernetes.ingress_class
    yield "kubernetes: 'storage_class'", install.kubernetes.storage_class
    for secret in install.secrets:
        yield from ((f"secret {secret.name!r}: {key!r}", text) for key, text in secret.data.items())
        yield from ((f"secret {secret.name!r}: 'hosts'", text) for text in secret.hosts)
        yield f"secret {secret.name!r}: 'ca'", secret.ca
        yield f"secret {secret.name!r}: 'when'", secret.when
    for release in install.releases:
        yield f"release {release.name!r}: 'when'", release.when
        yield from ((f"release {release.name!r}: 'when'", item.when) for item in release.values)
        yield from (
            (f"release {release.name!r}: health", text)
            for item in release.health
            for text in (item.url, item.text, *item.json.values())
        )
    for action in install.actions:
        subject = f"action {action.name!r}"
        yield from ((f"{subject}: 'run'", text) for text in action.run)
        yield from ((f"{subject}: 'env' {key}", text) for key, text in action.env.items())
        yield from ((f"{subject}: 'inputs'", text) for text in action.inputs)
    yield from ((f"check {check.kind!r}", check.subject) for check in install.checks)
    yield "'notes'", install.notes


def _names(text: str) -> tuple[Name, ...]:
    return template.names(template.parse(text)) if "${" in text else ()
