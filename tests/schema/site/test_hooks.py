"""Whom a site file has told how an install ended."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.site.hooks import Hook
from schema.site.site import Site


def load(tmp_path: Path, text: str) -> Site:
    (tmp_path / "site.yaml").write_text(text)
    return Site.load(tmp_path / "site.yaml")


def test_commands_and_webhooks_in_their_order(tmp_path: Path) -> None:
    text = 'on:\n  installed: [[./ticket.sh, --close], "${env.CHAT}"]\n  failed: [https://t.example/x/sec]\nhost: h\n'
    site = load(tmp_path, text)
    assert site.hooks == {
        "installed": (Hook(command=("./ticket.sh", "--close")), Hook(variable="CHAT")),
        "failed": (Hook(url="https://t.example/x/sec"),),
    }
    assert [each.label for each in (*site.hooks["installed"], *site.hooks["failed"])] == [
        "./ticket.sh",
        "${env.CHAT}",
        "https://t.example",
    ]
    assert site.facts == {"host": "h"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("on: [a]", "'on' is a list"),
        ("on: {instaled: []}", "unknown key 'instaled' in 'on'"),
        ("on: {failed: ./x.sh}", "'failed' is text"),
        ("on: {failed: [./x.sh]}", "a hook that is text"),
        ("on: {failed: [[]]}", "a hook that is"),
        ("on: {failed: [[a, 1]]}", "a hook that is"),
        ("on: {failed: ['https://']}", "a hook that is text"),
        ("on: {failed: ['${site.url}']}", "a hook that is text"),
        ("yes: 1", "key 'yes' is no text"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    assert told in str(caught.value)
