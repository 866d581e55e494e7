"""An install reads the bundle once: what is pushed is what was compared, and nobody sees a part of a damaged bundle."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.images.layout import named_digest
from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.one_reading import FORMS, TURNING, Carried, Inside, brought, make_carried_bundle
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, instead, refusal

LAYOUTS = ("oci", "docker-archive")
MOST = 1.03  # of the bundle's bytes


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Carried]:
    return {
        layout: make_carried_bundle(tmp_path_factory.mktemp(layout) / "outside", layout=layout) for layout in LAYOUTS
    }


@pytest.fixture(params=LAYOUTS)
def made(request: pytest.FixtureRequest, bundles: dict[str, Carried]) -> Carried:
    return bundles[request.param]


@pytest.fixture(params=FORMS)
def site(request: pytest.FixtureRequest, made: Carried, faulty: FaultyRegistry, tmp_path: Path) -> Inside:
    return brought(made, request.param, tmp_path, faulty.host)


@pytest.fixture
def stick(bundles: dict[str, Carried], faulty: FaultyRegistry, tmp_path: Path) -> Inside:
    return brought(bundles["oci"], "parts", tmp_path, faulty.host)


def size(site: Inside) -> int:
    return sum(path.stat().st_size for path in site.medium)


def images(made: Carried) -> list[dict[str, object]]:
    found = json.loads((made.directory / "manifest.json").read_text())["images"]
    assert isinstance(found, list)
    return found


def whole(faulty: FaultyRegistry, made: Carried) -> None:
    """The registry has all images, and all of their blobs."""
    for image in images(made):
        repository = f"team/{image['name']}"
        raw, _ = faulty.manifests[repository, "1.0"]
        manifest = json.loads(raw)
        for each in (manifest["config"], *manifest["layers"]):
            assert len(faulty.uploads.held[repository, each["digest"]]) == each["size"]


def untouched(site: Inside, faulty: FaultyRegistry) -> None:
    """Nothing that anybody can see has changed."""
    assert not faulty.manifests
    assert not faulty.requests("PUT /v2/team/one/manifests"), "nor was it tried"
    assert site.is_untouched
    assert not (site.state / "receipt.json").exists()


def test_every_byte_is_read_once(site: Inside, made: Carried, faulty: FaultyRegistry) -> None:
    ran, read = site.counted("install")
    assert ran.code == 0, ran.err
    whole(faulty, made)
    assert sum(read.values()) <= MOST * size(site), {path: count for path, count in read.items() if count > 100_000}
    for path in site.medium:
        assert read.get(str(path), 0) >= path.stat().st_size, f"{path.name} was not compared"
        if path.stat().st_size > 2_000_000:  # a part that holds little else has small files twice
            assert read[str(path)] <= MOST * path.stat().st_size, path


def test_a_second_run_reads_no_payload(site: Inside, faulty: FaultyRegistry) -> None:
    assert site.run("install").code == 0
    asked = len(faulty.requests("PUT ")) + len(faulty.requests("POST ")) + len(faulty.requests("PATCH "))
    ran, read = site.counted("install")
    assert ran.code == 0, ran.err
    assert "nothing to do" in ran.out or ran.steps == [], ran.out
    assert sum(read.values()) < 300_000
    assert asked == len(faulty.requests("PUT ")) + len(faulty.requests("POST ")) + len(faulty.requests("PATCH "))


def test_what_was_written_to_since_is_compared_again(site: Inside, faulty: FaultyRegistry) -> None:
    """All is inside, and nothing of it is used: it is told all the same."""
    assert site.run("install").code == 0
    target = max(site.medium, key=lambda path: path.stat().st_size)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    ran = site.run("install")
    assert ran.code == 1
    assert f"damaged: {target.name}" in ran.err or f"{target.name} (of image" in ran.err, ran.err


def test_an_image_that_went_is_sent_again_and_the_bundle_compared(
    site: Inside, made: Carried, faulty: FaultyRegistry
) -> None:
    assert site.run("install").code == 0
    for held in (faulty.manifests, faulty.uploads.held):
        for key in [key for key in held if key[0] == "team/two"]:
            del held[key]  # type: ignore[attr-defined]
    ran, read = site.counted("install")
    assert ran.code == 0, ran.err
    whole(faulty, made)
    assert size(site) * 0.7 <= sum(read.values()) <= MOST * size(site)
    assert "push:two" in ran.steps
    assert "push:one" not in ran.steps


def test_a_run_that_was_killed_before_the_tags_reads_nothing_again(
    site: Inside, made: Carried, faulty: FaultyRegistry
) -> None:
    """The blobs are there, the bundle is known to be whole: only manifests are missing."""
    assert site.run("install").code == 0
    for key in [key for key in faulty.manifests if key[0].startswith("team/")]:
        del faulty.manifests[key]
    ran, read = site.counted("install")
    assert ran.code == 0, ran.err
    whole(faulty, made)
    assert sum(read.values()) < 300_000


def test_damage_in_the_last_blob_changes_nothing(site: Inside, made: Carried, faulty: FaultyRegistry) -> None:
    bad, name, expected, used = damage_last(site, made)
    ran = site.run("install")
    assert ran.code == 1
    untouched(site, faulty)
    line = next((line for line in ran.err.splitlines() if f"damaged: {name}" in line), ran.err)
    assert f"expected sha256:{expected}, found sha256:" in line
    assert all(f"image {each!r}" in line for each in used), line
    assert re.search(r"inside: (no image names the \d blobs? \(.*\) that were sent before|nothing was sent)", ran.err)
    assert "nothing was installed" in ran.err
    if site.bundle.suffix == ".001":
        assert f"damaged: {bad.name}: expected sha256:" in ran.err, "the part by its name too"
    assert not any(len(each) for each in faulty.uploads.sessions.values()), "what was under way is given up"
    mended = made.carry("directory", site.place / "again")
    site.bundle = mended
    assert site.run("install").code == 0
    whole(faulty, made)


def damage_last(site: Inside, made: Carried) -> tuple[Path, str, str, list[str]]:
    """Change a byte near the end of the last blob (or in the last image's tar).

    The file that was carried, the name in the list, the digest there, and whose it is.
    """
    sums = dict(reversed(line.split("  ")) for line in (made.directory / "SHA256SUMS").read_text().splitlines())
    big = [name for name in sums if name.startswith("images/") and (made.directory / name).stat().st_size > 1_000_000]
    name = max(big)
    length = (made.directory / name).stat().st_size
    within = length // 2 if name.endswith(".tar") else length - 2000  # at the end of a tar lies a manifest
    bad = site.bundle / name
    if site.bundle.is_dir():
        flip(bad, within)
    else:
        good = (made.directory / name).read_bytes()
        whole = b"".join(path.read_bytes() for path in parts(site))
        at = whole.index(good) + within
        for bad in parts(site):
            if at < bad.stat().st_size:
                flip(bad, at)
                break
            at -= bad.stat().st_size
    digest = named_digest(name.removeprefix("images/"))
    used = [str(each["name"]) for each in images(made) if not digest or str(digest) in each["blobs"]]  # type: ignore[operator]
    return bad, name, sums[name], used if digest else [Path(name).stem.split("-")[0]]


def parts(site: Inside) -> list[Path]:
    return [path for path in site.medium if path.suffix != ".sha256"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("where", ["padding", "end"])
def test_bytes_between_the_files_of_an_archive(stick: Inside, faulty: FaultyRegistry, where: str) -> None:
    """No file's checksum is over them, the part's is."""
    last = parts(stick)[-1]
    flip(last, -1 if where == "end" else -1025)
    ran = stick.run("install")
    assert ran.code == 1
    assert last.name in ran.err or "behind its end" in ran.err
    untouched(stick, faulty)


def test_an_archive_that_was_cut_off(stick: Inside, faulty: FaultyRegistry) -> None:
    last = parts(stick)[-1]
    last.write_bytes(last.read_bytes()[:-200_000])
    ran = stick.run("install")
    assert ran.code == 1
    untouched(stick, faulty)


def test_a_medium_that_gives_other_bytes_the_second_time(stick: Inside, made: Carried, faulty: FaultyRegistry) -> None:
    """What is read once can't be other bytes than those that were compared; what a cut has read again is compared."""
    target, env = parts(stick)[0], {"TURN": "", "TURN_AT": "3000000"}
    env["TURN"] = str(target)
    ran = stick.run("install", under=TURNING, env=env)
    assert ran.code == 0, ran.err
    assert faulty.manifests


def test_a_medium_that_gives_other_bytes_after_a_cut(stick: Inside, faulty: FaultyRegistry) -> None:
    faulty.uploads.keeps = False
    faulty.plan_short("PATCH ", *[1_000_000] * 40)
    ran = stick.run("install", under=TURNING, env={"TURN": str(parts(stick)[0]), "TURN_AT": "3000000"})
    if ran.code == 0:
        pytest.fail("no blob was read again, so nothing was shown")
    untouched(stick, faulty)


@pytest.mark.parametrize("status", [401, 403, 400, 413])
@pytest.mark.parametrize("after", [0, 3])
def test_a_registry_that_refuses_midway(stick: Inside, faulty: FaultyRegistry, status: int, after: int) -> None:
    faulty.plan("PATCH ", *[lambda seen, right: right] * after, *[refusal(status, "DENIED", "no more")] * OFTEN)
    ran = stick.run("install")
    assert ran.code == 1
    assert "no more" in ran.err
    assert "FAILED transfer: " in ran.err
    untouched(stick, faulty)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_falters_midway(
    stick: Inside, bundles: dict[str, Carried], faulty: FaultyRegistry, status: int
) -> None:
    faulty.plan("PATCH ", *[instead(status)] * 3)
    ran = stick.run("install")
    assert ran.code == 0, ran.err
    whole(faulty, bundles["oci"])


def test_preflight_and_verify_alone_read_all(stick: Inside) -> None:
    for command in ("verify", "preflight"):
        ran, read = stick.counted(command)
        assert ran.code == 0, ran.err
        at_least = size(stick) if command == "verify" else 0
        assert sum(read.values()) >= at_least
    flip(parts(stick)[-1], -100_000)
    for command in ("verify", "preflight"):
        assert stick.run(command).code == 1


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with throwaway_registry(tmp_path_factory.mktemp("registry") / "data") as (_, host):
        yield host


def test_killed_at_any_moment_the_next_run_completes(
    bundles: dict[str, Carried], registry: str, tmp_path: Path
) -> None:
    """Twenty moments; the registry and the state are new ones each time that it had come to its end."""
    rest = random.Random(18)
    for number in range(4):
        site = brought(
            bundles["oci"], ("directory", "parts")[number % 2], tmp_path / str(number), f"{registry}/{number}"
        )
        for _ in range(5):
            site.killed(rest.uniform(0.2, 3.0))
        ran = site.run("install")
        assert ran.code == 0, ran.err
        again = site.run("install")
        assert again.steps == [], again.out
        assert site.run("verify").code == 0
        assert not list(site.state.rglob(".*.tmp"))
