import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from bundle.errors import FormatError
from bundle.images.layers.stream import LayerStream
from bundle.sbom import _filesystem as filesystem
from bundle.sbom._filesystem import FileSystem
from bundle.storage.tar_reader import Member
from tests.fixtures.images.layers import DIRECTORY, Content, Link, tar_of

Layer = Mapping[str, Content] | Sequence[tuple[str, Content]]


def add(files: FileSystem[bytes], *layers: Layer) -> FileSystem[bytes]:
    for entries in layers:
        data = tar_of(entries)

        @contextmanager
        def opened(data: bytes = data) -> Iterator[LayerStream]:
            yield LayerStream(iter([data]))

        files.add(opened)
    return files


def empty() -> FileSystem[bytes]:
    """Wants what is named `info`, and links whose names begin with `to`."""

    def read(member: Member, stream: LayerStream) -> bytes:
        return stream.read(member.size)

    def wanted(name: str) -> type[None] | object:
        return read if name.rpartition("/")[2] == "info" else None

    return FileSystem(wanted, lambda name: "to" in name, len)  # type: ignore[arg-type]


def merged(*layers: Layer) -> dict[str, str]:
    return {name: data.decode() for name, data in add(empty(), *layers).files().items()}


BASE: Layer = {"a/": DIRECTORY, "a/info": "A", "a/b/info": "AB", "a/other": "-", "c/info": "C", "info": "root"}
ALL = {"a/info": "A", "a/b/info": "AB", "c/info": "C", "info": "root"}


def without(*names: str, **more: str) -> dict[str, str]:
    return {name: data for name, data in ALL.items() if name not in names} | more


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        pytest.param({}, ALL, id="empty"),
        pytest.param({"a/info": "new"}, {**ALL, "a/info": "new"}, id="replaced"),
        pytest.param({"a/.wh.info": ""}, without("a/info"), id="removed"),
        pytest.param({".wh.a": ""}, without("a/info", "a/b/info"), id="directory removed"),
        pytest.param({".wh.a": "", "a/info": "new"}, without("a/b/info") | {"a/info": "new"}, id="removed, made anew"),
        pytest.param(
            [("a/info", "new"), (".wh.a", "")], without("a/b/info") | {"a/info": "new"}, id="in the other order"
        ),
        pytest.param({"a/.wh..wh..opq": ""}, without("a/info", "a/b/info"), id="emptied"),
        pytest.param(
            [("a/x/info", "X"), ("a/.wh..wh..opq", "")],
            without("a/info", "a/b/info") | {"a/x/info": "X"},
            id="emptied, with new content",
        ),
        pytest.param({".wh..wh..opq": ""}, {}, id="all emptied"),
        pytest.param({"a": "a file"}, without("a/info", "a/b/info"), id="file over a directory"),
        pytest.param({"a": Link(target="c")}, without("a/info", "a/b/info"), id="link over a directory"),
        pytest.param(
            {"a/info": DIRECTORY, "a/info/info": "deep"}, without("a/info") | {"a/info/info": "deep"}, id="up"
        ),
        pytest.param({"a/": DIRECTORY}, ALL, id="directory over a directory"),
        pytest.param({"a/.wh..wh.plnk": "", "a/.wh..wh.aufs": ""}, ALL, id="AUFS's own"),
        pytest.param({"./a/.wh.info": ""}, without("a/info"), id="dot"),
        pytest.param({"/a/info": "new"}, {**ALL, "a/info": "new"}, id="slash in front"),
        pytest.param({"../../a/info": "new"}, {**ALL, "a/info": "new"}, id="above the root is the root"),
        pytest.param({"a/.wh.in": ""}, ALL, id="a name that only begins so"),
        pytest.param([("a/info", "1"), ("a/info", "2")], {**ALL, "a/info": "2"}, id="twice"),
        pytest.param({"d": "D", "e/info": Link(target="d", hard=True)}, {**ALL, "e/info": "D"}, id="hard link"),
        pytest.param(
            {"d/info": "D", "e/info": Link(target="/d/info", hard=True)},
            {**ALL, "d/info": "D", "e/info": "D"},
            id="hard link to a wanted one",
        ),
    ],
)
def test_a_layer_changes_what_is_below(upper: Layer, left: dict[str, str]) -> None:
    assert merged(BASE, upper) == dict(sorted(left.items()))


def test_what_was_removed_may_come_back() -> None:
    assert merged(BASE, {".wh.a": ""}, {"a/info": "again"}) == dict(
        sorted({**without("a/b/info"), "a/info": "again"}.items())
    )


@pytest.mark.parametrize(
    ("links", "path", "real"),
    [
        pytest.param({}, "a/info", "a/info", id="itself"),
        pytest.param({"to": Link(target="a")}, "to/info", "a/info", id="directory"),
        pytest.param({"x/to": Link(target="../a/b")}, "x/to/info", "a/b/info", id="relative"),
        pytest.param({"x/to": Link(target="/a")}, "x/to/info", "a/info", id="absolute"),
        pytest.param({"to": Link(target="a/info")}, "to", "a/info", id="file"),
        pytest.param({"to": Link(target="to2"), "to2": Link(target="./c")}, "to/info", "c/info", id="two"),
        pytest.param({"to": Link(target="../../../a")}, "to/info", "a/info", id="above the root is the root"),
        pytest.param({"to": Link(target="to")}, "to/info", None, id="loop"),
        pytest.param({"to": Link(target="nowhere")}, "to/info", None, id="dangling"),
        pytest.param({}, "nowhere", None, id="absent"),
    ],
)
def test_links_are_followed(links: Layer, path: str, real: str | None) -> None:
    found = add(empty(), BASE, links).find(path)
    assert (found[0] if found else None) == real


def test_a_removed_link_leads_nowhere() -> None:
    linked = add(empty(), BASE, {"to": Link(target="a")})
    assert linked.find("to/info") is not None
    assert add(linked, {".wh.to": ""}).find("to/info") is None


def test_a_directory_takes_the_place_of_a_link() -> None:
    files = add(empty(), BASE, {"to": Link(target="a")}, {"to": DIRECTORY, "to/info": "own"})
    assert files.find("to/info") == ("to/info", b"own")


def test_of_a_layer_that_breaks_off_nothing_counts() -> None:
    files = add(empty(), BASE)

    @contextmanager
    def broken() -> Iterator[LayerStream]:
        yield LayerStream(iter([tar_of({"a/info": "new", ".wh.c": "", "z/info": "z" * 2000})[:2600]]))

    with pytest.raises(FormatError, match="cut off"):
        files.add(broken)
    assert {name: data.decode() for name, data in files.files().items()} == ALL


def test_a_hard_link_to_nothing_is_an_error() -> None:
    with pytest.raises(FormatError, match=re.escape("hard link to 'gone'")):
        merged({"info": Link(target="gone", hard=True)})


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([(f"{number}/info", "x" * 100) for number in range(100)], id="files"),
        pytest.param([(f"{number}/.wh.info", "") for number in range(200)], id="whiteouts"),
        pytest.param([(f"{number}/.wh..wh..opq", "") for number in range(200)], id="opaque"),
        pytest.param([(f"to{number}", Link(target="x")) for number in range(200)], id="links"),
    ],
)
def test_memory_is_bounded(entries: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_MOST_WEIGHT", 10_000)
    with pytest.raises(FormatError, match="takes more than"):
        merged(entries)
