"""What nobody filled in."""

import pytest

from schema.values.placeholders import placeholder_in, placeholders
from schema.values.values import Values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<your-domain>", "<your-domain>"),
        ("https://<host name>/api", "<host name>"),
        ("<PASSWORD>", "<PASSWORD>"),
        ("TODO", "TODO"),
        ("TODO: ask Bob", "TODO"),
        ("TBD", "TBD"),
        ("FIXME later", "FIXME"),
        ("CHANGEME", "CHANGEME"),
        ("change-me", "change-me"),
        ("please change_me", "change_me"),
        ("replace-me", "replace-me"),
        ("reg.mycompany.com/x", "mycompany.com"),
        ("https://MyCompany.com", "MyCompany.com"),
        ("your-domain.org", "your-domain.org"),
        ("admin@example.com", "example.com"),
        ("db.example.net:3306", "example.net"),
        ("line\npassword: CHANGEME\n", "CHANGEME"),
        ("one line <x>\n", "<x>"),
    ],
)
def test_found(text: str, found: str) -> None:
    assert placeholder_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.internal.corp",
        "registry.internal.example/hello",
        "company.com",
        "ourcompany.com",
        "counterexample.com",
        "a < b and c > d",
        "<b>bold</b>",
        "Bob <bob@corp.net>",
        "cat <in >out",
        "{{ .Values.x }}",
        "mastodon",
        "exchange mechanism",
        "this will change me",
        "todo",
        "METHODTODOS",
        "#!/bin/sh\ncat <file> out # TODO\n",
    ],
)
def test_not_found(text: str) -> None:
    assert placeholder_in(text) == ""


def test_each_with_its_path_and_place() -> None:
    values = Values(
        data={"a": {"hosts": [{"host": "x.mycompany.com"}, {"host": "fine"}]}, "b": 1, "c": "TODO", "d": None},
        places={("a", "hosts", 0, "host"): "v.yaml:4"},
    )
    assert [str(found) for found in placeholders(values)] == [
        "v.yaml:4: 'a.hosts[0].host' still holds 'mycompany.com'",
        "'c' still holds 'TODO'",
    ]
