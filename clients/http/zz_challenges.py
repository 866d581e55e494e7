"""WWW-Authenticate: what a server wants before it answers (RFC 9110 section 11, distribution-spec "token")."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_PART = re.compile(
    r"""\s*,?\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)  # a scheme or a parameter's name
        (?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*)))?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One scheme (lower case) with its parameters (names in lower case)."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of the header's values, in their order; what does not follow the grammar is left out."""
    return tuple(challenge for value in values for challenge in _parse(value))


def _parse(value: str) -> Iterator[Challenge]:
    scheme, parameters, at = "", dict[str, str](), 0
    while match := _PART.match(value, at):
        at = match.end()
        quoted, plain = match["quoted"], match["plain"]
        if quoted is None and plain is None:
            if scheme:
                yield Challenge(scheme=scheme, parameters=parameters)
            scheme, parameters = match["name"].lower(), {}
        else:
            parameters[match["name"].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    if scheme:
        yield Challenge(scheme=scheme, parameters=parameters)
