"""What says the same bundle is the list that was signed: twins, rebuilds, replays and other products inside."""

import json
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.signed_site import SignedBundle, SignedSite, carried_to, make_signed, resum, script
from tests.fixtures.servers.listeners import listening, silence


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with throwaway_registry(tmp_path_factory.mktemp("registry") / "data") as (_, host):
        yield host


Made = Callable[..., SignedBundle]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Makes builds of the one product, each once: `word` is what its programs say."""
    authority, kept = trustme.CA(), dict[str, SignedBundle]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    place = tmp_path_factory.mktemp("builds")
    with listening(silence, context=context) as port:

        def build(word: str, **settings: str) -> SignedBundle:
            if word not in kept:
                key = next(iter(kept.values())).key if kept else None
                ca, address = authority.cert_pem.bytes(), f"127.0.0.1:{port}"
                kept[word] = make_signed(place / word, ca, address, word=word, key=key, **settings)
            return kept[word]

        yield build


@pytest.fixture
def made(builds: Made) -> SignedBundle:
    return builds("genuine")


@pytest.fixture
def site(made: SignedBundle, registry: str, tmp_path: Path) -> SignedSite:
    return carried_to(tmp_path, made, registry)


def content_id(bundle: Path) -> str:
    return str(json.loads((bundle / "manifest.json").read_text())["id"])


def receipt(site: SignedSite) -> dict[str, str]:
    found = json.loads((site.state / "receipt.json").read_text())["bundle"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("form", ["directory", "archive"])
@pytest.mark.parametrize("look", [["plan", "install"], ["preflight"], ["verify"]], ids=" ".join)
def test_a_look_at_an_unsigned_twin_plants_nothing(
    site: SignedSite, made: SignedBundle, form: str, look: list[str]
) -> None:
    """Same manifest, same content id; other scripts."""
    twin = site.place / "twin" / site.bundle.name
    shutil.copytree(site.bundle, twin)
    (twin / "SHA256SUMS.sig").unlink()
    (twin / "install/check.sh").write_text(script("EVIL", "check"))
    (twin / "install/values.yaml").write_text("word: EVIL\n")
    resum(twin)
    assert content_id(twin) == content_id(site.bundle)
    site.run(*look, bundle=twin, trust=False)
    site.log.unlink(missing_ok=True)
    (site.cluster.place / "helm.log").unlink(missing_ok=True)
    site.installed(bundle=site.bundle if form == "directory" else made.archive)
    assert site.words() == {"genuine"}


def test_nothing_is_written_of_what_nobody_vouches_for(site: SignedSite) -> None:
    (site.bundle / "SHA256SUMS.sig").unlink()
    for command in (["install"], ["plan", "install"], ["preflight"], ["backup", "key=/nowhere"], ["diagnose"]):
        site.run(*command)
        assert not (site.state / "carried").exists()


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_a_corrected_build_of_the_same_version_is_used(
    builds: Made, made: SignedBundle, site: SignedSite, form: str
) -> None:
    corrected = builds("corrected", epoch="1710000000")
    site.installed()
    sums = receipt(site)["sums"]
    site.log.unlink()
    site.installed(bundle=corrected.directory if form == "directory" else corrected.archive)
    assert {"corrected check", "corrected action"} <= set(site.ran), "its scripts ran, and no other"
    assert not {"genuine check", "genuine action"} & set(site.ran)
    assert content_id(corrected.directory) == content_id(site.bundle)
    assert receipt(site)["sums"] != sums
    assert receipt(site)["created"] == "2024-03-09T16:00:00Z"


@pytest.mark.parametrize("command", ["install", "preflight", "backup"])
def test_an_older_build_of_the_same_version_is_older(builds: Made, site: SignedSite, command: str) -> None:
    old = builds("vulnerable", epoch="1600000000")
    assert content_id(old.directory) == content_id(site.bundle)
    site.installed()
    before = site.ran
    ran = site.run(command, "key=/nowhere", bundle=old.directory)
    assert ran.code == 1
    assert "bundle app 1.0 of 2020-09-13T12:26:40Z is older than what is installed: 1.0 of 2023-11-14" in ran.err
    assert "give downgrade=allow" in ran.err
    assert site.ran == before
    planned = site.run("plan", "install", bundle=old.directory)
    assert "refused: bundle app 1.0 of 2020-09-13T12:26:40Z is older" in planned.out
    assert site.run("install", "downgrade=allow", bundle=old.directory).code == 0
    assert any(line.startswith("vulnerable") for line in site.ran)


def test_a_receipt_that_knows_no_sums(site: SignedSite) -> None:
    """As an earlier release of this program wrote it: the content id says nothing of its age."""
    site.installed()
    data = json.loads((site.state / "receipt.json").read_text())
    data["bundle"]["created"] = "2030-01-01T00:00:00Z"
    del data["bundle"]["sums"]
    (site.state / "receipt.json").write_text(json.dumps(data))
    assert "is older than what is installed: 1.0 of 2030-01-01" in site.run("install").err


def test_copies_of_earlier_bundles_do_not_pile_up(builds: Made, site: SignedSite) -> None:
    for build in ("vulnerable", "genuine", "corrected"):
        site.installed(bundle=builds(build).directory)
        assert len([path for path in (site.state / "carried").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("name", ["app", "other"])
def test_the_site_names_the_bundles_that_it_takes(site: SignedSite, name: str) -> None:
    (site.place / "site/site.yaml").write_text(json.dumps({"trust": {"signers": "signers", "bundles": [name]}}))
    for command in ("verify", "install", "uninstall", "diagnose", "report"):
        ran = site.run(command, "site=site.yaml", "key=/nowhere", trust=False)
        said = "this is bundle 'app', expected 'other', which `trust: bundles` of" in ran.out + ran.err
        assert said == (name == "other"), (command, ran.err)
        assert not (said and ran.code == 0)
    assert bool(site.ran) == (name == "app")
    assert (site.state / "carried").exists() == (name == "app")


def test_bundles_alone_ask_for_no_signature(site: SignedSite) -> None:
    (site.bundle / "SHA256SUMS.sig").unlink()
    data = json.loads((site.bundle / "manifest.json").read_text()) | {"signed": False}
    (site.bundle / "manifest.json").write_text(json.dumps(data))
    resum(site.bundle)
    (site.place / "site/site.yaml").write_text("trust: {bundles: [app, other]}\n")
    assert site.run("install", "site=site.yaml", trust=False).code == 0


@pytest.mark.parametrize("form", ["archive", "part"])
def test_a_list_of_signers_beside_the_archive(site: SignedSite, made: SignedBundle, form: str) -> None:
    usb = site.place / "usb"
    usb.mkdir()
    archive = usb / ("app-1.0.tar" if form == "archive" else "app-1.0.tar.001")
    shutil.copy(made.archive, archive)
    shutil.copy(site.place / "site/signers", usb / "allowed_signers")
    (site.place / "site/link").symlink_to(usb / "allowed_signers")
    for named in (usb / "allowed_signers", "link"):
        ran = site.run("install", f"trust={named}", bundle=archive, trust=False)
        assert ran.code == 1
        assert "lies beside the bundle, which can't vouch for itself" in ran.err
    assert site.ran == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="another file system stands for the medium")
def test_a_list_of_signers_on_the_medium_of_the_bundle(
    site: SignedSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    usb = Path("/dev/shm") / tmp_path_factory.mktemp("usb").name
    usb.mkdir()
    try:
        shutil.copytree(site.bundle, usb / "bundles/app-1.0")
        shutil.copy(site.place / "site/signers", usb / "allowed_signers")
        ran = site.run("verify", f"trust={usb / 'allowed_signers'}", bundle=usb / "bundles/app-1.0", trust=False)
        assert ran.code == 1
        assert "lies on the medium of the bundle, which can't vouch for itself" in ran.err
        assert site.run("verify", bundle=usb / "bundles/app-1.0").code == 0
    finally:
        shutil.rmtree(usb)
