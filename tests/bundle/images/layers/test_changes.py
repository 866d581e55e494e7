"""What a layer hides of those below, and where links lead inside an image."""

import pytest

from bundle.images.layers.changes import Hidden, follow, inside, parents


@pytest.mark.parametrize(
    ("entry", "covered", "seen"),
    [
        (".wh.a", ["a", "a/b", "a/b/c"], ["ab", "b/a", ""]),
        ("a/.wh.b", ["a/b", "a/b/c"], ["a", "a/bc", "b"]),
        ("a/.wh..wh..opq", ["a/b", "a/b/c"], ["a", "b"]),
        (".wh..wh..opq", ["a", "a/b"], [""]),
        ("a/.wh..wh.plnk", [], ["a", "a/b", ".wh.plnk"]),
    ],
)
def test_what_a_mark_hides(entry: str, covered: list[str], seen: list[str]) -> None:
    hidden = Hidden()
    assert hidden.note(entry)
    assert [path for path in (*covered, *seen) if hidden.covers(path)] == covered


@pytest.mark.parametrize("entry", ["a", "a/b", "a.wh.b", "a/wh.b"])
def test_what_is_no_mark_hides_nothing(entry: str) -> None:
    hidden = Hidden()
    assert not hidden.note(entry)
    assert not hidden.removed
    assert not hidden.emptied


@pytest.mark.parametrize(
    ("name", "path"),
    [("./a/b", "a/b"), ("/a//b/", "a/b"), ("../../a", "a"), ("a/../../b", "b"), (".", ""), ("/", "")],
)
def test_no_name_leads_out(name: str, path: str) -> None:
    assert inside(name) == path


def test_directories_above() -> None:
    assert list(parents("a/b/c")) == ["a/b", "a", ""]
    assert list(parents("")) == []


LINKS = {
    "lib": "usr/lib",
    "usr/lib/x": "../share/x",
    "etc/abs": "/usr/share/y",
    "out": "../../../../etc",
    "round": "about",
    "about": "round",
    "self": "self/deeper",
}


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("usr/bin", "usr/bin"),
        ("lib/a", "usr/lib/a"),
        ("lib/x", "usr/share/x"),
        ("etc/abs/z", "usr/share/y/z"),
        ("out/passwd", "etc/passwd"),
        ("./usr//./bin", "usr/bin"),
        ("", ""),
        ("round", None),
        ("self", None),
    ],
)
def test_where_a_path_leads(path: str, real: str | None) -> None:
    assert follow(path, LINKS.get) == real
