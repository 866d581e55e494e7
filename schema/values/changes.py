"""How the values of a release change, key by key, in YAML's spelling and without what is secret.

Lists whose members all have a `name` of their own are compared by it, as Kubernetes merges them; others by position.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from bundle.formats.visible import one_line
from bundle.secret import Secret
from schema.syntax.secrecy import has_login, sounds_secret
from schema.values.values import KeyPath

_ABSENT: Final = object()
_HIDDEN: Final = Secret("")
_ENDLESS = 1_000_000_000  # columns: a value is one line


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """One key whose value is set, removed or changed; `old` and `new` are plain data, or a Secret in their place."""

    path: KeyPath
    kind: str
    old: Any
    new: Any

    @property
    def secret(self) -> bool:
        """Whether one of the two is not shown."""
        return isinstance(self.old, Secret) or isinstance(self.new, Secret)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; what is secret, and what is not there, is left out."""
        shown = {"old": self.old, "new": self.new}
        open_ones = {key: each for key, each in shown.items() if each is not _ABSENT and not isinstance(each, Secret)}
        return {"path": path_text(self.path), "change": self.kind, "secret": self.secret, **open_ones}

    def lines(self) -> Iterator[str]:
        """`~ path: old -> new` for people; of two texts of several lines the lines that differ."""
        path, old, new = path_text(self.path), self.old, self.new
        if old is _ABSENT:
            yield f"+ {path}: {_yaml(new)}{' (secret)' * self.secret}"
        elif new is _ABSENT:
            yield f"- {path}: {_yaml(old)}{' (secret)' * self.secret}"
        elif isinstance(old, Secret) and isinstance(new, Secret):
            yield f"~ {path}: *** (secret) changed"
        elif isinstance(old, str) and isinstance(new, str) and "\n" in old and "\n" in new:
            yield f"~ {path}:"
            marked = difflib.ndiff(old.splitlines(), new.splitlines())
            yield from (f"     {one_line(line)}" for line in marked if line[0] in "+-")
        else:
            yield f"~ {path}: {_yaml(old)} -> {_yaml(new)}{' (secret) changed' * self.secret}"


def value_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, secret: Collection[KeyPath], is_known: Callable[[str], bool]
) -> tuple[ValueChange, ...]:
    """The keys that differ, sorted. `secret` are the paths in `new` that hold a secret, each with all that is below.

    Nothing tells which of the old values were secret. Not shown of them is what stands where a secret stands now, has
    a name that is one of secrets, is an address with a password, or is a text that `is_known` to be secret.
    """
    return tuple(_Comparison(secret, is_known).below(dict(old), dict(new), (), paired=True))


def path_text(path: KeyPath) -> str:
    """A path as it is written in YAML and in charts: `hosts[0].name`, a key with a dot in quotes: `a."b.c/d"`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if step and step.replace("-", "").replace("_", "").isalnum() else f'"{one_line(step)}"'
            text += f".{key}" if text else key
    return text


class _Comparison:
    """One walk through both trees; `paired` says that lists on the way were matched by name."""

    def __init__(self, secret: Collection[KeyPath], is_known: Callable[[str], bool]) -> None:
        self._secret, self._is_known = frozenset(secret), is_known
        self._anywhere = {_anywhere(path) for path in secret}

    def below(self, old: Any, new: Any, path: KeyPath, *, paired: bool) -> Iterator[ValueChange]:
        """The changes at a path and below it."""
        if self._holds_secret(path) and new is not _ABSENT:
            yield from self._leaf(old, new, path, paired=paired)
        elif isinstance(old, dict) and isinstance(new, dict) and (old or new):
            for key in sorted({*old, *new}):
                found = self.below(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key), paired=paired)
                yield from _hiding(found, old, new) if key == "value" else found
        elif isinstance(old, list) and isinstance(new, list) and (old or new):
            by_name = _named(old) and _named(new)
            for index, before, after in _by_name(old, new) if by_name else _by_place(old, new):
                yield from self.below(before, after, (*path, index), paired=paired and by_name)
        elif _is_branch(old) and new is _ABSENT:
            yield from self.below(old, type(old)(), path, paired=paired)
        elif _is_branch(new) and old is _ABSENT:
            yield from self.below(type(new)(), new, path, paired=paired)
        elif (_is_branch(old) or _is_branch(new)) and type(old) is not type(new):
            yield from self.below(old, _ABSENT, path, paired=paired)
            yield from self.below(_ABSENT, new, path, paired=paired)
        else:
            yield from self._leaf(old, new, path, paired=paired)

    def _leaf(self, old: Any, new: Any, path: KeyPath, *, paired: bool) -> Iterator[ValueChange]:
        if _same(old, new):
            return
        kind = "added" if old is _ABSENT else "removed" if new is _ABSENT else "changed"
        now = self._holds_secret(path) or self._sounds(new, path)
        exact = paired and new is not _ABSENT
        before = now or (not exact and self._is_where_secrets_are(path)) or self._sounds(old, path)
        before = before or any(has_login(text) or self._is_known(text) for text in _texts(old))
        yield ValueChange(path=path, kind=kind, old=_hidden(old) if before else old, new=_hidden(new) if now else new)

    def _holds_secret(self, path: KeyPath) -> bool:
        return any(path[: length + 1] in self._secret for length in range(len(path)))

    def _is_where_secrets_are(self, path: KeyPath) -> bool:
        general = _anywhere(path)
        return any(general[: length + 1] in self._anywhere for length in range(len(general)))

    @staticmethod
    def _sounds(value: Any, path: KeyPath) -> bool:
        """Whether a text stands below a key that is meant for a secret."""
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        return isinstance(value, str) and bool(value) and sounds_secret(key)


def _hiding(found: Iterable[ValueChange], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
    """Of `{name: DB_PASSWORD, value: ...}`: the value has its meaning from the name."""
    hides = [isinstance(each.get("name"), str) and sounds_secret(each["name"]) for each in (old, new)]
    for each in found:
        shown = [_hidden(value) if hide else value for hide, value in zip(hides, (each.old, each.new), strict=True)]
        yield replace(each, old=shown[0], new=shown[1])


def _is_branch(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _anywhere(path: KeyPath) -> KeyPath:
    """The path, in whichever member of a list."""
    return tuple(-1 if isinstance(step, int) else step for step in path)


def _hidden(value: Any) -> Any:
    return value if value is _ABSENT else _HIDDEN


def _same(old: Any, new: Any) -> bool:
    """Equal as in YAML, where true is not 1, while 1 is 1.0."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif value is not _ABSENT and value is not None and not isinstance(value, bool):
        yield str(value)


def _named(items: list[Any]) -> bool:
    names = [each.get("name") if isinstance(each, dict) else None for each in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _by_name(old: list[Any], new: list[Any]) -> Iterator[tuple[int, Any, Any]]:
    """The members that are called alike, at their place in `new`; then those that are gone, at their old place."""
    before = {each["name"]: each for each in old}
    after = {each["name"] for each in new}
    yield from ((index, before.get(each["name"], _ABSENT), each) for index, each in enumerate(new))
    yield from ((index, each, _ABSENT) for index, each in enumerate(old) if each["name"] not in after)


def _by_place(old: list[Any], new: list[Any]) -> Iterator[tuple[int, Any, Any]]:
    for index in range(max(len(old), len(new))):
        before, after = (each[index] if index < len(each) else _ABSENT for each in (old, new))
        yield index, before, after


def _yaml(value: Any) -> str:
    """A value in one line of YAML, what can't be seen written out."""
    if isinstance(value, Secret):
        return str(value)
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text = yaml.safe_dump(
        value, default_flow_style=True, default_style=style, allow_unicode=True, sort_keys=False, width=_ENDLESS
    )
    return one_line(text.removesuffix("\n").removesuffix("\n..."))
