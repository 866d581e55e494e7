"""What an entry says of each item of a list, and what it then says of one."""

from typing import Any

import pytest

from schema.spec.repeat import ForEach, Instance, repeated

ITEM = Instance(place="workspaces.team-b", name="team-b", secrets=frozenset({"key"}), steps=frozenset({"enroll"}))
FIRST = Instance(place="workspace", secrets=frozenset({"key"}), steps=frozenset({"enroll"}))


@pytest.mark.parametrize(
    ("text", "item", "first"),
    [
        ("plain $${x}", "plain $${x}", "plain $${x}"),
        ("https://${item.host}/", "https://${site.workspaces.team-b.host}/", "https://${site.workspace.host}/"),
        (
            "${item.db.user|urlencode}",
            "${site.workspaces.team-b.db.user|urlencode}",
            "${site.workspace.db.user|urlencode}",
        ),
        ("n${item.suffix}$${x}", "n-team-b$${x}", "n$${x}"),
        ("${item.suffix|json}", '"-team-b"', '""'),
        ("${env.PW${item.SUFFIX}|urlencode}", "${env.PW_TEAM_B|urlencode}", "${env.PW|urlencode}"),
        ("${file.tls/w${item.suffix}.crt}", "${file.tls/w-team-b.crt}", "${file.tls/w.crt}"),
        ("${secret.key}${secret.other}", "${secret.key-team-b}${secret.other}", "${secret.key}${secret.other}"),
        ("${output.enroll.a.b}", "${output.enroll-team-b.a.b}", "${output.enroll.a.b}"),
        ("${output.once.a}${site.x}", "${output.once.a}${site.x}", "${output.once.a}${site.x}"),
    ],
)
def test_a_template_for_one_item(text: str, item: str, first: str) -> None:
    assert (ITEM.filled(text), FIRST.filled(text)) == (item, first)


def test_what_is_for_one_item_stays() -> None:
    for text in ("${item.host} ${secret.key} $${item.x} ${env.A${item.SUFFIX}}",):
        assert FIRST.filled(FIRST.filled(text)) == FIRST.filled(text)


def test_a_namespace() -> None:
    assert (ITEM.named("w${item.suffix}"), FIRST.named("w${item.suffix}")) == ("w-team-b", "w")
    assert ITEM.named("w") == "w"


@pytest.mark.parametrize("for_each", [None, ForEach.of("${site.a.b}"), ForEach.of("${site.a}", "${site.c}")])
def test_it_round_trips(for_each: ForEach | None) -> None:
    assert ForEach.from_dict(repeated(for_each)) == for_each


def test_it_names_settings() -> None:
    assert ForEach.of("${site.a.b}", "${site.c}") == ForEach(list="a.b", first="c")
    assert str(ForEach(list="a.b")) == "${site.a.b}"


@pytest.mark.parametrize(
    "for_each", [{"list": 5, "first": ""}, {"list": "", "first": ""}, {"list": "a", "first": None}, [1]]
)
def test_what_no_bundle_says(for_each: Any) -> None:
    with pytest.raises(TypeError):
        ForEach.from_dict({"for_each": for_each})
