"""Values compared key by key: in YAML's words, by name in lists, and without secrets."""

from typing import Any

import pytest
import yaml

from schema.values.changes import path_text, value_changes
from schema.values.values import KeyPath


def lines(old: str, new: str, *secret: KeyPath, known: str = "") -> list[str]:
    found = value_changes(
        yaml.safe_load(old), yaml.safe_load(new), secret=secret, is_known=lambda text: bool(known) and known in text
    )
    return [line for change in found for line in change.lines()]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{}", "{}", []),
        ("a: 1", "a: 1.0", []),
        ("a: 1", "a: true", ["~ a: 1 -> true"]),
        ("a: {b: [1, 2]}", "a: {b: [1, 3, 4]}", ["~ a.b[1]: 2 -> 3", "+ a.b[2]: 4"]),
        ("a: yes", "a: 'yes'", ["~ a: true -> 'yes'"]),
        ("a: ''", "a: null", ["~ a: '' -> null"]),
        ("a: {}", "{}", ["- a: {}"]),
        ("a: {b: 1}", "a: {}", ["- a.b: 1"]),
        ("a: {b: {c: 1, d: []}}", "{}", ["- a.b.c: 1", "- a.b.d: []"]),
        ("a: {b: 1}", "a: text", ["- a.b: 1", "+ a: text"]),
        ("{}", "a.b/c: {d: x}", ['+ "a.b/c".d: x']),
        ("a: 'x'", 'a: "\\u202e"', [r'~ a: x -> "\u202e"']),
        ("a: 'x: y'", "a: '1'", ["~ a: 'x: y' -> '1'"]),
        ('a: "1\\n2\\n3"', 'a: "1\\n4\\n3"', ["~ a:", "     - 2", "     + 4"]),
        ('a: "1\\n2"', "a: z", [r'~ a: "1\n2" -> z']),
        (
            "env: [{name: A, value: 1}, {name: B, value: 2}]",
            "env: [{name: C, value: 3}, {name: B, value: 4}]",
            [
                "+ env[0].name: C",
                "+ env[0].value: 3",
                "~ env[1].value: 2 -> 4",
                "- env[0].name: A",
                "- env[0].value: 1",
            ],
        ),
    ],
)
def test_differences_in_the_spelling_of_yaml(old: str, new: str, expected: list[str]) -> None:
    assert lines(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "secret", "expected"),
    [
        pytest.param("a: hunter2", "a: other", [("a",)], ["~ a: *** (secret) changed"], id="changed"),
        pytest.param("{}", "a: other", [("a",)], ["+ a: *** (secret)"], id="added"),
        pytest.param("a: 1", "a: 1", [("a",)], [], id="the same"),
        pytest.param("a: {x: hunter2}", "a: {x: b}", [("a",)], ["~ a: *** (secret) changed"], id="a whole mapping"),
        pytest.param("{}", "a: {x: hunter2}", [("a",)], ["+ a: *** (secret)"], id="a mapping that is added"),
        pytest.param("a: plain", "a: hunter2", [("a",)], ["~ a: *** (secret) changed"], id="becomes a secret"),
        pytest.param("password: hunter2", "password: ''", [], ["~ password: *** -> '' (secret) changed"],
                     id="its name"),
        pytest.param("{}", "password: hunter2", [], ["+ password: *** (secret)"], id="its name, of a new one"),
        pytest.param("tokens: [hunter2]", "token: [hunter2]", [], ["+ token[0]: *** (secret)", "- tokens[0]: hunter2"],
                     id="a list of them"),
        pytest.param("u: mysql://u:hunter2@h", "u: h", [], ["~ u: *** -> h (secret) changed"], id="an address"),
        pytest.param("a: known", "a: x", [], ["~ a: *** -> x (secret) changed"], id="a secret of this run"),
        pytest.param("a: {b: {c: known}}", "a: x", [], ["- a.b.c: *** (secret)", "+ a: x"], id="below what goes"),
        pytest.param("a: [hunter2, x]", "a: [y, other]", [("a", 1)],
                     ["~ a[0]: *** -> y (secret) changed", "~ a[1]: *** (secret) changed"], id="a list that has moved"),
        pytest.param("a: [{name: p, value: hunter2}, {name: q, value: u}]", "a: [{name: q, value: v}]",
                     [("a", 5, "value")],
                     ["~ a[0].value: u -> v", "- a[0].name: p", "- a[0].value: *** (secret)"],
                     id="a member that is gone"),
        pytest.param("a: [{name: DB_PASSWORD, value: hunter2}]", "a: [{name: DB_PASSWORD, value: hunter3}]", [],
                     ["~ a[0].value: *** (secret) changed"], id="a variable that is called like one"),
        pytest.param("host: zenml.bank.test", "host: zenml.bank.other", [],
                     ["~ host: zenml.bank.test -> zenml.bank.other"],
                     id="nothing else"),
    ],
)  # fmt: skip
def test_secrets_are_masked_and_nothing_else(old: str, new: str, secret: list[KeyPath], expected: list[str]) -> None:
    found = lines(old, new, *secret, known="known")
    assert sorted(found) == sorted(expected)


def test_for_machines() -> None:
    found = value_changes({"a": 1, "b": "hunter2", "c": [True]}, {"a": None, "b": "y"}, secret=[("b",)], is_known=bool)
    expected: list[dict[str, Any]] = [
        {"path": "a", "change": "changed", "secret": True, "new": None},
        {"path": "b", "change": "changed", "secret": True},
        {"path": "c[0]", "change": "removed", "secret": False, "old": True},
    ]
    assert [each.to_dict() for each in found] == expected
    assert "hunter2" not in repr(found)


def test_a_path_is_told_apart_from_keys_with_dots() -> None:
    assert path_text(("a", "b.c/d", 0, "e-f_g", "")) == 'a."b.c/d"[0].e-f_g.""'
