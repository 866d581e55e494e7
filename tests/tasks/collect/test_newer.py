"""What the sources offer beside what is pinned: images, charts and files."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from tasks.collect import charts, images
from tasks.collect.newer import Offer, looks
from tests.fixtures.benches.connected import connected
from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.servers.faulty_registry import FaultyRegistry
from tests.fixtures.servers.website import Page, Website, website

LINKS = "- {name: Docs, url: https://example.com/docs}\n- {name: Release notes, url: https://example.com/notes}\n"
NOTES = {"artifacthub.io/links": LINKS, "artifacthub.io/containsSecurityUpdates": "true"}


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, faulty: FaultyRegistry, site: Website) -> Workbench:
    """A spec without content, that reaches both stand-ins by plain HTTP."""
    bench = Workbench(place=tmp_path)
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.example.com/team"},
            "registries": {faulty.host: {"plain_http": True}, site.host: {"plain_http": True}},
        }
    )
    return bench


def offers(bench: Workbench, **content: list[dict[str, object]]) -> Mapping[str, Offer]:
    """What the sources of this content offer, by name, once all of it is pinned."""
    bench.write({**bench.spec, **content})
    for step in (*images.pin_steps(connected(bench)), *charts.chart_steps(connected(bench))):
        step.action()
    return asked(bench)


def asked(bench: Workbench) -> Mapping[str, Offer]:
    before = (bench.place / "airgap.lock").read_bytes() if (bench.place / "airgap.lock").exists() else b""
    found = {name: look() for name, look in looks(connected(bench))}
    after = (bench.place / "airgap.lock").read_bytes() if before else b""
    assert after == before, "it changes nothing"
    return found


def package(version: str, name: str = "web") -> bytes:
    data = f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(f"{name}/Chart.yaml")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def put_chart(faulty: FaultyRegistry, version: str, annotations: Mapping[str, str]) -> Descriptor:
    """`charts/web` as Helm pushes it."""
    config = json.dumps({"name": "web", "version": version, "annotations": annotations}).encode()
    data = package(version)

    def described(media_type: str, content: bytes) -> dict[str, object]:
        return Descriptor(media_type=media_type, digest=faulty.put_blob(content), size=len(content)).to_dict()

    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": described(media_types.HELM_CONFIG, config),
        "layers": [described(media_types.HELM_CHART, data)],
    }
    raw = json.dumps(manifest).encode()
    return faulty.put_manifest("charts/web", version.replace("+", "_"), raw, media_types.OCI_MANIFEST)


def put_index(site: Website, *versions: str, notes: str = "") -> None:
    """The chart `web` in an HTTP repository."""
    entries = []
    for version in versions:
        data = package(version)
        site.pages[f"/web-{version}.tgz"] = Page(body=data)
        entry: dict[str, object] = {"version": version, "urls": [f"web-{version}.tgz"]}
        entry["digest"] = hashlib.sha256(data).hexdigest()
        entry["annotations"] = NOTES if version == notes else {}
        entries.append(entry)
    site.pages["/index.yaml"] = Page(body=json.dumps({"entries": {"web": entries}}).encode())


def test_an_image_has_later_tags(project: Workbench, faulty: FaultyRegistry) -> None:
    for tag in ("1.2.3", "1.2.4", "2.0.0", "2.1.0-rc.1", "latest"):
        faulty.put_image("team/app", tag, tag.encode())
    found = offers(project, images=[{"name": "app", "source": f"{faulty.host}/team/app:1.2.3"}])["app"]
    assert (found.version, found.newer, found.moved) == ("1.2.3", ("1.2.4", "2.0.0"), "")
    assert (found.nearest, found.newest, found.is_outdated) == ("1.2.4", "2.0.0", True)


def test_a_tag_stands_for_another_image(project: Workbench, faulty: FaultyRegistry) -> None:
    old = faulty.put_image("team/app", "latest", b"old")
    source: dict[str, object] = {"name": "app", "source": f"{faulty.host}/team/app"}
    same = offers(project, images=[source])["app"]
    assert (same.is_outdated, same.pinned, same.version) == (False, str(old.digest), "latest")
    assert same.note == "'latest' is no version: only its digest was compared"
    new = faulty.put_image("team/app", "latest", b"new")
    assert asked(project)["app"].moved == str(new.digest)


@pytest.mark.parametrize("platform", ["linux/amd64", "all", ["linux/amd64", "linux/arm64"]])
def test_an_index_moved_only_where_what_is_taken_of_it_did(
    project: Workbench, faulty: FaultyRegistry, platform: object
) -> None:
    def put(arm: bytes) -> Descriptor:
        amd64 = faulty.put_image("team/app", "a", b"amd64")
        arm64 = faulty.put_image("team/app", "b", arm, config={"os": "linux", "architecture": "arm64"})
        return faulty.put_index("team/app", "1", amd64, arm64)

    put(b"one")
    image: dict[str, object] = {"name": "app", "source": f"{faulty.host}/team/app:1", "platform": platform}
    assert offers(project, images=[image])["app"].moved == ""
    put(b"two")
    assert bool(asked(project)["app"].moved) == (platform != "linux/amd64")


def test_a_digest_in_the_spec_is_compared_with_its_tag(project: Workbench, faulty: FaultyRegistry) -> None:
    old = faulty.put_image("team/app", "1", b"old")
    new = faulty.put_image("team/app", "1", b"new")
    names = {"tagged": f":1@{old.digest}", "bare": f"@{old.digest}"}
    listed: list[dict[str, object]] = [
        {"name": name, "source": f"{faulty.host}/team/app{rest}", "target": f"{name}:1"} for name, rest in names.items()
    ]
    found = offers(project, images=listed)
    assert found["tagged"].moved == str(new.digest)
    assert (found["bare"].is_outdated, found["bare"].note) == (False, "named by its digest, without a tag")


def test_a_chart_in_a_registry(project: Workbench, faulty: FaultyRegistry) -> None:
    for version in ("1.0.0", "1.1.0+build", "2.0.0-beta.1"):
        put_chart(faulty, version, NOTES if version.startswith("1.1") else {})
    chart: dict[str, object] = {"name": "web", "source": f"oci://{faulty.host}/charts/web", "version": "1.0.0"}
    found = offers(project, charts=[chart])["web"]
    assert (found.newer, found.moved) == (("1.1.0+build",), "")
    assert (found.links, found.is_security) == ({"Release notes": "https://example.com/notes"}, True)


def test_a_chart_in_a_repository(project: Workbench, site: Website) -> None:
    put_index(site, "1.0.0", "1.1.0", "1.2.0", notes="1.2.0")
    chart: dict[str, object] = {"name": "web", "source": site.url, "version": "1.0.0"}
    found = offers(project, charts=[chart])["web"]
    assert (found.newer, found.moved, found.is_security) == (("1.1.0", "1.2.0"), "", True)
    assert found.links == {"Release notes": "https://example.com/notes"}
    put_index(site, "1.1.0")
    assert asked(project)["web"].note == "the source no longer has 1.0.0"


def test_a_chart_was_published_again(project: Workbench, site: Website) -> None:
    put_index(site, "1.0.0")
    chart: dict[str, object] = {"name": "web", "source": site.url, "version": "1.0.0"}
    assert not offers(project, charts=[chart])["web"].is_outdated
    index = json.loads(site.pages["/index.yaml"].body)
    index["entries"]["web"][0]["digest"] = "0" * 64
    site.pages["/index.yaml"] = Page(body=json.dumps(index).encode())
    assert asked(project)["web"].moved == f"sha256:{'0' * 64}"


def test_files_of_a_release(project: Workbench, site: Website) -> None:
    site.pages["/o/r/releases/latest"] = Page(status=302, location="/o/r/releases/tag/v1.3.0")
    site.pages["/o/r/releases/tag/v1.3.0"] = Page(body=b"<html>")
    paths = {"released": "/o/r/releases/download/v1.2.0/tool.tar.gz", "other": "/tool.tar.gz"}
    listed: list[dict[str, object]] = [
        {"name": name, "source": site.url + path, "sha256": "0" * 64} for name, path in paths.items()
    ]
    found = offers(project, files=listed)
    assert (found["released"].version, found["released"].newer) == ("v1.2.0", ("v1.3.0",))
    assert found["other"].note == "its address has no list of versions"


def test_what_is_local_asks_nobody(bench: Workbench) -> None:
    found = asked(bench)
    assert {each.note for each in found.values()} == {"local"}
    assert set(found) == {"one", "two", "app", "note.txt"}
