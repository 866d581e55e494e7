"""Repository indexes: found exactly, or answered with what comes near."""

import pytest

from bundle.errors import FormatError, SourceError
from clients.charts._index import ChartIndex, IndexEntry, nearest

HEX = "ab" * 32
INDEX = f"""\
apiVersion: v1
entries:
  other: []
  odd: {{not: a list}}
  hello:
  - annotations: {{a: "- name: hello", deep: [{{version: 9.9.9}}]}}
    ? [complex, key]
    : {{version: 8.8.8}}
    version: 1.10
    urls:
    - charts/hello-1.10.tgz
    - https://mirror.example/hello-1.10.tgz
    digest: {HEX}
    dependencies:
    - name: postgres
      version: 7.7.7
  - version: 1.2.0+build.1
    urls: [https://cdn.example/hello.tgz]
  - just text
generated: "2026-01-01T00:00:00Z"
"""
FIRST = IndexEntry(version="1.10", urls=("charts/hello-1.10.tgz", "https://mirror.example/hello-1.10.tgz"), digest=HEX)


def test_keeps_what_fetching_needs() -> None:
    index = ChartIndex.parse(INDEX.encode(), subject="chart 'hello'")
    assert index.entries["hello"][:2] == (
        FIRST,
        IndexEntry(version="1.2.0+build.1", urls=("https://cdn.example/hello.tgz",), digest=""),
    )
    assert index.entries["other"] == ()


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["1.0.0", "2.0.0-rc.1"], "1.0.0"),
        (["1.0.0-b", "1.0.0-rc"], "1.0.0-rc"),
    ],
)
def test_newest(versions: list[str], newest: str) -> None:
    entries = tuple(IndexEntry(version=version, urls=(), digest="") for version in versions)
    assert ChartIndex(entries={"hello": entries}).newest("hello", subject="chart", source="x") == newest


@pytest.mark.parametrize("name", ["none", "other"])
def test_newest_of_nothing(name: str) -> None:
    with pytest.raises(SourceError):
        ChartIndex.parse(INDEX.encode(), subject="chart").newest(name, subject="chart", source="x")


def test_json_is_yaml_too() -> None:
    index = ChartIndex.parse(b'{"entries":{"hello":[{"version":"1.0.0","urls":["a"]}]}}', subject="chart 'hello'")
    assert index.entries["hello"] == (IndexEntry(version="1.0.0", urls=("a",), digest=""),)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html>Sign in</html>", "not a mapping"),
        (b"- a\n- b\n", "not a mapping"),
        (b"", "not a mapping"),
        (b"entries: {a: [", "not YAML"),
        (b"entries:\n\tx: 1\n", "not YAML"),
        (b"\xff\xfe\x00", "not YAML|not a mapping"),
    ],
    ids=["page", "list", "empty", "cut off", "tabs", "binary"],
)
def test_what_is_no_index(raw: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        ChartIndex.parse(raw, subject="chart 'hello'")
    assert caught.value.what.startswith("chart 'hello': ")


@pytest.mark.parametrize(
    ("name", "version", "what", "hint"),
    [
        ("hello", "1.1", "no version '1.1' of chart 'hello'", "it has 1.2.0+build.1, 1.10"),
        ("hello", "v1.10", "no version 'v1.10'", "1.10"),
        ("helo", "1.10", "no chart 'helo'", "it has hello"),
        ("xyz", "1.10", "no chart 'xyz'", "check the chart's name"),
        ("other", "1.0.0", "no version '1.0.0'", "none at all"),
    ],
)
def test_absent_ones_are_answered_with_what_is_near(name: str, version: str, what: str, hint: str) -> None:
    index = ChartIndex.parse(INDEX.replace("  - just text\n", "").encode(), subject="chart 'x'")
    with pytest.raises(SourceError) as caught:
        index.find(name, version, subject="chart 'x'", source="https://charts.example")
    assert what in caught.value.what
    assert hint in caught.value.hint


MANY = ["1.0.0", "1.2.0", "1.10.0", "1.10.0-rc.1", "1.10.0-rc.2", "1.10.0-beta", "2.0.0", "10.0.0", "10.1.0", "odd"]


@pytest.mark.parametrize(
    ("version", "near"),
    [
        ("1.3.0", ["1.0.0", "1.2.0", "1.10.0-beta", "1.10.0-rc.1", "10.1.0"]),
        ("0.1.0", ["odd", "1.0.0", "1.2.0", "1.10.0-beta", "10.1.0"]),
        ("99.0.0", ["1.10.0", "2.0.0", "10.0.0", "10.1.0"]),
        ("1.10.0-rc.10", ["1.10.0-rc.1", "1.10.0-rc.2", "1.10.0", "2.0.0", "10.1.0"]),
    ],
)
def test_nearest_follows_semver(version: str, near: list[str]) -> None:
    assert nearest(version, MANY) == near
