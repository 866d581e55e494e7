"""How much a YAML document may be."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from bundle.formats.node_budget import check_nodes, load_all

PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
BOMB = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in PAIRS)
FINE = ["", "a: 1", "- &a [x]\n- *a\n", "---\na: &x 1\n---\na: &x 2\nb: *x\n", "[" * 100 + "]" * 100]


def events(text: str) -> None:
    check_nodes(yaml.parse(text, Loader=yaml.SafeLoader))


def loaded(loader: Any) -> Callable[[str], None]:
    def load(text: str) -> None:
        assert load_all(yaml, text, loader) == list(yaml.load_all(text, Loader=loader))

    return load


CHECKS = pytest.mark.parametrize(
    "check",
    [
        pytest.param(events, id="events"),
        pytest.param(loaded(yaml.SafeLoader), id="Python"),
        pytest.param(loaded(getattr(yaml, "CSafeLoader", yaml.SafeLoader)), id="libyaml"),
    ],
)


@CHECKS
@pytest.mark.parametrize("text", FINE)
def test_what_people_write(check: Callable[[str], None], text: str) -> None:
    check(text)


@CHECKS
@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(BOMB, "aliases make it too large", id="aliases of aliases"),
        pytest.param("[" * 101 + "]" * 101, "nested too deeply", id="deep"),
        pytest.param("&a [*a]", "alias 'a' stands for nothing before it", id="in itself"),
        pytest.param("---\na: &x 1\n---\nb: *x\n", "alias 'x' stands for nothing", id="of another document"),
    ],
)
def test_what_is_too_much(check: Callable[[str], None], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(text)


def test_in_python_it_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "parse", None)
    assert load_all(yaml, "a: &x [1]\nb: *x\n---\n2020-01-01: 1e3\n", yaml.BaseLoader) == [
        {"a": ["1"], "b": ["1"]},
        {"2020-01-01": "1e3"},
    ]
