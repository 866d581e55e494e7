"""Variables that follow another one: `{by: origin, choose: {aws: ..., gcp: ...}}`.

A choice is the other's very text, or `<VERSION` or `>=VERSION`; the first that fits is taken.
"""

from collections.abc import Iterable

from bundle.formats.versions import Version

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
