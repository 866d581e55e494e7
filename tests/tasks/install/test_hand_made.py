"""What a directory filled by hand holds and lacks, and which of a spec's items are in it."""

from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.meter import SilentMeter
from schema.spec.spec import Spec
from tasks.install.hand_made import HandMade, check_hand_made, match_chart, match_image, read_hand_made
from tests.fixtures.images.hand_made import by_hand
from tests.fixtures.made.full_spec import spec

HEAD = "version: 1\nbundle: {name: app, version: '1'}\nregistry: {prefix: inside.example/team}\n"


def read(place: Path) -> HandMade:
    return read_hand_made(place, meter=SilentMeter())


def findings(place: Path, given: Spec | None = None) -> list[str]:
    with pytest.raises(BundleError) as caught:
        check_hand_made(place, given, meter=SilentMeter())
    assert caught.value.hint.startswith(f"doit adopt bundle={place} ")
    return [str(each) for each in caught.value.problems]


def test_all_that_can_be_used_is_told(tmp_path: Path) -> None:
    made = read(by_hand(tmp_path, {"b": "r.example/team/b:2", "a": "r.example/team/a:1"}, {"web": "1.10"}))
    assert [(each.file.name, each.ref) for each in made.images] == [
        ("a.tar", "r.example/team/a:1"),
        ("b.tar", "r.example/team/b:2"),
    ]
    assert [(each.name, each.version) for each in made.charts] == [("web", "1.10")]
    assert (made.bad, made.text) == ((), None)


def test_what_can_not_be_used_is_told_with_its_place(tmp_path: Path) -> None:
    by_hand(tmp_path, {"good": "r.example/team/a:1"}, {"web": "1.10"})
    (tmp_path / "images/bad.tar").write_bytes(b"no tar")
    (tmp_path / "charts/bad.tgz").write_bytes(b"no chart")
    made = read(tmp_path)
    assert len(made.images) == len(made.charts) == 1
    image, chart = made.bad
    assert image.startswith("unusable: images/bad.tar: 'bad.tar': tar is cut off")
    assert chart.startswith("unusable: charts/bad.tgz: not a packaged chart")


def test_it_is_never_good_as_it_is(tmp_path: Path) -> None:
    found = findings(by_hand(tmp_path, {"a": "r.example/team/a:1"}, {"web": "1.10"}))
    assert found[0].startswith("found: images/a.tar: r.example/team/a:1 (linux/amd64, ")
    assert found[1] == "found: charts/web-1.10.tgz: chart web 1.10"
    assert [each.partition(":")[2].split(":")[0].strip() for each in found[2:]] == [
        "SHA256SUMS",
        "manifest.json",
        "airgap.json, airgap.pyz",
        "manifest.txt",
    ]


@pytest.mark.parametrize(("text", "is_told"), [("a 1\n", True), ("a:2", False), ("b:1", False), ("", False)])
def test_a_list_that_does_not_tell_of_an_image(tmp_path: Path, text: str, is_told: bool) -> None:
    by_hand(tmp_path, {"a": "r.example/app-a:1"}, {})
    (tmp_path / "manifest.txt").write_text(text.replace("a", "app-a"))
    found = findings(tmp_path)
    assert ("absent: manifest.txt does not name image r.example/app-a:1" not in found) is is_told


def test_what_a_spec_has_and_it_has_not(tmp_path: Path) -> None:
    by_hand(tmp_path / "hand", {"a": "r.example/team/a:1"}, {"web": "1.10"})
    text = (
        "images: [{name: a, source: 'r.example/team/a:1'}, {name: b, source: 'r.example/b:1'}]\n"
        "charts: [{name: web, source: 'oci://r.example/web', version: '1.10'},\n"
        " {name: db, source: 'oci://r.example/db', version: '2'}]\n"
    )
    missing = [each for each in findings(tmp_path / "hand", spec(tmp_path, text, HEAD)) if each.startswith("missing")]
    assert missing == [
        "missing: image 'b' of airgap.yaml (inside.example/team/b:1) is in no archive",
        "missing: chart 'db' 2 of airgap.yaml is not in charts/",
    ]


@pytest.mark.parametrize(
    ("archives", "found"),
    [
        ({"x": "other/app:1", "y": "r.example/deep/app:1"}, "y"),
        ({"x": "other/app:1", "y": "inside.example/team/app:1"}, "y"),
        ({"x": "other/app:1"}, "x"),
        ({"x": "other/app:1", "y": "another/app:1"}, None),
        ({"x": "r.example/deep/app:2"}, None),
        ({"x": "r.example/deep/app-1:1"}, None),
    ],
    ids=["at its source", "inside", "alike", "two alike", "another version", "another name"],
)
def test_which_archive_an_image_is_in(tmp_path: Path, archives: dict[str, str], found: str | None) -> None:
    (image,) = spec(tmp_path, "images: [{name: app, source: 'r.example/deep/app:1'}]\n", HEAD).images
    match = match_image(image, read(by_hand(tmp_path / "hand", archives, {})).images)
    assert (match.file.stem if match else None) == found


@pytest.mark.parametrize(("version", "is_there"), [("1.10", True), ("1.1", False)])
def test_a_chart_is_of_its_name_and_version(tmp_path: Path, version: str, is_there: bool) -> None:
    text = f"charts: [{{name: web, source: 'oci://r.example/web', version: '{version}'}}]\n"
    (chart,) = spec(tmp_path, text, HEAD).charts
    made = read(by_hand(tmp_path / "hand", {}, {"web": "1.10", "other": version}))
    assert (match_chart(chart, made.charts) is not None) is is_there
