"""Where secrets may be written: nowhere. These checks find literal ones, and never repeat them."""

import re
from collections.abc import Iterator, Sequence

from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.problems import Place, Problems

_SECRET_NAME = re.compile(
    r"(^|[_-])(password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)$", re.I
)
_SENSITIVE = re.compile(r"pass|pwd|secret|token|key|cred|auth|login|user|cert|^data$", re.I)
_LOGIN = re.compile(r"://[^/?#]*@")
_VISIBLE = "arguments can be seen in the process list: pass it in 'env'"


def sounds_secret(name: str) -> bool:
    """Whether a variable or option of this name is meant for a secret."""
    return bool(_SECRET_NAME.search(name))


def hiding_places(node: Node, *, is_hidden: bool = False) -> Iterator[Place]:
    """Where a text lies that may hold a secret: a key above it, or what is before it or in it, suggests one.

    Wider than `sounds_secret`: what is faulty there is not repeated.
    """
    if isinstance(node.value, dict):
        for name, member in node.value.items():
            yield from hiding_places(member, is_hidden=is_hidden or bool(_SENSITIVE.search(name)))
    elif isinstance(node.value, list):
        before = ""
        for item in node.value:
            yield from hiding_places(item, is_hidden=is_hidden or bool(_SENSITIVE.search(before)))
            before = item.value if isinstance(item.value, str) else ""
    elif isinstance(node.value, str) and (
        is_hidden or has_login(node.value) or _SENSITIVE.search(node.value.partition("${")[0])
    ):
        yield node.place


def has_login(address: str) -> bool:
    """Whether an address carries a user or a password."""
    return bool(_LOGIN.search(address))


def hide_login(address: str) -> str:
    """The address without user and password."""
    return _LOGIN.sub("://...@", address)


def check_reference(problems: Problems, node: Node, subject: str) -> None:
    """Note a secret's value that is anything but one `${env.NAME}` or `${file.PATH}`."""
    pieces = _pieces(problems, node)
    if pieces is None or (
        len(pieces) == 1 and template.names(pieces) and template.names(pieces)[0].space in ("env", "file")
    ):
        return
    problems.add(
        node.place,
        f"{subject} is written out" if not template.names(pieces) else f"{subject} is more than a reference",
        expected="${env.NAME} or ${file.PATH}",
        hint="a secret never stands in a spec; it is read inside, or made there with `generate`",
    )


def check_variables(problems: Problems, variables: Node | None) -> None:
    """Note variables that are meant for a secret: all of them end up in the bundle."""
    for name, node in variables.members().items() if variables else ():
        if sounds_secret(name):
            hint = (
                "vars travel in the bundle: use ${env.NAME} or ${file.PATH} below install, or rename what is no secret"
            )
            problems.add(node.place, f"variable {name!r} looks like a secret", hint=hint)


def check_environment(problems: Problems, env: Node | None, subject: str) -> None:
    """Note an action's variables that are meant for a secret and hold a literal."""
    for name, node in env.members().items() if env else ():
        pieces = _pieces(problems, node)
        if pieces and sounds_secret(name) and not template.names(pieces):
            problems.add(
                node.place,
                f"{subject}: variable {name!r} is written out",
                expected="${env.NAME}, ${file.PATH}, ${secret.NAME} or ${output.ACTION.KEY}",
                hint="a secret never stands in a spec",
            )


def check_visible(problems: Problems, arguments: Sequence[Node], subject: str) -> None:
    """Note secrets among a command's arguments, named or literal."""
    previous = ""
    for node in arguments:
        pieces = _pieces(problems, node)
        if pieces is None:
            continue
        for name in template.names(pieces):
            if name.space in ("env", "file", "secret", "output"):
                problems.add(node.place, f"{subject}: {name} may be a secret", hint=_VISIBLE)
        option, equals, value = str(node.value).partition("=")
        literal = not template.names(pieces)
        if literal and ((_is_option(option) and equals and value) or (previous and not option.startswith("-"))):
            problems.add(node.place, f"{subject}: a secret is written out as {previous or option}", hint=_VISIBLE)
        previous = option if _is_option(option) and not equals else ""


def _is_option(text: str) -> bool:
    return text.startswith("-") and sounds_secret(text)


def _pieces(problems: Problems, node: Node) -> template.Template | None:
    """The parsed text; None where it was found wrong before."""
    if problems.settled(node.place):
        return None
    return template.parse(str(node.value))
