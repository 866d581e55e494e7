"""From a structurally valid document to what `doit backup` dumps."""

from schema.loading._build import Reader, mapping, text, texts
from schema.spec.backup import DEFAULT_MAX_AGE, BackupSpec, DumpSpec
from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.notation import parse_duration
from schema.syntax.problems import listed
from schema.syntax.secrecy import check_environment, check_visible

_SPACES = ("site", "env", "file", "secret", "image")


def build_backup(reader: Reader, node: Node | None) -> BackupSpec:
    """Read `install.backup`."""
    if node is None:
        return BackupSpec()
    age, commands = node.get("max_age"), node.get("commands")
    return BackupSpec(
        before_upgrade=texts(node.get("before_upgrade")),
        max_age=(reader.parse(age, "'max_age'", parse_duration) if age else None) or DEFAULT_MAX_AGE,
        commands=tuple(_command(reader, item) for item in commands.items()) if commands else (),
    )


def _command(reader: Reader, node: Node) -> DumpSpec:
    name, run, env = text(node.get("name")), node.members()["run"], node.get("env")
    subject = f"backup command {name!r}"
    check_visible(reader.problems, run.items(), f"{subject}: 'run'")
    check_environment(reader.problems, env, subject)
    for item in (*run.items(), *(env.members().values() if env else ())):
        _check_names(reader, item, subject)
    return DumpSpec(name=name, run=texts(run), env=mapping(env))


def _check_names(reader: Reader, node: Node, subject: str) -> None:
    if reader.problems.settled(node.place):
        return
    for name in template.names(template.parse(text(node))):
        if name.space not in _SPACES:
            known = listed(f"${{{space}...}}" for space in _SPACES)
            reader.problems.add(node.place, f"{subject}: {name} has no value here", expected=known)
