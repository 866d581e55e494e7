"""YAML as Kubernetes reads it."""

import pytest

from bundle.errors import FormatError
from clients.cluster.manifests import manifests


def test_lists_are_flattened_and_dates_and_signs_are_texts() -> None:
    text = "kind: A\nday: 2020-01-01\nsign: =\n---\n---\n"
    text += "kind: BList\nitems: [{kind: B}, {kind: CList, items: [{kind: C}]}]\n"
    assert manifests(text, subject="chart") == (
        {"kind": "A", "day": "2020-01-01", "sign": "="},
        {"kind": "B"},
        {"kind": "C"},
    )


def test_what_is_no_yaml() -> None:
    with pytest.raises(FormatError, match=r"release 'a': what it renders is no YAML: while parsing .* line 2"):
        manifests("a: [", subject="release 'a'")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e+06", 1_000_000), ("1.5", 1.5), ("2.", 2.0), ("7", 7), ("-3", -3), ("0x1f", 31), ("0644", 420),
        ("22:22", "22:22"), ("1.10.0", "1.10.0"), ("true", True), ("null", None), ("1e400x", "1e400x"),
        (".5", 0.5), ("1_000", 1000),
    ],
)  # fmt: skip
def test_numbers_as_go_reads_them(text: str, value: object) -> None:
    (found,) = manifests(f"kind: A\nvalue: {text}\n", subject="x")
    assert (found["value"], type(found["value"])) == (value, type(value))
