"""A finished bundle by way of a registry: there, back, and nothing that is not good."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Ran, Workbench, bundled, make
from tests.fixtures.parts.ssh_keys import make_key
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = make(tmp_path / "project")
    made.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    return bundled(made)


def published(bench: Workbench, faulty: FaultyRegistry) -> Ran:
    return bench.doit("publish", f"to=http://{faulty.host}/bundles/app:1")


def fetched(bench: Workbench, faulty: FaultyRegistry, place: Path, name: str = "app:1") -> Ran:
    return bench.doit("fetch", f"from=http://{faulty.host}/bundles/{name}", f"out={place}")


def test_there_and_back(bench: Workbench, faulty: FaultyRegistry, tmp_path: Path) -> None:
    ran = published(bench, faulty)
    assert ran.code == 0, ran.err
    assert "published bundle app 1.0: " in ran.out
    assert "it is there already" in published(bench, faulty).out
    ran = fetched(bench, faulty, tmp_path / "there")
    assert ran.code == 0, ran.err
    assert "all checksums match" in ran.out
    landed = tmp_path / "there/app-1.0"
    for path in bench.bundle.rglob("*"):
        if path.is_file():
            assert (landed / path.relative_to(bench.bundle)).read_bytes() == path.read_bytes()
    assert "is here already" in fetched(bench, faulty, tmp_path / "there").out


def test_without_a_tag_it_is_the_bundles_version(bench: Workbench, faulty: FaultyRegistry) -> None:
    assert bench.doit("publish", f"to=http://{faulty.host}/bundles/app").code == 0
    assert ("bundles/app", "1.0") in faulty.manifests


def test_what_was_damaged_is_not_published(bench: Workbench, faulty: FaultyRegistry) -> None:
    note = bench.bundle / "files/note.txt"
    digest = hashlib.sha256(note.read_bytes()).hexdigest()
    note.unlink()
    note.write_text("other\n")
    ran = published(bench, faulty)
    assert ran.code == 1
    assert f"its blob sha256:{digest}" in ran.err
    assert "doit verify" in ran.err
    assert ("bundles/app", "1") not in faulty.manifests


def test_an_image_is_no_bundle(bench: Workbench, faulty: FaultyRegistry, tmp_path: Path) -> None:
    faulty.put_image("bundles/image", "1", b"layer")
    ran = fetched(bench, faulty, tmp_path / "there", "image:1")
    assert ran.code == 1
    assert ran.err.startswith(f"FAILED fetch: {faulty.host}/bundles/image:1")


@pytest.mark.parametrize("command", ["publish", "fetch"])
def test_a_refusal_is_told_once(bench: Workbench, faulty: FaultyRegistry, tmp_path: Path, command: str) -> None:
    faulty.plan("", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    ran = published(bench, faulty) if command == "publish" else fetched(bench, faulty, tmp_path / "there")
    assert ran.code == 1
    assert ran.err.count(f"FAILED {command}: ") == 1
    assert "403 Forbidden" in ran.err


@pytest.mark.parametrize("kind", ["directory", "file", "link", "another bundle"])
def test_only_a_bundle_of_the_name_is_replaced(
    bench: Workbench, faulty: FaultyRegistry, tmp_path: Path, kind: str
) -> None:
    assert published(bench, faulty).code == 0
    out = tmp_path / "home"
    landed, thesis = out / "app-1.0", tmp_path / "thesis.txt"
    out.mkdir()
    thesis.write_text("years of work\n")
    if kind == "directory":
        landed.mkdir()
        thesis = thesis.rename(landed / "thesis.txt")
    elif kind == "file":
        thesis = thesis.rename(landed)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        thesis = thesis.rename(tmp_path / "elsewhere/thesis.txt")
        landed.symlink_to(thesis.parent)
    else:
        other = bundled(make(tmp_path / "other", bundle={"name": "other"}))
        thesis.unlink()
        thesis = (other.dist / "other-1.0").rename(landed) / "manifest.json"
    before = thesis.read_bytes()
    ran = fetched(bench, faulty, out)
    assert ran.code == 1
    assert "is there already and is not a bundle 'app'" in ran.err
    assert thesis.read_bytes() == before


def test_an_earlier_bundle_of_the_name_is_replaced(bench: Workbench, faulty: FaultyRegistry, tmp_path: Path) -> None:
    assert published(bench, faulty).code == 0
    assert fetched(bench, faulty, tmp_path / "there").code == 0
    note = tmp_path / "there/app-1.0/files/note.txt"
    note.unlink()
    note.write_text("damaged\n")
    ran = fetched(bench, faulty, tmp_path / "there")
    assert ran.code == 0, ran.err
    assert note.read_bytes() == (bench.bundle / "files/note.txt").read_bytes()


def test_an_archive_replaces_no_other_file(faulty: FaultyRegistry, tmp_path: Path) -> None:
    bench = make(tmp_path / "project", bundle={"archive": True})
    bench.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    bundled(bench)
    ran = bench.doit("publish", f"to=http://{faulty.host}/bundles/app:1", f"bundle={bench.dist / 'app-1.0.tar'}")
    assert ran.code == 0, ran.err
    (tmp_path / "home").mkdir()
    mine = tmp_path / "home/app-1.0.tar"
    mine.write_text("years of work\n")
    ran = fetched(bench, faulty, tmp_path / "home")
    assert ran.code == 1
    assert mine.read_text() == "years of work\n"
    mine.unlink()
    assert fetched(bench, faulty, tmp_path / "home").code == 0
    assert mine.stat().st_size == (bench.dist / "app-1.0.tar").stat().st_size


def test_report_sboms_and_rehearsal_are_attached_once(bench: Workbench, faulty: FaultyRegistry) -> None:
    sums = hashlib.sha256((bench.bundle / "SHA256SUMS").read_bytes()).hexdigest()
    result = {"format": 1, "bundle": {"sums": f"sha256:{sums}"}, "target": "images"}
    lists: dict[str, list[str]] = {key: [] for key in ("proven", "not_proven", "failures", "outside")}
    (bench.place / ".airgap/rehearsal.json").write_text(json.dumps({**result, **lists}))
    ran = published(bench, faulty)
    assert (ran.code, ran.err) == (0, "")
    assert "attached to it: report, SBOMs, result of the rehearsal\n" in ran.out
    found = referring(faulty, bench)
    assert {kind: sorted(files) for kind, files in found.items()} == {
        "application/vnd.airgap.report.v1": ["report.html", "report.json"],
        "application/vnd.cyclonedx+json": ["sbom/one.cdx.json", "sbom/two.cdx.json"],
        "application/vnd.airgap.rehearsal.v1+json": ["rehearsal.json"],
    }
    for files in found.values():
        for name, data in files.items():
            place = bench.bundle / name if name != "rehearsal.json" else bench.place / ".airgap/rehearsal.json"
            assert data == place.read_bytes()
    assert "attached to it: report, SBOMs, result of the rehearsal (already there)\n" in published(bench, faulty).out


def referring(faulty: FaultyRegistry, bench: Workbench) -> dict[str, dict[str, bytes]]:
    """What the list of referrers names, by type: each file by its title."""
    raw, _ = faulty.manifests["bundles/app", "1"]
    listed = json.loads(faulty.manifests["bundles/app", f"sha256-{hashlib.sha256(raw).hexdigest()}"][0])["manifests"]
    found = {}
    for each in listed:
        layers = json.loads(faulty.manifests["bundles/app", each["digest"]][0])["layers"]
        found[each["artifactType"]] = {
            layer["annotations"]["org.opencontainers.image.title"]: faulty.uploads.held["bundles/app", layer["digest"]]
            for layer in layers
        }
    return found


def test_a_machine_that_never_worked_on_it_attaches_them_too(
    bench: Workbench, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    ran = bench.doit("publish", f"to=http://{faulty.host}/bundles/app:1", f"state={tmp_path / 'new/state'}")
    assert ran.code == 0, ran.err
    assert "attached to it: " in ran.out
    assert (tmp_path / "new/state").stat().st_mode & 0o777 == 0o700


def test_the_rehearsal_of_another_bundle_is_not_attached(bench: Workbench, faulty: FaultyRegistry) -> None:
    (bench.place / ".airgap/rehearsal.json").write_text(json.dumps({"bundle": {"sums": "sha256:0"}}))
    assert "attached to it: report, SBOMs\n" in published(bench, faulty).out


def test_a_registry_that_takes_no_artifacts_has_the_bundle_all_the_same(
    bench: Workbench, faulty: FaultyRegistry
) -> None:
    assert published(bench, faulty).code == 0
    root = hashlib.sha256(faulty.manifests["bundles/app", "1"][0]).hexdigest()
    faulty.manifests = {key: value for key, value in faulty.manifests.items() if key[1] in ("1", f"sha256:{root}")}
    faulty.plan("PUT /v2/bundles/app/manifests", *[refusal(400, "MANIFEST_INVALID", "no artifacts here")] * OFTEN)
    ran = published(bench, faulty)
    assert ran.code == 0
    assert "warning: report, SBOMs and the result of the rehearsal are not attached: " in ran.out
    assert "no artifacts here" in ran.out


@pytest.mark.parametrize("form", ["app-1.0", "app-1.0.tar"])
@pytest.mark.parametrize("referrers", [None, 10], ids=["tag", "API"])
def test_approvals_come_along_and_may_come_later(
    faulty: FaultyRegistry, tmp_path: Path, form: str, referrers: int | None
) -> None:
    faulty.referrers = referrers
    release, one, two = (make_key(tmp_path / f"keys/{name}") for name in ("release", "one", "two"))
    bench = make(tmp_path / "project", bundle={"sign": {"key": str(release.path)}, "archive": True})
    bench.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    bundled(bench)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/signers").write_text(release.line() + one.line("one@example.com") + two.line("two@example.com"))
    site = tmp_path / "mine/site.yaml"
    site.write_text("trust: {signers: signers, require: 3}\n")
    out, bundle = tmp_path / "there", f"bundle={bench.dist / form}"
    to, source = (f"{word}=http://{faulty.host}/bundles/app:1" for word in ("to", "from"))

    def approved() -> int:
        """What the far side thinks of it after it was published and fetched anew."""
        ran = bench.doit("publish", to, bundle)
        assert ran.code == 0, ran.err
        ran = bench.doit("fetch", source, f"out={out}", f"site={site}")
        assert ran.code == 0, ran.err
        return bench.doit("verify", f"site={site}", f"bundle={out / form}").code

    assert approved() == 1
    assert not list(out.glob("*.approvals"))
    for number, key in enumerate((one, two), 1):
        assert bench.doit("approve", f"key={key.path}", bundle).code == 0
        assert approved() == 2 - number
        told = "1 approval" if number == 1 else "2 approvals"
        assert f"{told} published with it (already there)\n" in bench.doit("publish", to, bundle).out
        assert f"{told} in {out / 'app-1.0.approvals'}\n" in bench.doit("fetch", source, f"out={out}").out
        (bench.dist / "app-1.0.approvals").unlink()
        (bench.dist / "app-1.0.approvals").write_bytes((out / "app-1.0.approvals").read_bytes())


def test_approvers_alone_are_signers_of_what_is_fetched(
    bench: Workbench, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "keys/one")
    assert bench.doit("approve", f"key={key.path}").code == 0
    assert published(bench, faulty).code == 0
    trust = f"trust={key.signers(tmp_path / 'signers', 'one@example.com')}"
    ran = bench.doit("fetch", f"from=http://{faulty.host}/bundles/app:1", f"out={tmp_path / 'there'}", trust)
    assert ran.code == 0, ran.err
    assert "signed by one@example.com" in ran.out


def test_a_registry_that_takes_no_approvals_has_the_bundle_all_the_same(
    bench: Workbench, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    assert published(bench, faulty).code == 0
    assert bench.doit("approve", f"key={make_key(tmp_path / 'keys/one').path}").code == 0
    faulty.plan("PUT /v2/bundles/app/manifests", *[refusal(400, "MANIFEST_INVALID", "no artifacts here")] * OFTEN)
    ran = published(bench, faulty)
    assert ran.code == 0, ran.err
    assert "warning: 1 approval not published: " in ran.out
    assert "; transfer app-1.0.approvals by another way\n" in ran.out
    (bench.dist / "app-1.0.approvals").write_bytes(bytes(2**20 + 1))
    assert "warning: approvals not published: " in published(bench, faulty).out
    faulty.plan("/v2/bundles/app/manifests/sha256-", *[refusal(403, "DENIED", "no lists here")] * OFTEN)
    ran = fetched(bench, faulty, tmp_path / "there")
    assert ran.code == 0, ran.err
    assert "warning: its approvals are not fetched: " in ran.err
    assert (tmp_path / "there/app-1.0").is_dir()
