"""Which local files cross for the installation: `install/` in the bundle mirrors the spec's directory.

On the other side the spec is read with `path=<bundle>/install/airgap.yaml`, so that its relative paths lead there.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from bundle.errors import FormatError, SpecError, storage_errors
from bundle.metadata.names import INSTALL
from bundle.oci.reference import Reference
from bundle.storage.files import inside
from schema.spec.spec import Spec
from schema.syntax import template

_PRIVATE_KEY = b"PRIVATE KEY-----"  # RFC 7468: the label of every form of one


def carried_files(spec: Spec) -> Mapping[str, Path]:
    """The files by their path in the bundle, sorted: values, CA certificates, and what `run` names.

    Not the files of `${file.PATH}`, nor client certificates and their keys: those wait inside. A SpecError lists all
    files that are not below the spec's directory, and those that hold a private key.
    """
    base = spec.path.parent
    found: dict[str, Path] = {}
    problems = []
    for subject, path in _wanted(spec):
        try:
            found[_name(path, base)] = path
            _check_content(path, subject)
        except FormatError as err:
            problems.append(f"{subject}: {err.what}; {err.hint}")
    if problems:
        raise SpecError(f"{spec.path.name} names files that can't travel:", list(dict.fromkeys(problems)))
    return dict(sorted(found.items()))


def command_files(run: Sequence[str], base: Path) -> Iterator[Path]:
    """The files that the command of an action or a check names, as an argument of its own or after `--option=`.

    A command without a slash is looked for on PATH and is none of them. The arguments' texts must hold no name.
    """
    for index, text in enumerate(run):
        pieces = template.parse(text)
        if len(pieces) != 1 or template.names(pieces) or (index == 0 and "/" not in text):
            continue
        literal = str(pieces[0])
        for name in (literal, literal.partition("=")[2]):
            if name and not PurePosixPath(name).is_absolute() and os.path.isfile(base / name):
                yield base / name


def _wanted(spec: Spec) -> Iterator[tuple[str, Path]]:
    base = spec.path.parent
    used = {Reference.parse(f"{place}/image").host for place in (spec.registry.prefix, spec.registry.push)}
    for host, settings in spec.hosts.items():
        if settings.ca and (host in used or settings.ca.is_relative_to(base)):
            yield f"registry {host!r}: 'ca'", settings.ca
    for image in spec.derived:
        if path := image.carried_file(base):
            yield f"image {image.name!r}: 'add_ca'", path
    for release in spec.install.releases:
        yield from ((f"release {release.name!r}: values", item.file) for item in release.values)
        yield from ((f"release {release.name!r}: health 'ca'", item.ca) for item in release.health if item.ca)
    yield from ((f"check {check.kind!r}: 'ca'", check.ca) for check in spec.install.checks if check.ca)
    for check in spec.install.checks:
        yield from ((f"check {check.kind!r}", path) for path in command_files(check.run, base))
    for action in spec.install.actions:
        yield from ((f"action {action.name!r}: 'run'", path) for path in command_files(action.run, base))
    for command in spec.install.backup.commands:
        for run in command.runs:
            yield from ((f"backup command {command.name!r}", path) for path in command_files(run, base))


def _name(path: Path, base: Path) -> str:
    hint = f"put a copy below {base}, and name it relative to there"
    if not path.is_relative_to(base):
        raise FormatError(f"{str(path)!r} is outside of the spec's directory", hint=hint)
    relative = path.relative_to(base).as_posix()
    try:
        inside(base, relative)
    except FormatError as err:
        raise FormatError(f"{relative!r} is written with ..", hint=hint) from err
    return f"{INSTALL}/{relative}"


def _check_content(path: Path, subject: str) -> None:
    with storage_errors(f"read {subject}", path):
        held = path.read_bytes()
    if _PRIVATE_KEY in held:
        raise FormatError(
            f"{str(path)!r} holds a private key", hint="secrets never travel: read it inside, ${file.PATH}"
        )
