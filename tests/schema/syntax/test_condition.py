"""Conditions on the settings of a site."""

from typing import Any

import pytest

from bundle.errors import FormatError
from schema.syntax.condition import holds
from schema.syntax.template import Name

SITE = {"on": True, "off": False, "cloud": "aws", "none": "", "tries": -1, "policy": {}, "rules": {"rules": [1]}}


def found(name: Name) -> Any:
    assert name.space == "site"
    return SITE.get(name.rest, f"{name.rest}.site.invalid")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${site.on}", True),
        ("${site.off}", False),
        ("${site.cloud} == aws", True),
        ("${site.cloud} == gcp", False),
        ("${site.cloud} != gcp", True),
        ("${site.cloud} != aws", False),
        ("${site.on} == true", True),
        ('${site.none} == ""', True),
        ('${site.cloud} != ""', True),
        ("${site.tries} != -1", False),
        ("${site.tries} == -1", True),
        ("${site.policy} == {}", True),
        ("${site.rules} != {}", True),
        ('${site.rules} == {"rules":[1]}', True),
        ("${site.on} and ${site.cloud} == aws", True),
        ("${site.on} and ${site.cloud} == aws and ${site.off}", False),
    ],
)
def test_what_holds(text: str, expected: bool) -> None:
    assert holds(text, found) is expected


@pytest.mark.parametrize("text", ["${site.x}", "${site.x} == aws", "${site.x} != aws", "${site.on} and ${site.x}"])
def test_what_is_not_known_counts(text: str) -> None:
    assert holds(text, found)


def test_what_follows_is_not_asked_where_the_first_does_not_hold() -> None:
    assert not holds("${site.off} and ${site.cloud}", found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${site.cloud}", r"^\$\{site\.cloud\} is text, expected true or false"),
        ("${site.on} and ${site.tries}", r"^\$\{site\.tries\} is the number -1, expected true or false"),
        ("perhaps", "^'perhaps' is no condition"),
    ],
)
def test_what_can_not_be_told(text: str, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        holds(text, found)
