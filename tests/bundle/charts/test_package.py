"""Charts as archives: the same bytes for the same files, and no harm from hostile ones."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.charts.package import MAX_UNPACKED, list_chart, pack, package_chart, read_archive
from bundle.errors import FormatError, SourceError, StorageError

FILES = {
    "Chart.yaml": "name: demo\n",
    "values.yaml": "a: 1\n",
    "templates/b.yaml": "b\n",
    "templates/a.yaml": "a\n",
    "templates/.hidden": "no\n",
    "notes.bak": "no\n",
    ".helmignore": "*.bak\n/secret/\n",
    "secret/key": "no\n",
    "docs/secret/key": "yes\n",
    "docs.txt": "yes\n",
}
KEPT = [
    ".helmignore",
    "Chart.yaml",
    "docs.txt",
    "docs/secret/key",
    "templates/a.yaml",
    "templates/b.yaml",
    "values.yaml",
]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    directory = tmp_path / "somewhere"
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return archive.getnames()


def archive(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            info, data = (
                (member, b"") if isinstance(member, tarfile.TarInfo) else (tarfile.TarInfo(member[0]), member[1])
            )
            if not isinstance(member, tarfile.TarInfo):
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def special_size(name: str, kind: bytes, size: int) -> bytes:
    info = special(name, kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def test_packages_what_helm_packages(chart: Path) -> None:
    data = package_chart(chart, name="demo", subject="chart 'demo'")
    assert names(data) == [f"demo/{name}" for name in KEPT]
    files = read_archive(data, keep=lambda _: True, subject="chart 'demo'")
    assert {name: text.decode() for name, text in files.items()} == {name: FILES[name] for name in KEPT}


def test_bytes_do_not_depend_on_times_modes_or_the_order_on_disk(chart: Path, tmp_path: Path) -> None:
    first = package_chart(chart, name="demo", subject="chart 'demo'")
    other = tmp_path / "other"
    for name in reversed(FILES):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(FILES[name])
        os.utime(other / name, (5, 5))
        (other / name).chmod(0o700)
    assert package_chart(other, name="demo", subject="chart 'demo'") == first


def test_bytes_are_pinned() -> None:
    data = pack([("demo/Chart.yaml", b"name: demo\n"), ("demo/" + "long/" * 40 + "name", bytes(200_000))])
    assert hashlib.sha256(data).hexdigest() == "ca12e969f3a20e5877603f8311952b3b9f837e8e3cd4165d5603e3afb1648f60"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 131070, 200_000])
def test_stored_gzip_is_gzip(size: int) -> None:
    content = os.urandom(size)
    data = pack([("demo/x", content)])
    assert read_archive(data, keep=lambda _: True, subject="chart 'demo'") == {"x": content}
    assert subprocess.run(["gzip", "-t"], input=data, check=False).returncode == 0
    assert subprocess.run(["tar", "-tzf", "-"], input=data, check=True, capture_output=True).stdout == b"demo/x\n"


def test_links_inside_are_followed(chart: Path) -> None:
    (chart / "templates" / "c.yaml").symlink_to("../values.yaml")
    (chart / "more").symlink_to("docs/secret")
    data = package_chart(chart, name="demo", subject="chart 'demo'")
    files = read_archive(data, keep=lambda _: True, subject="chart 'demo'")
    assert files["templates/c.yaml"] == b"a: 1\n"
    assert files["more/key"] == b"yes\n"


LINKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "climbing": (lambda c: (c / "x").symlink_to("../.."), "circular reference"),
    "to its directory": (lambda c: (c / "docs" / "x").symlink_to("."), "circular reference"),
    "to itself": (lambda c: (c / "x").symlink_to("x"), "circular|levels of symbolic links"),
    "pipe": (lambda c: os.mkfifo(c / "x"), "neither a file nor a directory"),
    "broken": (lambda c: (c / "x").symlink_to("nothing"), "leads to nothing, which is not there"),
}


@pytest.mark.parametrize(("make", "message"), LINKS.values(), ids=LINKS.keys())
def test_links_that_can_not_be_packaged(chart: Path, make: Callable[[Path], None], message: str) -> None:
    make(chart)
    with pytest.raises((SourceError, StorageError), match=message) as caught:
        list_chart(chart, subject="chart 'demo'")
    assert "chart 'demo'" in str(caught.value)


def test_links_between_directories_end(chart: Path) -> None:
    (chart / "docs" / "to").symlink_to("../templates")
    (chart / "templates" / "back").symlink_to("../docs")
    with pytest.raises(SourceError, match="circular reference"):
        list_chart(chart, subject="chart 'demo'")


def test_an_ignored_link_does_no_harm(chart: Path) -> None:
    (chart / "out.bak").symlink_to("/etc")
    assert [file.name for file in list_chart(chart, subject="chart 'demo'")] == KEPT


def test_a_bad_rule_names_the_file(chart: Path) -> None:
    (chart / ".helmignore").write_text("a/**/b\n")
    with pytest.raises(FormatError, match=r"chart 'demo': .*\.helmignore: rule 'a/\*\*/b'"):
        list_chart(chart, subject="chart 'demo'")


HOSTILE = {
    "climbs": (archive(("demo/../../x", b"x")), "leads out of its directory"),
    "absolute": (archive(("/demo/x", b"x")), "leads out of its directory"),
    "backslashes": (archive(("demo\\..\\..\\x", b"x")), "leads out of its directory"),
    "drive": (archive(("c:/demo/x", b"x")), "leads out of its directory"),
    "device": (archive(special("demo/x", tarfile.CHRTYPE)), "neither a file nor a link"),
    "no directory": (archive(("Chart.yaml", b"name: demo")), "outside of the chart's directory"),
    "twice": (archive(("demo/Chart.yaml", b"a"), ("other/Chart.yaml", b"b")), "twice"),
    "empty": (archive(), "no files"),
    "not gzip": (b"<html>", "not a packaged chart"),
    "not tar": (gzip.compress(b"hello" * 500), "not a packaged chart"),
    "cut off": (archive(("demo/x", os.urandom(100_000)))[:50_000], "not a packaged chart"),
    "bomb of names": (gzip.compress(special_size("x", tarfile.XHDTYPE, 1 << 33) + bytes(MAX_UNPACKED), 1), "more than"),
    "sparse bomb": (
        gzip.compress(special_size("demo/x", tarfile.GNUTYPE_SPARSE, 1 << 40), 1),
        "neither a file|not a packaged",
    ),
    "bomb in a file": (archive(("demo/x", bytes(MAX_UNPACKED))), "unpacks to more than"),
}


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read_archive(data, keep=lambda _: True, subject="chart 'demo'")
    assert caught.value.what.startswith("chart 'demo': ")


def test_archives_from_windows_are_read() -> None:
    data = archive(("demo\\templates\\a.yaml", b"a"), ("demo\\Chart.yaml", b"name: demo"))
    assert read_archive(data, keep=lambda name: name == "Chart.yaml", subject="chart 'demo'") == {
        "Chart.yaml": b"name: demo"
    }


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_link_out_of_the_chart_is_followed_and_told(chart: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.md").write_text("from outside")
    (chart / "linked").symlink_to(outside if kind == "directory" else outside / "x.md")
    said: list[str] = []
    packaged = package_chart(chart, name="demo", subject="chart 'demo'", say=said.append)
    name = "linked/x.md" if kind == "directory" else "linked"
    assert read_archive(packaged, keep=lambda each: each == name, subject="chart 'demo'") == {name: b"from outside"}
    (told,) = said
    assert told.startswith(f"the link {chart / 'linked'} leads out of the chart, to {outside}")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
def test_a_link_in_a_package_is_an_empty_file(kind: bytes) -> None:
    """As Helm reads it: nobody follows it."""
    data = archive(("demo/y", b"y"), special("demo/x", kind, "demo/y"))
    assert read_archive(data, keep=lambda name: True, subject="chart 'demo'") == {"y": b"y", "x": b""}
