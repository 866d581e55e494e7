"""`${...}` in a loaded document: what is known now is put in, what only the install knows is checked and kept.

Outside of `install`, `vars` and `env` are resolved. Inside, only `vars` are; `env` is left alone there, because secrets
come from it and a resolved spec travels.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, Self

from bundle.errors import FormatError
from bundle.formats.versions import Version
from schema.syntax import template
from schema.syntax.document import Node, trap
from schema.syntax.problems import Place, Problems, did_you_mean, listed
from schema.syntax.secrecy import hiding_places, sounds_secret
from schema.syntax.template import Name, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Var:
    """A resolved value; `from_env` when it came, at least in part, from the environment."""

    value: Value
    from_env: bool


Resolve = Callable[[Node, str], Value]
_KNOWN_INSIDE = ("add_ca",)  # may be the site's own


class _UnresolvedError(Exception):
    """The value can't be told, for a reason that was already noted."""


def interpolate(root: Node, env: Mapping[str, str], problems: Problems, *, expand: Callable[[Node], Node]) -> Node:
    """The document with everything resolved that can be now, then what `expand` makes of it.

    Findings go to `problems`, and a faulty text stays as it is, its place settled.
    """
    install = root.get("install")
    parts = install.members().values() if install else ()
    hidden = frozenset(place for part in parts for place in hiding_places(part))
    scope = _Scope(root.get("vars"), env, problems, hidden)
    members = {}
    for name, node in root.members().items():
        if name == "vars":
            members[name] = scope.resolved_vars(node)
        else:
            members[name] = _walk(node, scope.inside if name == "install" else scope.outside, problems, scope.inside)
    resolved = expand(replace(root, value=members) if members else root)
    if install := resolved.get("install"):
        _check_names(install, _Known.of(resolved), problems)
    return resolved


class _Scope:
    """`vars` and `env`, each variable resolved when it is first needed."""

    def __init__(
        self, node: Node | None, env: Mapping[str, str], problems: Problems, hidden: Collection[Place]
    ) -> None:
        self._nodes = node.members() if node else {}
        self._env = env
        self._problems = problems
        self._hidden = hidden
        self._done: dict[str, _Var | None] = {}
        self._stack: list[str] = []

    def resolved_vars(self, node: Node) -> Node:
        """The `vars` mapping with its values put in."""
        members = {}
        for name, member in node.members().items():
            try:
                members[name] = replace(member, value=self._variable(name).value)
            except _UnresolvedError:
                members[name] = member
        return replace(node, value=members) if members else node

    def outside(self, node: Node, text: str) -> Value:
        """What a text outside of `install` stands for."""
        pieces = self._parse(node, text, is_open=True)
        return template.render(pieces, lambda name: self._lookup(name, node).value)

    def inside(self, node: Node, text: str) -> Value:
        """What a text below `install` stands for: a template in which variables are resolved."""
        pieces = self._parse(node, text, is_open=node.place not in self._hidden)
        if len(pieces) == 1 and isinstance(pieces[0], Name) and pieces[0].space == "vars":
            value = template.filled(pieces[0], self._variable_inside(pieces[0].plain, node))
            return template.escape(value) if isinstance(value, str) else value
        return "".join(self._kept(piece, node) for piece in pieces)

    def _kept(self, piece: str | Name, node: Node) -> str:
        if isinstance(piece, str):
            return template.escape(piece)
        if piece.space != "vars":
            return str(piece)
        return template.escape(template.in_text(template.filled(piece, self._variable_inside(piece.plain, node))))

    def _variable_inside(self, name: Name, node: Node) -> Value:
        found = self._lookup(name, node)
        if found.from_env:
            hint = "write ${env.NAME} here, which is resolved inside; what is resolved now travels in the bundle"
            self._fail(node, f"{name} takes its value from the environment", hint=hint)
        return found.value

    def _lookup(self, name: Name, user: Node) -> _Var:
        if name.space == "vars":
            if name.rest not in self._nodes:
                hint = did_you_mean(name.rest, self._nodes)
                self._fail(user, f"undefined {name}", expected=listed(self._nodes), hint=hint)
            return self._variable(name.rest)
        if name.space == "env":
            if sounds_secret(name.rest):
                hint = "use it below install, where it is read inside; what is resolved now travels in the bundle"
                self._fail(user, f"{name} looks like a secret", hint=hint)
            if name.rest not in self._env:
                hint = f"set it before: export {name.rest}=..."
                self._fail(user, f"undefined {name}: the environment has no {name.rest}", hint=hint)
            return _Var(value=self._env[name.rest], from_env=True)
        hint = "only vars and env are known when the bundle is made; the others belong below install"
        return self._fail(user, f"{name} has no value here", hint=hint)

    def _variable(self, name: str) -> _Var:
        if name in self._stack:
            path = [*self._stack[self._stack.index(name) :], name]
            self._fail(self._nodes[name], f"circular reference among vars: {' -> '.join(path)}")
        if name not in self._done:
            self._stack.append(name)
            try:
                self._done[name] = self._resolve(name, self._nodes[name])
            except _UnresolvedError:
                self._done[name] = None
            finally:
                self._stack.pop()
        found = self._done[name]
        if found is None:
            raise _UnresolvedError
        return found

    def _resolve(self, variable: str, node: Node) -> _Var:
        value = node.value
        if isinstance(value, str):
            pieces = self._parse(node, value, is_open=not sounds_secret(variable))
            used = [self._lookup(name, node) for name in template.names(pieces)]
            remaining = iter(used)
            return _Var(
                value=template.render(pieces, lambda _name: next(remaining).value),
                from_env=any(var.from_env for var in used),
            )
        if isinstance(value, bool | int):
            if node.text and node.text != template.in_text(value) and not sounds_secret(variable):
                self._fail(node, f"{node.text} is not what it looks like", hint=trap(node))
            return _Var(value=value, from_env=False)
        if node.members().keys() == {"by", "choose"}:
            return self._choice(variable, **node.members())
        raise _UnresolvedError  # the schema says what may stand here

    def _choice(self, variable: str, by: Node, choose: Node) -> _Var:
        """What the variable `by` chooses for `variable`."""
        decisive = self._lookup(Name(space="vars", rest=str(by.value)), by)
        wanted = template.in_text(decisive.value)
        try:
            found = fitting(choose.members(), wanted)
        except FormatError as err:
            self._fail(choose, err.what, hint=err.hint)
        if found is None:
            hint = did_you_mean(wanted, choose.members())
            what = f"nothing is to be chosen for {by.value}: {wanted}"
            self._fail(choose, what, expected=listed(choose.members()), hint=hint)
        taken = self._resolve(variable, choose.members()[found])
        return _Var(value=taken.value, from_env=taken.from_env or decisive.from_env)

    def _parse(self, node: Node, text: str, *, is_open: bool = False) -> template.Template:
        try:
            return template.parse(text, is_open=is_open)
        except FormatError as err:
            return self._fail(node, err.what, hint=err.hint)

    def _fail(self, node: Node, what: str, *, expected: str = "", hint: str = "") -> NoReturn:
        self._problems.add(node.place, what, expected=expected, hint=hint)
        raise _UnresolvedError


def _walk(node: Node, resolve: Resolve, problems: Problems, inside: Resolve) -> Node:
    """Resolve all texts below a node; `inside` those of keys that wait for the install wherever they stand."""
    if isinstance(node.value, dict):
        members = {}
        for name, item in node.value.items():
            members[name] = _walk(item, inside if name in _KNOWN_INSIDE else resolve, problems, inside)
        return replace(node, value=members)
    if isinstance(node.value, list):
        return replace(node, value=[_walk(item, resolve, problems, inside) for item in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    try:
        return replace(node, value=resolve(node, node.value), text="")
    except _UnresolvedError:
        problems.settle(node.place)
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The names that `${image...}`, `${secret...}` and `${output...}` may use."""

    images: Collection[str]
    secrets: Collection[str]
    actions: Collection[str]

    @classmethod
    def of(cls, root: Node) -> Self:
        """Whatever has a name, even if something else about it is wrong."""
        install = root.get("install")
        return cls(
            images=named(root.get("images")),
            secrets=named(install and install.get("secrets")),
            actions=named(install and install.get("actions")),
        )

    def check(self, name: Name) -> tuple[str, Collection[str]] | None:
        """The kind and the known names when `name` is none of them; None when all is well."""
        kinds = {"image": self.images, "secret": self.secrets, "output": self.actions}
        kind = {"image": "image", "secret": "secret", "output": "action"}.get(name.space)
        if kind is None or name.subject in kinds[name.space]:
            return None
        return kind, kinds[name.space]


def named(node: Node | None) -> dict[str, Node]:
    """The entries of a list by their `name`, as far as they have one."""
    found = {}
    for item in node.items() if node else ():
        name = item.get("name")
        if name and isinstance(name.value, str):
            found[name.value] = item
    return found


def _check_names(node: Node, known: _Known, problems: Problems) -> None:
    for child in (*node.members().values(), *node.items()):
        _check_names(child, known, problems)
    if not isinstance(node.value, str) or "${" not in node.value or problems.settled(node.place):
        return
    for name in template.names(template.parse(node.value)):
        if unknown := known.check(name):
            kind, names = unknown
            hint = did_you_mean(name.subject, names)
            problems.add(node.place, f"{name}: no {kind} is called {name.subject!r}", expected=listed(names), hint=hint)
            problems.settle(node.place)


_BELOW, _FROM = "<", ">="


def fitting(choices: Iterable[str], value: str) -> str | None:
    """The first choice that fits the value, None when there is none; a FormatError for versions that are none."""
    return next((choice for choice in choices if _fits(choice, value)), None)


def _fits(choice: str, value: str) -> bool:
    if choice.startswith(_BELOW):
        return Version.parse(value) < Version.parse(choice.removeprefix(_BELOW))
    if choice.startswith(_FROM):
        return Version.parse(value) >= Version.parse(choice.removeprefix(_FROM))
    return choice == value
