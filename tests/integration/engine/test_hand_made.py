"""Bundles as the vendor's guide has them made by hand, with real `docker save` and real charts: read, told, adopted."""

import shutil
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Ran, Workbench, write_layout
from tests.fixtures.images.hand_made import save_chart
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.parts import Engine, Skopeo

PREFIX = "internal-registry.corp/zenml"
CHARTS = {"zenml-pro": "0.13.0", "zenml": "0.93.0"}


@pytest.fixture
def by_hand(tmp_path: Path, engine: Engine, skopeo: Skopeo) -> Path:
    """Two images that share a layer, one archive each, and two charts, as step 1.3 of the guide has them."""
    place = tmp_path / "zenml-air-gap"
    (place / "images").mkdir(parents=True)
    base = layer("base", 30_000)
    for name, tag in (("zenml-pro-api", "0.13.0"), ("zenml-client", "0.93.0")):
        write_layout(tmp_path / f"layouts/{name}", image(base, layer(name, 20_000)), name)
        reference = f"{PREFIX}/{name}:{tag}"
        skopeo.copy(f"oci:{tmp_path}/layouts/{name}", f"docker-archive:{tmp_path}/{name}.tar:{reference}")
        engine.docker("load", stdin=tmp_path / f"{name}.tar")
        engine.docker("save", "--output", str(place / f"images/{name}.tar"), reference)
    for name, version in CHARTS.items():
        save_chart(place / f"charts/{name}-{version}.tgz", name, version)
    (place / "manifest.txt").write_text("zenml-pro-api:0.13.0\nCreated: today\n")
    return place


def bench_of(tmp_path: Path) -> Workbench:
    place = tmp_path / "project"
    place.mkdir(exist_ok=True)
    return Workbench(place=place)


def archive(name: str) -> str:
    """Where an image comes from then, as the project sees it; its tag follows."""
    return f"docker-archive:../zenml-air-gap/images/{name}.tar:{PREFIX}/{name}"


def text(ran: Ran) -> str:
    return ran.out + ran.err


def test_verify_says_what_is_there_and_what_it_lacks(tmp_path: Path, by_hand: Path) -> None:
    bench = bench_of(tmp_path)
    ran = bench.doit("verify", f"bundle={by_hand}")
    assert ran.code == 1
    for told in (
        f"bundle {str(by_hand)!r} was made by hand: 2 images and 2 charts can be used",
        f"found: images/zenml-pro-api.tar: {PREFIX}/zenml-pro-api:0.13.0 (linux/amd64, ",
        "found: charts/zenml-0.93.0.tgz: chart zenml 0.93.0",
        "absent: SHA256SUMS: nothing shows whether a file was damaged on the way",
        "absent: manifest.json: nothing says which digests",
        f"absent: manifest.txt does not name image {PREFIX}/zenml-client:0.93.0",
        f"next: doit adopt bundle={by_hand}",
    ):
        assert told in ran.err
    assert "does not name image internal-registry.corp/zenml/zenml-pro-api" not in ran.err


@pytest.mark.parametrize("how", ["cut off", "damaged", "compressed", "no archive"])
def test_archives_that_can_not_be_used_are_named(tmp_path: Path, by_hand: Path, how: str) -> None:
    file = by_hand / "images/zenml-client.tar"
    data = file.read_bytes()
    told = {"cut off": "tar is cut off", "damaged": "is damaged: expected", "no archive": "tar is cut off"}
    match how:
        case "cut off":
            file.write_bytes(data[: len(data) // 2])
        case "damaged":
            place = data.index(b"data/zenml-client") + 1024
            file.write_bytes(data[:place] + b"damage" + data[place + 6 :])
        case "compressed":
            (by_hand / "images/zenml-client.tar.gz").write_bytes(b"\x1f\x8b rest")
            file.unlink()
        case "no archive":
            file.write_bytes(b"hello")
    ran = bench_of(tmp_path).doit("verify", f"bundle={by_hand}")
    assert ran.code == 1
    assert "1 images and 2 charts can be used" in ran.err
    assert "unusable: images/zenml-client.tar" in ran.err
    assert told.get(how, "its compression is damaged or cut off") in ran.err
    ran = bench_of(tmp_path).doit("adopt", f"bundle={by_hand}")
    assert ran.code == 1
    assert "unusable: images/zenml-client.tar" in ran.err
    assert "added: image zenml-pro-api" in ran.out


def test_a_spec_is_made_of_it_and_gives_a_bundle(tmp_path: Path, by_hand: Path, engine: Engine) -> None:
    bench = bench_of(tmp_path)
    ran = bench.doit("adopt", f"bundle={by_hand}")
    assert ran.code == 0, text(ran)
    spec = (bench.place / "airgap.yaml").read_text()
    assert spec == (
        'version: 1\nbundle: {name: "zenml-air-gap", version: "0.93.0"}\n'
        f'registry: {{prefix: "{PREFIX}"}}\n'
        "images:\n"
        f'  - {{name: zenml-client, source: "{archive("zenml-client")}:0.93.0",'
        ' target: "zenml-client:0.93.0"}\n'
        f'  - {{name: zenml-pro-api, source: "{archive("zenml-pro-api")}:0.13.0",'
        ' target: "zenml-pro-api:0.13.0"}\n'
        "charts:\n"
        '  - {name: zenml, source: "../zenml-air-gap/charts/zenml-0.93.0.tgz", version: "0.93.0"}\n'
        '  - {name: zenml-pro, source: "../zenml-air-gap/charts/zenml-pro-0.13.0.tgz", version: "0.13.0"}\n'
    )
    assert bench.doit("bundle").code == 0
    bundle = bench.dist / "zenml-air-gap-0.93.0"
    assert bench.doit("verify", f"bundle={bundle}").code == 0
    wanted = engine.docker("inspect", "--format", "{{.Id}}", f"{PREFIX}/zenml-client:0.93.0")
    engine.clear()
    packed = shutil.make_archive(str(tmp_path / "packed"), "tar", bundle / "images")
    engine.docker("load", stdin=Path(packed))
    assert engine.docker("inspect", "--format", "{{.Id}}", f"{PREFIX}/zenml-client:0.93.0") == wanted
    again = bench.doit("adopt", f"bundle={by_hand}")
    assert (again.code, again.out.splitlines()[-1]) == (0, f"{bench.place / 'airgap.yaml'}: nothing to change")


SPEC = f"""\
# ours
version: 1
bundle: {{name: app, version: "1.0"}}
vars: {{pro: 0.13.0}}
registry: {{prefix: {PREFIX}}}
images:
  - name: zenml-pro-api   # the API
    source: "715803424590.dkr.ecr.eu-west-1.amazonaws.com/zenml-pro-api:${{vars.pro}}"
  - {{name: server, source: "example.com/zenml-pro-server:0.93.0"}}   # not by hand
charts:
  - {{name: zenml-pro, source: "oci://public.ecr.aws/zenml/zenml-pro", version: "${{vars.pro}}"}}
"""


def test_entries_of_a_spec_get_the_archives_as_their_source(tmp_path: Path, by_hand: Path) -> None:
    bench = bench_of(tmp_path)
    (bench.place / "airgap.yaml").write_text(SPEC)
    told = bench.doit("verify", f"bundle={by_hand}").err
    assert f"missing: image 'server' of airgap.yaml ({PREFIX}/zenml-pro-server:0.93.0) is in no archive" in told
    assert "missing: image 'zenml-pro-api'" not in told
    ran = bench.doit("adopt", f"bundle={by_hand}")
    assert ran.code == 0, text(ran)
    assert "stays: image server: example.com/zenml-pro-server:0.93.0 (in no archive)" in ran.out
    api, client = f"{archive('zenml-pro-api')}:0.13.0", f"{archive('zenml-client')}:0.93.0"
    assert (bench.place / "airgap.yaml").read_text() == SPEC.replace(
        '"715803424590.dkr.ecr.eu-west-1.amazonaws.com/zenml-pro-api:${vars.pro}"',
        f'"{api}"\n    target: "zenml-pro-api:0.13.0"',
    ).replace('"oci://public.ecr.aws/zenml/zenml-pro"', '"../zenml-air-gap/charts/zenml-pro-0.13.0.tgz"').replace(
        "# not by hand\n",
        f'# not by hand\n  - {{name: zenml-client, source: "{client}", target: "zenml-client:0.93.0"}}\n',
    ) + '  - {name: zenml, source: "../zenml-air-gap/charts/zenml-0.93.0.tgz", version: "0.93.0"}\n'


def test_what_can_not_be_adopted_is_refused(tmp_path: Path, by_hand: Path) -> None:
    bench = bench_of(tmp_path)
    assert bench.doit("adopt", f"bundle={tmp_path / 'nothing'}").code == 1
    (by_hand / "manifest.json").write_text("{}")
    ran = bench.doit("adopt", f"bundle={by_hand}")
    assert "is no bundle that was made by hand" in ran.err
    assert not (bench.place / "airgap.yaml").exists()
