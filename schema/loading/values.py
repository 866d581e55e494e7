"""Values files, checked when a spec is loaded: syntax, names, and secrets that would travel in the bundle."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import FormatError
from schema.loading._repeats import Repeats
from schema.loading._rules import earlier
from schema.spec.install import InstallSpec, ReleaseSpec
from schema.spec.spec import Spec
from schema.syntax.document import Node
from schema.syntax.notation import path_text
from schema.syntax.problems import Problems, did_you_mean, listed, raise_together
from schema.syntax.template import Name
from schema.values.file import ValuesFile, read_values

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = {"password", "passwd", "passphrase", "token"}
_SECRET_PAIRS = {("private", "key"), ("api", "key"), ("access", "key"), ("encryption", "key")}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """A Lookup that knows which names a spec can resolve, and gives an empty text for each."""

    images: Collection[str]
    secrets: Collection[str]
    actions: Collection[str]

    @classmethod
    def of(cls, spec: Spec) -> Self:
        """The images, the secrets with one value that each site has, and the actions with outputs."""
        install = spec.install
        return cls(
            images=[*(image.name for image in spec.images), *(image.name for image in spec.derived)],
            secrets=[each.name for each in install.secrets if (each.generate or len(each.data) == 1) and not each.when],
            actions=[action.name for action in install.actions if action.outputs],
        )

    def __call__(self, name: Name) -> str:
        """Nothing; a FormatError for what has no value in values files."""
        if name.space == "vars":
            hint = "vars are known in the spec only: write the value, or ${site.NAME} for what differs between sites"
            raise FormatError(f"{name} has no value here", hint=hint)
        kinds = {
            "image": ("image", self.images),
            "secret": ("secret with one value", self.secrets),
            "output": ("action with `outputs: json`", self.actions),
        }
        kind, names = kinds.get(name.space, ("", (name.subject,)))
        if name.subject not in names:
            what = f"{name}: no {kind} is called {name.subject!r}; expected {listed(names)}"
            raise FormatError(what, hint=did_you_mean(name.subject, names))
        return ""


def read_all(spec: Spec) -> dict[Path, ValuesFile]:
    """The values files of all releases, by path; a SpecError lists what is wrong with their YAML.

    One that can't be read is a StorageError.
    """
    found = [_read(spec, path) for path in _paths(spec)]
    raise_together((problems for problems, _ in found), "the installation")
    return {path: file for path, (_, file) in zip(_paths(spec), found, strict=True) if file}


def check_values(spec: Spec) -> list[Problems]:
    """What is wrong with the values files of all releases, file by file, as far as they are there."""
    known, repeats, found = KnownNames.of(spec), Repeats.of(spec.install), []
    for path in _paths(spec):
        if not path.is_file():  # noted where the spec names it
            continue
        problems, file = _read(spec, path)
        if file:
            file.resolved(known, problems)
            users = [release for release in spec.install.releases if path in release_files(release)]
            _check_outputs(problems, file, users, spec.install)
            for node, name in file.names():
                for release in users:
                    repeats.check(problems, node, name, release.for_each)
            for key, node in _literals(file.root, ""):
                _check_literal(problems, key, node, hint="values files travel in the bundle")
        found.append(problems)
    return found


def override_faults(spec: Spec, overrides: Mapping[str, ValuesFile]) -> Iterator[str]:
    """What is wrong with a site's overrides: releases and names that the spec does not have, secrets written out."""
    known, releases = KnownNames.of(spec), {release.name: release for release in spec.install.releases}
    for name, file in overrides.items():
        problems = Problems(file.label)
        if name not in releases:
            where = file.root.key or file.root.place
            hint = did_you_mean(name, releases)
            problems.add(where, f"'overrides': no release is called {name!r}", expected=listed(releases), hint=hint)
        else:
            item = file.of(releases[name].instance)
            item.resolved(known, problems)
            _check_outputs(problems, item, [releases[name]], spec.install)
        for key, node in _literals(file.root, ""):
            _check_literal(problems, key, node, hint="a site file is no place for secrets")
        yield from map(str, problems)


def _paths(spec: Spec) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path for release in spec.install.releases for path in release_files(release)))


def release_files(release: ReleaseSpec) -> tuple[Path, ...]:
    """The values files of a release, whether they count at every site or not."""
    return tuple(item.file for item in release.values)


def _read(spec: Spec, path: Path) -> tuple[Problems, ValuesFile | None]:
    label = path_text(path, spec.path.parent)
    problems = Problems(label)
    return problems, read_values(path, label, problems)


def _check_outputs(problems: Problems, file: ValuesFile, users: Iterable[ReleaseSpec], install: InstallSpec) -> None:
    """Note outputs of actions that have not run when a release that uses the file is installed."""
    waits_for = {step.name: step.after for step in install.actions}
    waits_for |= {release.name: (*release.needs, *release.after) for release in install.releases}
    loud = {action.name for action in install.actions if action.outputs}
    for release in users:
        late = loud - earlier(release.name, waits_for)
        for node, name in file.names():
            if name.space == "output" and name.subject in late:
                what = f"{name}: action {name.subject!r} has not run when release {release.name!r} is installed"
                problems.add(node.place, what, hint=f"add {name.subject!r} to `needs` of the release")


def _check_literal(problems: Problems, key: str, node: Node, *, hint: str) -> None:
    if isinstance(node.value, str) and node.value and "${" not in node.value and _for_secret(key):
        problems.add(
            node.place,
            f"{key!r} is written out",
            expected="${secret.NAME}, ${env.NAME}, ${file.PATH} or ${output.ACTION.KEY}",
            hint=hint,
        )


def _for_secret(key: str) -> bool:
    """Whether a key of values is meant for a secret itself, and not for the name of one."""
    words = tuple(word.lower() for word in _WORD.findall(key))
    return bool(words) and (words[-1] in _SECRET_WORDS or words[-2:] in _SECRET_PAIRS) and "existing" not in words


def _literals(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """Each scalar with its key; the `value` of a variable (`{name: X, value: ...}`) with the variable's name."""
    members = node.members()
    named = members.get("name")
    for name, member in members.items():
        variable = name == "value" and named and isinstance(named.value, str)
        yield from _literals(member, str(named.value) if variable and named else name)
    for item in node.items():
        yield from _literals(item, key)
    if not members and not node.items():
        yield key, node
