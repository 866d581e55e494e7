"""Names from outside, against the rules of the schema that users see."""

import json
import re

import pytest

from bundle.errors import FormatError
from bundle.formats.grammar import NameKind, parse_name
from tests.fixtures.made.hostile import HOSTILE
from tests.fixtures.places import ROOT

KINDS: tuple[NameKind, ...] = ("name", "version", "label", "release")
SCHEMA = json.loads((ROOT / "schema/airgap.schema.json").read_text())
PATTERNS = {
    "name": SCHEMA["$defs"]["name"]["pattern"],
    "label": SCHEMA["$defs"]["label"]["pattern"],
    "version": SCHEMA["properties"]["bundle"]["properties"]["version"]["pattern"],
    "release": SCHEMA["properties"]["install"]["properties"]["releases"]["items"]["properties"]["name"]["pattern"],
}
CANDIDATES = ["a", "A", "web-1", "web_1", "1.2.3+b", "v1", "a" * 53, "a" * 54, "a" * 63, "a" * 64, "a" * 128, "a" * 129]
CANDIDATES += [
    "",
    "-a",
    "a-",
    ".a",
    "a.",
    "..",
    ".",
    "a/b",
    "/a",
    "a\n",
    "a b",
    "a;b",
    "ä",
    "a\u202e",
    "\x1b[2K",
    "${x}",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", CANDIDATES, ids=ascii)
def test_it_is_the_rule_of_the_schema(kind: NameKind, text: str) -> None:
    if re.search(PATTERNS[kind], text):
        assert parse_name(text, "it", kind) == text
    else:
        with pytest.raises(FormatError, match="it is "):
            parse_name(text, "it", kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [*HOSTILE, "../../home/owned", "a\n", "a\x00", "\ud800", 7, None, ["a"], {"a": 1}])
def test_what_would_be_more_than_a_name_is_refused_in_one_clean_line(kind: NameKind, text: object) -> None:
    with pytest.raises(FormatError) as caught:
        parse_name(text, "it", kind)
    assert caught.value.what.isprintable()
    assert caught.value.what.isascii()


def test_a_long_one_is_not_repeated() -> None:
    with pytest.raises(FormatError) as caught:
        parse_name("/" * 10_000_000, "it")
    assert len(caught.value.what) < 300
