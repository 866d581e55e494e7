"""`when`: whether something counts at a site, as its settings decide.

`${site.NAME}` counts where that setting is true, `${site.NAME} == VALUE` and `${site.NAME} != VALUE` by what it is;
several stand side by side with ` and ` between them, and all of them have to hold.
"""

import re
from collections.abc import Callable
from typing import Any

from bundle.errors import FormatError
from bundle.formats import strict_json
from schema.syntax import template
from schema.syntax.document import describe
from schema.syntax.template import Name

_TERM = re.compile(r"(?P<name>\$\{[^}]*\})(?: (?P<operator>==|!=) (?P<value>\S+))?")
_EMPTY = '""'  # how a VALUE says that a text is empty


def holds(text: str, lookup: Callable[[Name], Any]) -> bool:
    """Whether all of it holds; a FormatError where a setting that stands alone is neither true nor false.

    A stand-in for a setting that is not known counts as what is asked for, so that optional parts are proven too.
    """
    return all(_holds(term, lookup) for term in text.split(" and "))


def _holds(term: str, lookup: Callable[[Name], Any]) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        raise FormatError(f"{term!r} is no condition", hint="write ${site.NAME} or ${site.NAME} == VALUE")
    found: Any = template.render(template.parse(match["name"]), lookup)
    if isinstance(found, str) and found.endswith(".invalid"):
        return True
    if match["operator"]:
        return (_shown(found) == match["value"]) is (match["operator"] == "==")
    if isinstance(found, bool):
        return found
    raise FormatError(f"{term} is {describe(found)}, expected true or false", hint="write one of them in the site file")


def _shown(value: Any) -> str:
    """A setting's value as a VALUE writes it: lists and mappings as compact JSON."""
    if isinstance(value, dict | list):
        return strict_json.canonical(value, escaped=True).decode()
    return template.in_text(value) or _EMPTY
