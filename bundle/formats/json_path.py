"""JSONPath (RFC 9535), as far as places in Kubernetes objects need it: `$.a`, `['a.b']`, `[0]`, `[*]`, `..a`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from bundle.errors import FormatError

KeyPath = tuple[str | int, ...]

_HINT = "write $.spec.image, $.spec.images[*].image, $.spec['my.key'] or $..image, for example"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(
    r"(?P<deep>\.\.)(?P<any>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\['(?P<quoted>[^'\\]+)'\]"
    r"|\[(?P<index>0|[1-9][0-9]*)\]"
    r"|(?P<all>\[\*\]|\.\*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One step: the member `key` (a text or an index), of everything below where `deep`; every member for `*`."""

    key: str | int
    kind: Literal["one", "all", "deep"]

    def __str__(self) -> str:
        if self.kind == "all":
            return "[*]"
        return f"..{self.key}" if self.kind == "deep" else step_text(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """A path from the root of an object to any number of its values."""

    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a path; the `$` may be left out, as kubectl allows. What is not supported is a FormatError."""
        rest, steps = text.removeprefix("$"), []
        at = 0
        while match := _STEP.match(rest, at):
            at = match.end()
            if match["all"]:
                steps.append(_Step(key="*", kind="all"))
            elif match["deep"]:
                steps.append(_Step(key=match["any"], kind="deep"))
            elif match["index"] is not None:
                steps.append(_Step(key=int(match["index"]), kind="one"))
            else:
                steps.append(_Step(key=match["name"] or match["quoted"], kind="one"))
        if not steps or at < len(rest):
            raise FormatError(f"{text!r} is no JSONPath that is known here (at {rest[at:]!r})", hint=_HINT)
        return cls(steps=tuple(steps))

    def __str__(self) -> str:
        return "$" + "".join(str(step) for step in self.steps)

    def select(self, data: Any) -> Iterator[tuple[KeyPath, Any]]:
        """Each value that the path leads to, with where it is; nothing where the path leads nowhere."""
        return _select(data, (), self.steps)


def place_text(path: KeyPath) -> str:
    """Where a value is, as people write it: `spec.containers[0].image`."""
    return "".join(step_text(step) for step in path).removeprefix(".")


def step_text(key: str | int) -> str:
    """One step of a path: `.name`, `['my.key']` or `[0]`."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _NAME.fullmatch(key) else f"['{key}']"


def _select(data: Any, at: KeyPath, steps: tuple[_Step, ...]) -> Iterator[tuple[KeyPath, Any]]:
    if not steps:
        yield at, data
        return
    step, rest = steps[0], steps[1:]
    for key, value in members(data):
        if step.kind == "all" or key == step.key:
            yield from _select(value, (*at, key), rest)
        if step.kind == "deep":
            yield from _select(value, (*at, key), steps)


def members(data: Any) -> Iterator[tuple[str | int, Any]]:
    """The members of a mapping by key, the entries of a list by index; nothing below a scalar."""
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageField:
    """What `path` leads to in objects of this kind is an image: a text, or a mapping of registry, repository and tag.

    An empty `group` stands for every group, the kind `*` for every kind of the group.
    """

    group: str
    kind: str
    path: JsonPath

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(group=data["group"], kind=data["kind"], path=JsonPath.parse(data["path"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"group": self.group, "kind": self.kind, "path": str(self.path)}

    def fits(self, *, group: str, kind: str) -> bool:
        """Whether objects of this group and kind have the field."""
        return self.group in ("", group) and self.kind in ("*", kind)
