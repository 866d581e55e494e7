"""Lists of images, as vendors hand them out."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from tests.fixtures.made.full_spec import spec

LINES = """\ufeff# images of everything
longhornio/csi-attacher:v4.9.0

registry.k8s.io/sig-storage/csi-attacher:v4.9.0   # the original
docker.io/rancher/pause:3.1\r
rancher/pause:3.1
redis
quay.io/team/tool@sha256:%s
""" % ("4c0f" * 16)


def load(place: Path, entry: str, lines: str = LINES, more: str = "") -> dict[str, str]:
    """The images of a spec with one list: what each is called inside, by name."""
    (place / "images.txt").write_text(lines, "utf-8", newline="")
    found = spec(place, f"images:\n  - {entry}\n{more}")
    return {image.name: str(image.target).removeprefix("reg.internal/demo/") for image in found.images}


def test_an_entry_for_each_line_with_its_path(tmp_path: Path) -> None:
    assert load(tmp_path, "{list: images.txt, keep_path: true}") == {
        "longhornio-csi-attacher": "longhornio/csi-attacher:v4.9.0",
        "sig-storage-csi-attacher": "sig-storage/csi-attacher:v4.9.0",
        "pause": "rancher/pause:3.1",
        "redis": "library/redis:latest",
        "tool": "team/tool:digest-4c0f4c0f4c0f",
    }


def test_names_are_as_long_as_they_must_be(tmp_path: Path) -> None:
    lines = "a.test/x/app:1\na.test/x/app:2\nb.test/x/app:2\nb.test/y/web:1\n"
    assert list(load(tmp_path, "{list: images.txt, keep_path: true}", lines.replace("b.test/x/app:2\n", ""))) == [
        "x-app-1",
        "x-app-2",
        "web",
    ]
    more = "  - {name: web, source: 'c.test/other:1'}\n"
    assert list(load(tmp_path, "{list: images.txt, keep_path: true}", "b.test/y/web:1\n", more)) == ["y-web", "web"]


def test_what_the_list_says_of_all(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("a.test/x:1\nb.test/y:1\n")
    found = spec(tmp_path, "images: [{list: images.txt, platform: all, referrers: false}]\n")
    assert [(each.platform, each.referrers) for each in found.images] == [(None, False)] * 2


def test_images_of_a_list_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("image: ${image.x.ref}\n")
    (tmp_path / "images.txt").write_text("a.test/x:1\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/Chart.yaml").write_text("name: c\nversion: 1.0.0\n")
    text = (
        "images: [{list: images.txt}]\ncharts: [{name: c, source: ./c}]\n"
        "install: {releases: [{name: c, chart: c, namespace: n, values: [values.yaml]}]}\n"
    )
    assert spec(tmp_path, text).images[0].name == "x"


@pytest.mark.parametrize(
    ("entry", "lines", "said"),
    [
        ("{list: absent.txt}", "", "the list '.*absent.txt' can't be read: no such file"),
        ("{list: images.txt}", "a.test/x:1\nUPPER/x y\n", r"images\.txt:2: 'UPPER/x y' has no valid"),
        ("{list: images.txt, target: x}", "a.test/x:1\n", "a list of images takes no 'target'"),
        ("{list: images.txt, keep_pat: true}", "a.test/x:1\n", "a list of images takes no 'keep_pat'"),
        ("{list: [a]}", "", "'list' is no text"),
        ("{list: images.txt}", "a.test/x/app:1\na.test/y/app:1\n", "has the target 'app:1'.*or both `keep_path: true`"),
        ("{list: images.txt, platform: linux}", "a.test/x:1\n", "'platform' is 'linux'"),
    ],
)
def test_what_is_wrong_with_a_list(tmp_path: Path, entry: str, lines: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        load(tmp_path, entry, lines)
    assert len(caught.value.problems) == 1
