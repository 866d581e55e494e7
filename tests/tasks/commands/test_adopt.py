"""What becomes of a directory that was filled by hand: sources of a spec, or a spec of its own."""

import gzip
from pathlib import Path

import pytest
import yaml

from bundle.meter import SilentMeter
from bundle.oci.platform import Platform
from schema.loading.load import load
from tasks.commands.adopt import Adoption, adopted
from tasks.install.hand_made import read_hand_made
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.images.hand_made import by_hand, save_chart, save_image
from tests.fixtures.images.images import image, layer
from tests.fixtures.made.full_spec import spec

HEAD = "version: 1\nbundle: {name: app, version: '1'}\nregistry: {prefix: inside.example/team}\n"


def adoption(place: Path, text: str, images: dict[str, str], charts: dict[str, str]) -> Adoption:
    """What changes in a spec of this text; the directory lies beside it."""
    made = read_hand_made(by_hand(place / "hand", images, charts), meter=SilentMeter())
    return adopted(spec(place, text, HEAD), made)


def test_what_the_spec_has_comes_from_there_and_the_rest_is_added(tmp_path: Path) -> None:
    text = (
        "images:\n  - {name: a, source: 'r.example/team/a:1'}   # ours\n"
        "  - {name: gone, source: 'r.example/team/gone:1'}\n"
        "charts: [{name: web, source: 'oci://r.example/web', version: '1.10'}]\n"
    )
    found = adoption(tmp_path, text, {"x": "r.example/team/a:1", "y": "r.example/team/b:2"}, {"web": "1.10", "db": "2"})
    assert found.told == [
        "adopted: image a: docker-archive:hand/images/x.tar:r.example/team/a:1",
        "stays: image gone: r.example/team/gone:1 (in no archive)",
        "adopted: chart web 1.10: hand/charts/web-1.10.tgz",
        "added: image b: docker-archive:hand/images/y.tar:r.example/team/b:2",
        "added: chart db 2: hand/charts/db-2.tgz",
    ]
    assert found.count == 4
    now = spec(tmp_path, found.apply(text), HEAD)
    assert {image.name: str(image.target) for image in now.images} == {
        "a": "inside.example/team/a:1",
        "gone": "inside.example/team/gone:1",
        "b": "inside.example/team/b:2",
    }
    assert [(chart.name, chart.version) for chart in now.charts] == [("web", "1.10"), ("db", "2")]
    assert "# ours" in found.apply(text)


def test_what_was_adopted_once_changes_nothing(tmp_path: Path) -> None:
    text = (
        "images: [{name: a, source: 'r.example/team/a:1'}]\n"
        "charts: [{name: web, source: 'oci://r.example/web', version: '1'}]\n"
    )
    images, charts = {"x": "r.example/team/a:1"}, {"web": "1"}
    first = adoption(tmp_path, text, images, charts)
    assert first.count == 2
    again = adoption(tmp_path, first.apply(text), images, charts)
    assert (again.count, again.told) == (0, [])


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    text = "images: [{name: App, source: 'r.example/other:9'}]\n"
    found = adoption(tmp_path, text, {"x": "one.example/app:1", "y": "two.example/app:2"}, {})
    assert [each.name for each in found.new_images] == ["app-2", "app-3"]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    (tmp_path / "project").mkdir()
    return Workbench(place=tmp_path / "project")


def adopt(bench: Workbench, hand: Path, *words: str) -> Ran:
    return bench.doit("adopt", f"bundle={hand}", *words)


def test_a_spec_is_written_where_there_is_none(bench: Workbench, tmp_path: Path) -> None:
    hand = by_hand(tmp_path / "by hand!", {"x": "r.example/team/a:1", "y": "r.example/team/b:2"}, {"web": "1.10"})
    ran = adopt(bench, hand)
    assert ran.code == 0, ran.err
    assert "3 entries come from" in ran.out
    text = (bench.place / "airgap.yaml").read_text()
    assert text.startswith(
        'version: 1\nbundle: {name: "by-hand", version: "1.10"}\nregistry: {prefix: "r.example/team"}\n'
    )
    assert adopt(bench, hand).out.endswith("airgap.yaml: nothing to change\n")
    assert (bench.place / "airgap.yaml").read_text() == text


def test_where_the_images_go_must_be_said_when_their_names_do_not(bench: Workbench, tmp_path: Path) -> None:
    hand = by_hand(tmp_path / "hand", {"x": "r.example/team/a:1", "y": "s.example/b:2"}, {})
    ran = adopt(bench, hand)
    assert ran.code == 1
    assert "they begin with r.example/team, s.example" in ran.err
    assert "next: say it: registry=registry.mycompany.com/zenml" in ran.err
    assert not (bench.place / "airgap.yaml").exists()
    assert adopt(bench, hand, "registry=inside.example/all").code == 0
    assert 'prefix: "inside.example/all"' in (bench.place / "airgap.yaml").read_text()


def test_our_own_bundles_and_nothing_are_refused(bench: Workbench, tmp_path: Path) -> None:
    (by_hand(tmp_path / "hand", {}, {"web": "1"}) / "manifest.json").write_text("{}")
    ran = adopt(bench, tmp_path / "hand")
    assert ran.code == 1
    assert "is no bundle that was made by hand" in ran.err
    bench.write({"version": 1, "bundle": {"name": "app", "version": "1"}, "registry": {"prefix": "inside.example/x"}})
    ran = bench.doit("adopt")
    assert ran.code == 3
    assert "doit adopt bundle=DIR" in ran.err


def test_a_flat_directory_with_all_that_people_bring(tmp_path: Path) -> None:
    """Compressed, with colons in names, damaged, two of one name: what can be taken is, the rest is told."""
    flat = tmp_path / "flat"
    save_image(flat / "nginx:1.27.tar", "r.example/team/nginx:1.27")
    packed = save_image(flat / "packed.tar", "r.example/team/packed:1")
    (flat / "packed.tar.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    save_image(flat / "twice.tar", "r.example/other/nginx:1.27")
    (flat / "cut.tar").write_bytes(save_image(flat / "cut.tar", "r.example/team/cut:1").read_bytes()[:5000])
    arm = image(layer("arm", 300, compressed=False), platform=Platform.parse("linux/arm64"))
    save_image(flat / "arm.tar", "r.example/team/arm:1", arm)
    bench = Workbench(place=tmp_path / "project", env={})
    bench.place.mkdir()
    ran = bench.doit("adopt", f"bundle={flat}", "registry=in.example/team")
    assert ran.code == 1  # one archive can't be used
    assert ran.err.count("unusable: ") == 1
    assert "unusable: cut.tar: " in ran.err
    assert "left out: " in ran.out
    assert "another image is nginx:1.27 already" in ran.out
    now = load(bench.place / "airgap.yaml", env={})
    assert {each.name: (str(each.target), str(each.platform)) for each in now.images} == {
        "nginx": ("in.example/team/nginx:1.27", "linux/amd64"),
        "packed": ("in.example/team/packed:1", "linux/amd64"),
        "arm": ("in.example/team/arm:1", "linux/arm64"),
    }
    bench.spec = yaml.safe_load((bench.place / "airgap.yaml").read_text())
    bench.spec["bundle"] = {"name": "app", "version": "1.0"}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err


def test_two_versions_of_one_chart(tmp_path: Path) -> None:
    hand = tmp_path / "hand"
    for version in ("1.0.0", "2.0.0"):
        save_chart(hand / f"charts/web-{version}.tgz", "web", version)
    text = "images: []\ncharts: [{name: web, source: 'oci://r.example/web', version: '1.0.0'}]\n"
    found = adopted(spec(tmp_path, text, HEAD), read_hand_made(hand, meter=SilentMeter()))
    assert found.told == [
        "adopted: chart web 1.0.0: hand/charts/web-1.0.0.tgz",
        "added: chart web-2 2.0.0: hand/charts/web-2.0.0.tgz",
    ]
    assert len(spec(tmp_path, found.apply(text), HEAD).charts) == 2
