"""`on:` of a site file: whom to tell how an install ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schema.syntax.document import Node, describe
from schema.syntax.problems import Problems, did_you_mean

EVENTS = ("installed", "failed")
_FROM_ENV = re.compile(r"\$\{env\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_HINT = "write a command as a list, [./ticket.sh, --new], or a webhook as https://HOST/PATH or ${env.NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A command, or where it is empty a webhook: its URL, or in `variable` the environment variable that holds it."""

    command: tuple[str, ...] = ()
    url: str = ""
    variable: str = ""

    @property
    def label(self) -> str:
        """How messages name it, without what may be secret in a URL."""
        if self.command:
            return self.command[0]
        return f"${{env.{self.variable}}}" if self.variable else "/".join(self.url.split("/")[:3])


def read_hooks(node: Node, problems: Problems) -> Mapping[str, tuple[Hook, ...]]:
    """The hooks by event, in their order."""
    if not isinstance(node.value, dict):
        problems.add(
            node.place, f"'on' is {describe(node.value)}", expected="a mapping", hint=f"of {' and '.join(EVENTS)}"
        )
        return {}
    found = {}
    for name, member in node.members().items():
        if name not in EVENTS:
            hint = did_you_mean(name, EVENTS) or f"known are {' and '.join(EVENTS)}"
            problems.add(member.key or member.place, f"unknown key {name!r} in 'on'", hint=hint)
        elif not isinstance(member.value, list):
            problems.add(member.place, f"{name!r} is {describe(member.value)}", expected="a list", hint=_HINT)
        else:
            found[name] = tuple(hook for item in member.items() if (hook := _hook(item, problems)))
    return found


def _hook(node: Node, problems: Problems) -> Hook | None:
    words = [item.value for item in node.items()]
    texts = tuple(word for word in words if isinstance(word, str) and word)
    if texts and len(texts) == len(words):
        return Hook(command=texts)
    if isinstance(node.value, str):
        if match := _FROM_ENV.fullmatch(node.value):
            return Hook(variable=match["name"])
        if re.fullmatch(r"https?://[^/\s]+\S*", node.value):
            return Hook(url=node.value)
    problems.add(node.place, f"a hook that is {describe(node.value)}", hint=_HINT)
    return None
