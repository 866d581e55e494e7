"""How much a YAML document may be."""

import pytest
import yaml

from bundle.formats.node_budget import check_nodes

PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
BOMB = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in PAIRS)
FINE = ["", "a: 1", "- &a [x]\n- *a\n", "---\na: &x 1\n---\na: &x 2\nb: *x\n", "[" * 100 + "]" * 100]


def check(text: str) -> None:
    check_nodes(yaml.parse(text, Loader=yaml.SafeLoader))


@pytest.mark.parametrize("text", FINE)
def test_what_people_write(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(BOMB, "aliases make it too large", id="aliases of aliases"),
        pytest.param("[" * 101 + "]" * 101, "nested too deeply", id="deep"),
        pytest.param("&a [*a]", "alias 'a' stands for nothing before it", id="in itself"),
        pytest.param("---\na: &x 1\n---\nb: *x\n", "alias 'x' stands for nothing", id="of another document"),
    ],
)
def test_what_is_too_much(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(text)
