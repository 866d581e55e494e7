import json
from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.transfer.referrers import list_tag
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.images.cosign_objects import Artifact, bundled, new_key, referring, simple, write_public
from tests.fixtures.servers.faulty_registry import OFTEN, Fault, FaultyRegistry, refusal

KEY = new_key()


@pytest.fixture
def image(faulty: FaultyRegistry) -> Descriptor:
    return faulty.put_image("team/app", "1", b"layer")


@pytest.fixture
def bench(tmp_path: Path, faulty: FaultyRegistry) -> Workbench:
    bench = Workbench(place=tmp_path / "project", env={"DOCKER_CONFIG": str(tmp_path)})
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0", "sbom": False},
            "registry": {"prefix": f"{faulty.host}/inside"},
            "registries": {faulty.host: {"plain_http": True}},
            "images": [
                {"name": "app", "source": f"{faulty.host}/team/app:1", "verify": {"cosign_key": "cosign.pub"}},
            ],
        }
    )
    write_public(KEY, bench.place / "cosign.pub")
    return bench


def attach(registry: FaultyRegistry, made: Artifact, tag: str = "") -> None:
    for data in made.blobs.values():
        registry.put_blob(data)
    registry.put_manifest("team/app", tag or str(made.descriptor.digest), made.raw, media_types.OCI_MANIFEST)


def install(bench: Workbench) -> Ran:
    return bench.doit("install", f"bundle={bench.bundle}", f"state={bench.place / 'inside'}")


def inside(registry: FaultyRegistry) -> set[str]:
    return {name for repository, name in registry.manifests if repository == "inside/app"}


@pytest.mark.parametrize("api", [0, 1], ids=["without the API", "with the API"])
def test_signed_and_pushed_inside(bench: Workbench, faulty: FaultyRegistry, image: Descriptor, api: int) -> None:
    """Outside there is always the API; inside it is switched off for one of the two."""
    signature, sbom = bundled(KEY, image.digest), referring(image.digest, "application/spdx+json")
    of_sbom = referring(sbom.descriptor.digest, "application/vnd.example.signature")
    older = simple(KEY, image.digest)
    for made in (signature, sbom, of_sbom):
        attach(faulty, made)
    attach(faulty, older, f"{list_tag(image.digest)}.sig")
    faulty.referrers = 1
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert "signature checked" in ran.out
    assert bench.doit("verify").code == 0
    text = (bench.bundle / "manifest.txt").read_text()
    assert f"with it: {list_tag(image.digest)}.sig (application/vnd.dev.cosign.simplesigning.v1+json)" in text
    assert "signed:  checked with the key file of sha256:" in text
    (entry,) = json.loads((bench.bundle / "manifest.json").read_bytes())["images"]
    page = (bench.bundle / "report.html").read_text()
    for told in (entry["cosign_key"], "application/spdx+json"):
        assert told in page
    faulty.referrers = api
    ran = install(bench)
    assert ran.code == 0, ran.err
    pushed = {str(made.descriptor.digest) for made in (signature, sbom, of_sbom)}
    lists = {list_tag(image.digest), list_tag(sbom.descriptor.digest)}
    assert pushed | {f"{list_tag(image.digest)}.sig"} <= inside(faulty)
    assert bool(lists & inside(faulty)) == (not api)
    assert "nothing to do" in install(bench).out
    del faulty.manifests["inside/app", str(signature.descriptor.digest)]
    faulty.manifests.pop(("inside/app", list_tag(image.digest)), None)
    again = install(bench)
    assert "push:app" in again.steps
    assert str(signature.descriptor.digest) in inside(faulty)


def test_a_bundle_that_lacks_a_signature_is_not_whole(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor
) -> None:
    older = simple(KEY, image.digest)
    attach(faulty, older, f"{list_tag(image.digest)}.sig")
    assert bench.doit("bundle").code == 0
    index = bench.bundle / "images/index.json"
    data = json.loads(index.read_text())
    data["manifests"] = [each for each in data["manifests"] if each["digest"] != str(older.descriptor.digest)]
    index.write_text(json.dumps(data))
    told = bench.doit("verify", f"bundle={bench.bundle}").err
    assert f"its {list_tag(image.digest)}.sig is none, expected {older.descriptor.digest}" in told
    assert "image 'app'" in told


@pytest.mark.parametrize("part", ["/referrers/", ".sig"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (refusal(401, "UNAUTHORIZED", "authentication required"), "401 Unauthorized"),
        (refusal(403, "DENIED", "not yours"), "403 Forbidden"),
    ],
    ids=["401", "403"],
)
def test_a_registry_that_refuses_to_tell(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor, part: str, fault: Fault, status: str
) -> None:
    faulty.plan(part, *[fault] * OFTEN)
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert f"FAILED pin:app: image 'app' ({faulty.host}/team/app:1): {faulty.host} answered {status}" in ran.err
    assert ran.err.count("  next: ") == 1
    assert not (bench.place / "airgap.lock").exists()


@pytest.mark.parametrize(
    ("key", "told", "following"),
    [
        (b"no key\n", "is no public key; expected a public key in PEM", ""),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n", "is a private key", "give the public one"),
    ],
    ids=["malformed", "private"],
)
def test_a_key_that_is_none(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor, key: bytes, told: str, following: str
) -> None:
    attach(faulty, simple(KEY, image.digest), f"{list_tag(image.digest)}.sig")
    (bench.place / "cosign.pub").write_bytes(key)
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert f"FAILED pin:app: image 'app' ({faulty.host}/team/app:1): '" in ran.err
    assert told in ran.err
    assert following in ran.err


def test_a_key_that_is_not_there_is_told_when_the_spec_is_loaded(bench: Workbench) -> None:
    (bench.place / "cosign.pub").unlink()
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "'cosign_key': " in ran.err
    assert "does not exist; expected a file" in ran.err


def test_a_pin_without_signatures_names_lock(bench: Workbench, faulty: FaultyRegistry, image: Descriptor) -> None:
    """The spec begins to want a signature after the image was pinned."""
    images = bench.spec["images"]
    assert isinstance(images, list)
    wanted = images[0].pop("verify")
    bench.write()
    assert bench.doit("bundle").code == 0
    images[0]["verify"] = wanted
    bench.write()
    attach(faulty, simple(KEY, image.digest), f"{list_tag(image.digest)}.sig")
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert f"no signature of {image.digest} was there when it was pinned" in ran.err
    assert "next: if it is signed by now, `doit lock app` looks for signatures anew" in ran.err
    assert bench.doit("lock", "app").code == 0
    assert bench.doit("bundle").code == 0


def test_an_older_lock_says_nothing_and_asks_nobody(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor
) -> None:
    """A lock from before this was looked for stays as it is, and its images travel alone."""
    images = bench.spec["images"]
    assert isinstance(images, list)
    del images[0]["verify"]
    bench.write()
    assert bench.doit("bundle").code == 0
    attach(faulty, simple(KEY, image.digest), f"{list_tag(image.digest)}.sig")
    lock = (bench.place / "airgap.lock").read_bytes()
    assert b"referrers" not in lock
    faulty.seen.clear()
    assert bench.doit("clean", "pull:app").code == 0
    assert bench.doit("bundle").code == 0
    assert (bench.place / "airgap.lock").read_bytes() == lock
    assert [each.path for each in faulty.seen if "sha256-" in each.path or "referrers" in each.path] == []


def without_key(bench: Workbench, faulty: FaultyRegistry, **more: object) -> None:
    """The image need not be signed."""
    text = json.loads((bench.place / "airgap.yaml").read_text())
    text["images"] = [{"name": "app", "source": f"{faulty.host}/team/app:1", **more}]
    bench.write(text)


@pytest.mark.parametrize("part", ["/referrers/", "manifests/sha256-"], ids=["list", "tags"])
def test_a_question_that_is_not_answered_is_a_warning(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor, part: str
) -> None:
    older = simple(KEY, image.digest)
    attach(faulty, older, f"{list_tag(image.digest)}.sig")
    without_key(bench, faulty)
    fault = refusal(403, "DENIED", "not yours")
    faulty.plan(part, *[fault] * OFTEN)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert f"warning: image 'app': not all signatures and SBOMs of it are known: {faulty.host} answered 403" in ran.out
    assert "`doit lock app` asks again" in ran.out
    (entry,) = json.loads((bench.bundle / "manifest.json").read_bytes())["images"]
    assert entry["unknown_referrers"].startswith(f"{faulty.host} answered 403 Forbidden (DENIED: not yours)")
    assert [each["tag"] for each in entry.get("attachments", [])] == (
        [f"{list_tag(image.digest)}.sig"] if part == "/referrers/" else []
    )
    for name in ("manifest.txt", "report.html"):
        assert f"{faulty.host} answered 403" in (bench.bundle / name).read_text()
    assert bench.doit("verify").code == 0
    assert "nothing to do" in bench.doit("bundle").out
    without_key(bench, faulty, referrers="require")
    ran = bench.doit("bundle")
    assert (ran.code, ran.err.count(f"FAILED pin:app: image 'app' ({faulty.host}/team/app:1): ")) == (1, 1)


def test_one_that_can_not_be_fetched_is_left_out_with_a_warning(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor
) -> None:
    good, lost = referring(image.digest, "application/spdx+json"), referring(image.digest, "application/x-lost")
    for made in (good, lost):
        attach(faulty, made)
    faulty.referrers = 10
    faulty.plan(f"manifests/{lost.descriptor.digest}", *[refusal(404, "MANIFEST_UNKNOWN", "gone")] * OFTEN)
    without_key(bench, faulty)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert "warning: image 'app': not all signatures and SBOMs of it are known: " in ran.out
    (entry,) = json.loads((bench.bundle / "manifest.json").read_bytes())["images"]
    (attachment,) = entry["attachments"]
    assert list(attachment["artifacts"]) == [str(good.descriptor.digest)]
    assert "404" in entry["unknown_referrers"]
    assert bench.doit("verify").code == 0


@pytest.mark.parametrize("signed", [False, True], ids=["alone", "with its signature"])
def test_behind_a_mirror_nothing_else_is_needed(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor, signed: bool
) -> None:
    """The registry itself is no host that anybody knows, as behind a company's mirror."""
    older = simple(KEY, image.digest)
    if signed:
        attach(faulty, older, f"{list_tag(image.digest)}.sig")
    without_key(bench, faulty)
    text = json.loads((bench.place / "airgap.yaml").read_text())
    text["images"][0]["source"] = "registry.invalid/app:1"
    text["registries"]["registry.invalid"] = {"mirror": f"{faulty.host}/team"}
    bench.write(text)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    (entry,) = json.loads((bench.bundle / "manifest.json").read_bytes())["images"]
    assert entry["digest"] == str(image.digest)
    assert len(entry.get("attachments", [])) == int(signed)
    assert "registry.invalid" in entry["unknown_referrers"]
    assert ran.out.count("registry.invalid is not known") == 1
