"""What must hold where entries are repeated over a list: `${item...}` there only, and names of the same list's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from schema.loading._build_install import build_for_each
from schema.loading._rules import scalars
from schema.spec.install import InstallSpec
from schema.spec.repeat import ITEM, ForEach
from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.problems import Problems
from schema.syntax.template import Name

_REPEATED = ("secrets", "releases", "actions", "checks")
_SUFFIX = f"${{{ITEM}.suffix}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What secrets and actions are repeated over, by name."""

    secrets: Mapping[str, ForEach]
    actions: Mapping[str, ForEach]

    @classmethod
    def of(cls, install: InstallSpec) -> Self:
        """Those of a spec."""
        return cls(
            secrets={each.name: each.for_each for each in install.secrets if each.for_each},
            actions={each.name: each.for_each for each in install.actions if each.for_each},
        )

    def check(self, problems: Problems, node: Node, name: Name, own: ForEach | None) -> None:
        """Note a name that has no value in what is repeated over `own` (None: in what is there once)."""
        if own is None and (name.space == ITEM or f"${{{ITEM}." in name.rest):
            hint = "only what has `for_each` is repeated for each item of a list"
            problems.add(node.place, f"{name} has no value here", hint=hint)
        known = {"secret": self.secrets, "output": self.actions}.get(name.space, {})
        over = known.get(name.subject)
        if over and over != own:
            kind = "secret" if name.space == "secret" else "action"
            hint = "only what is repeated over the same list can use it"
            problems.add(node.place, f"{name}: {kind} {name.subject!r} is repeated over {over}", hint=hint)


def check_repeats(problems: Problems, install: Node, spec: InstallSpec, settings: Node | None) -> None:
    """Note names that have no value where they stand, and lists that are declared as something else."""
    repeats = Repeats.of(spec)
    shared = {release.namespace for release in spec.releases if release.for_each}
    for node, text, own in _texts(install):
        if problems.settled(node.place):
            continue
        if text.endswith(_SUFFIX) and text in shared:  # a secret that is there once, in each of these
            continue
        for name in template.names(template.parse(text)):
            repeats.check(problems, node, name, own)
    for entry in _entries(install):
        over, declared = build_for_each(entry), settings.members() if settings else {}
        kind = declared[over.list].get("type") if over and over.list in declared else None
        if over and kind and kind.value != "array":
            what = f"for_each: setting {over.list!r} is of type {kind.value}"
            problems.add(entry.members()["for_each"].place, what, expected="array")


def _texts(install: Node) -> Iterator[tuple[Node, str, ForEach | None]]:
    """All templates, with what they are repeated over."""
    once = [node for key, node in install.members().items() if key not in (*_REPEATED, "backup")]
    parts: list[tuple[Node, ForEach | None]] = [(node, None) for node in once]
    parts += [(entry, build_for_each(entry)) for entry in _entries(install)]
    for part, own in parts:
        for node in scalars(part):
            text: Any = node.value
            if isinstance(text, str) and "${" in text:
                yield node, text, own


def _entries(install: Node) -> Iterator[Node]:
    for key in _REPEATED:
        yield from install.entries(key)
    if backup := install.get("backup"):
        yield from backup.entries("commands")
