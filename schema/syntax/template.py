"""The grammar of `${...}`: text with names in it, used when a spec is loaded and again when it is installed.

A name is `${SPACE.REST}`; `${SPACE.REST|urlencode}` is its value as it stands in an address, `${SPACE.REST|json}` its
value as JSON. `$${` stands for the two characters `${`. `${item.suffix}` and `${item.SUFFIX}` may stand in a REST.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, cast
from urllib.parse import quote

from bundle.errors import FormatError
from bundle.formats import strict_json

SPACES = ("vars", "env", "file", "site", "item", "image", "secret", "output")
IMAGE_PARTS = ("repository", "tag", "digest", "ref", "registry", "path")
ENCODINGS = ("urlencode", "json")

_INNER = r"\$\{item\.(?:suffix|SUFFIX)\}"
_TOKEN = re.compile(rf"(?P<escape>\$\$\{{)|\$\{{(?P<name>(?:{_INNER}|[^{{}}])*)\}}|(?P<open>\$\{{)")
_REST = re.compile(r"[A-Za-z0-9_.-]+")

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One `${space.rest}`; `encoding` (empty: none) is how its value is to be written."""

    space: str
    rest: str
    encoding: str = ""

    def __str__(self) -> str:
        return f"${{{self.space}.{self.rest}{'|' if self.encoding else ''}{self.encoding}}}"

    @property
    def plain(self) -> "Name":
        """The name of the value itself."""
        return replace(self, encoding="") if self.encoding else self

    @property
    def subject(self) -> str:
        """The image of `${image.NAME.PART}`, the action of `${output.ACTION.KEY}`; elsewhere all of `rest`."""
        if self.space == "image":
            return self.rest.rpartition(".")[0]
        return self.rest.partition(".")[0] if self.space == "output" else self.rest

    @property
    def part(self) -> str:
        """The PART of an image, the KEY of an output; elsewhere empty."""
        if self.space == "image":
            return self.rest.rpartition(".")[2]
        return self.rest.partition(".")[2] if self.space == "output" else ""


Template = tuple[str | Name, ...]


def parse(text: str, *, is_open: bool = False) -> Template:
    """Split text into literal pieces (unescaped) and names. A FormatError never repeats more than the faulty name.

    One that is not close to any name may be a piece of a secret: it is repeated only in an `is_open` text.
    """
    pieces: list[str | Name] = []
    literal, end = "", 0
    for match in _TOKEN.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match["escape"]:
            literal += "${"
            continue
        if match["open"]:
            raise FormatError("a ${ without its }", hint="close it, or write $${ for a plain ${")
        if literal:
            pieces.append(literal)
        pieces.append(_name(match["name"], is_open=is_open))
        literal = ""
    literal += text[end:]
    return (*pieces, literal) if literal else tuple(pieces)


def render(template: Template, lookup: Callable[[Name], Value]) -> Value:
    """Put values in the place of names; a template that is exactly one name becomes the value itself, with its type.

    `lookup` is asked for plain names.
    """
    if len(template) == 1 and isinstance(template[0], Name):
        return filled(template[0], lookup(template[0].plain))
    return "".join(
        piece if isinstance(piece, str) else in_text(filled(piece, lookup(piece.plain))) for piece in template
    )


def filled(name: Name, value: Any) -> Value:
    """The value as the name wants it: as it is, percent-encoded (RFC 3986, 2.1), or as compact JSON."""
    if name.encoding == "urlencode":
        return quote(in_text(value), safe="")
    return strict_json.canonical(value, escaped=True).decode() if name.encoding == "json" else cast("Value", value)


def in_text(value: Value) -> str:
    """A value as part of a text, written as YAML would: `true`, `12`; nothing for None."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def escape(literal: str) -> str:
    """The literal as template text; the inverse of parsing it."""
    return literal.replace("${", "$${")


def names(template: Template) -> tuple[Name, ...]:
    """The plain names of a template, in order."""
    return tuple(piece.plain for piece in template if isinstance(piece, Name))


def _name(text: str, *, is_open: bool) -> Name:
    encoding = next((each for each in ENCODINGS if text.endswith(f"|{each}")), "")
    space, _, rest = text.removesuffix(f"|{encoding}").partition(".")
    if space not in SPACES:
        if guess := get_close_matches(space, SPACES, n=1):
            raise FormatError(f"unknown name ${{{text}}}", hint=f"did you mean ${{{guess[0]}.{rest or 'NAME'}}}?")
        raise FormatError(
            f"unknown name ${{{text}}}" if is_open else "a ${...} that is no known name",
            hint=f"write one of {', '.join(f'${{{known}.…}}' for known in SPACES)}, or $${{ for a plain ${{",
        )
    name = Name(space=space, rest=rest, encoding=encoding)
    if not rest or (space != "file" and not _REST.fullmatch(re.sub(_INNER, "-", rest))):
        hint = f"write ${{{space}.NAME}} or ${{{space}.NAME|{ENCODINGS[0]}}}, without blanks"
        raise FormatError(f"incomplete name ${{{text}}}", hint=hint)
    if space == "output" and not (name.subject and name.part):
        raise FormatError(f"incomplete name {name}", hint="write ${output.ACTION.KEY}")
    if space == "image" and not (name.subject and name.part in IMAGE_PARTS):
        raise FormatError(
            f"incomplete name {name}", hint=f"write ${{image.NAME.PART}}, PART one of {', '.join(IMAGE_PARTS)}"
        )
    return name
