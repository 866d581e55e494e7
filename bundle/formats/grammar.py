"""How names from outside are spelled: each becomes a file's name, a line, a word of a command, or a node of a drawing.

The rules are those of `airgap.schema.json`. They are asked where a manifest, a receipt or a resolved spec is read.
"""

import re
from collections.abc import Mapping
from typing import Literal

from bundle.errors import FormatError

NameKind = Literal["name", "version", "label", "release"]
_RULES: Mapping[NameKind, tuple[re.Pattern[str], str]] = {
    "name": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"),
        "a name of letters, digits, '.', '_' and '-' that begins with a letter or digit",
    ),
    "version": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"),
        "a version of letters, digits, '.', '_', '+' and '-'",
    ),
    "label": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
        "at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
    "release": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?"),
        "a release name: at most 53 lower-case letters, digits and '-'",
    ),
}


def parse_name(text: object, subject: str, kind: NameKind = "name") -> str:
    """The name, as it is; a FormatError that names `subject` for anything that is not spelled as its kind is."""
    pattern, expected = _RULES[kind]
    if not isinstance(text, str) or not pattern.fullmatch(text):
        shown = ascii(text)
        shown = shown if len(shown) <= 100 else f"{shown[:100]}..."
        raise FormatError(f"{subject} is {shown}, expected {expected}", hint="do not use it; make it anew")
    return text
