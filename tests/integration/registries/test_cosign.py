"""Images signed by the real cosign, checked by us, carried, pushed inside, and found signed there by cosign."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundle.metadata.manifest import BundleManifest
from bundle.metadata.names import MANIFEST
from bundle.oci.digest import Digest
from bundle.sbom.summary import SbomSummary
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.images.images import AMD64, ARM64, Index, image, index, layer
from tests.fixtures.parts.cosigns import Cosign
from tests.fixtures.parts.parts import Engine, Skopeo
from tests.fixtures.parts.registries import RunningRegistry

FORMATS = pytest.mark.parametrize("older", [False, True], ids=["Sigstore bundle", "simple signing"])


class Project:
    """One project whose images come from, and go into, a registry."""

    def __init__(self, place: Path, registry: RunningRegistry, cosign: Cosign, name: str) -> None:
        self.registry, self.cosign, self.name = registry, cosign, name
        self.outside, self.inside = f"{registry.host}/{name}/outside", f"{registry.host}/{name}/inside"
        self.bench = Workbench(place=place / "project")
        self.state = place / "state"
        self.bench.env = {"DOCKER_CONFIG": str(place)}
        self.bench.write(
            {
                "version": 1,
                "bundle": {"name": "app", "version": "1.0"},
                "registry": {"prefix": self.inside},
                "registries": {registry.host: {"plain_http": True}},
                "images": [
                    {"name": "app", "source": f"{self.outside}/app:1", "verify": {"cosign_key": "keys/cosign.pub"}}
                ],
            }
        )
        self.use_key(cosign.public_key)

    def use_key(self, key: Path) -> None:
        (self.bench.place / "keys").mkdir(exist_ok=True)
        (self.bench.place / "keys/cosign.pub").write_bytes(key.read_bytes())

    def image(self, **more: object) -> None:
        """Change what the spec says of the image."""
        images = self.bench.spec["images"]
        assert isinstance(images, list)
        images[0].update(more)
        self.bench.write()

    def push(self, tag: str = "1", *, extra: str = "") -> Digest:
        """Put an image into the registry outside."""
        made = image(layer(f"{self.name}{extra}", 5_000))
        return self.registry.put(made, f"{self.name}/outside/app", tag).digest

    def push_index(self) -> Index:
        base = layer(self.name, 4_000)
        made = index(image(base), image(base, layer("arm", 100), platform=ARM64))
        self.registry.put(made, f"{self.name}/outside/app", "1")
        return made

    def bundle(self) -> Ran:
        ran = self.bench.doit("bundle")
        assert ran.code == 0, ran.out + ran.err
        return ran

    def refused(self, *args: str) -> str:
        ran = self.bench.doit(*(args or ("bundle",)))
        assert ran.code == 1, ran.out + ran.err
        return ran.err

    def install(self) -> Ran:
        """By the bundle's own program, as inside."""
        words = ["python3", "-I", str(self.bench.bundle / "airgap.pyz"), "install", f"state={self.state}"]
        env = {**self.bench.command()[1]}
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return Ran(code=0, out=done.stdout, err=done.stderr)

    @property
    def pin(self) -> dict[str, Any]:
        lock = json.loads((self.bench.place / "airgap.lock").read_bytes())
        assert isinstance(lock, dict)
        return dict(lock["images"]["app"])

    @property
    def carried(self) -> BundleManifest:
        return BundleManifest.decode((self.bench.bundle / MANIFEST).read_bytes())

    def tags_inside(self) -> set[str]:
        return set(json.loads(self.registry.request("GET", f"/v2/{self.name}/inside/app/tags/list").data)["tags"])


@pytest.fixture
def project(tmp_path: Path, registry: RunningRegistry, cosign: Cosign, request: pytest.FixtureRequest) -> Project:
    return Project(tmp_path, registry, cosign, f"signed-{Digest.of(request.node.name.encode()).hex[:12]}")


@FORMATS
@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_signed_outside_and_found_signed_inside(project: Project, *, older: bool, layout: str) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.cosign.attest(f"{project.outside}/app", digest, older=older)
    project.bench.spec["bundle"] = {"name": "app", "version": "1.0", "layout": layout}
    project.bench.write()
    assert "signature checked" in project.bundle().out
    assert project.bench.doit("verify").code == 0
    assert "with all that is attached to it" in project.install().out
    told = json.loads(project.cosign.verify(f"{project.inside}/app:1", older=older))
    assert told[0]["critical"]["image"]["docker-manifest-digest"] == str(digest)
    assert project.cosign.verify_attestation(f"{project.inside}/app:1", older=older)
    assert project.tags_inside() == {"1", *(each.tag for each in project.carried.images[0].attachments)}
    assert "nothing to do" in project.install().out


ATTESTED = {
    "cyclonedx": {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [
            {"type": "library", "name": "attested", "version": "3.1", "purl": "pkg:deb/debian/attested@3.1?arch=amd64"}
        ],
    },
    "spdxjson": {
        "spdxVersion": "SPDX-2.3",
        "packages": [
            {
                "name": "attested",
                "versionInfo": "3.1",
                "externalRefs": [
                    {
                        "referenceCategory": "PACKAGE-MANAGER",
                        "referenceType": "purl",
                        "referenceLocator": "pkg:deb/debian/attested@3.1?arch=amd64",
                    }
                ],
            }
        ],
    },
}


@FORMATS
@pytest.mark.parametrize("kind", ATTESTED)
def test_an_attested_sbom_is_the_bundles(project: Project, *, older: bool, kind: str) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.cosign.attest(f"{project.outside}/app", digest, older=older, kind=kind, predicate=ATTESTED[kind])
    project.bundle()
    found = SbomSummary.decode((project.bench.bundle / "sbom/app.cdx.json").read_bytes())
    assert found.source == "attestation"
    assert dict(found.versions) == {"pkg:deb/debian/attested": ("3.1",)}


def test_what_goes_missing_inside_is_brought_back(project: Project) -> None:
    digest = project.push()
    for older in (True, False):
        project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.bundle()
    project.install()
    hexed = f"sha256-{digest.hex}"
    for tag in (hexed, f"{hexed}.sig"):
        found = project.registry.request(
            "HEAD", f"/v2/{project.name}/inside/app/manifests/{tag}",
            headers={"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"},
        )  # fmt: skip
        gone = found.headers["Docker-Content-Digest"]
        project.registry.request("DELETE", f"/v2/{project.name}/inside/app/manifests/{gone}")
        assert "push:app" in project.install().steps
        project.cosign.verify(f"{project.inside}/app:1", older=tag.endswith(".sig"))


def test_a_list_inside_keeps_what_others_attached(project: Project) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest)
    project.bundle()
    project.registry.put(image(layer(project.name, 5_000)), f"{project.name}/inside/app", "1")
    project.cosign.attest(f"{project.inside}/app", digest)
    project.install()
    project.cosign.verify(f"{project.inside}/app:1")
    project.cosign.verify_attestation(f"{project.inside}/app:1")
    assert "nothing to do" in project.install().out


@FORMATS
def test_another_key_is_refused_as_cosign_refuses_it(project: Project, tmp_path: Path, *, older: bool) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=older)
    (tmp_path / "other").mkdir()
    other = Cosign.make(tmp_path / "other")
    with pytest.raises(subprocess.CalledProcessError):
        other.verify(f"{project.outside}/app:1", older=older)
    project.use_key(other.public_key)
    told = project.refused()
    assert f"FAILED pin:app: image 'app' ({project.outside}/app:1): none of the 1 signatures of {digest}" in told
    assert "next: check verify.cosign_key" in told
    assert not (project.bench.place / "airgap.lock").exists()
    assert not project.bench.bundle.exists()


def test_an_unsigned_image_is_refused(project: Project) -> None:
    digest = project.push()
    project.cosign.attest(f"{project.outside}/app", digest)  # with the right key, but no signature
    assert f"no signature of {digest} was found" in project.refused()
    assert f"no signature of {digest} was found" in project.refused("lock")


@FORMATS
def test_a_tag_that_moves_to_an_unsigned_image(project: Project, *, older: bool) -> None:
    """Somebody who can push copies the old image's signature to the new one."""
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.bundle()
    pinned = project.pin["digest"]
    moved = project.push(extra="moved")
    repository, tag = f"{project.name}/outside/app", f"sha256-{digest.hex}{'.sig' if older else ''}"
    accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
    found = project.registry.request("GET", f"/v2/{repository}/manifests/{tag}", headers=accept)
    kind = found.headers["Content-Type"]
    project.registry.put_manifest(repository, tag.replace(digest.hex, moved.hex), found.data, kind)
    assert f"the key cosign.pub signed {digest}, expected {moved}" in project.refused("lock")
    assert project.pin["digest"] == pinned
    assert project.bench.doit("bundle").out.startswith("nothing to do")


def test_an_index_is_signed_and_one_platform_taken(project: Project) -> None:
    made = project.push_index()
    project.cosign.sign(f"{project.outside}/app", made.descriptor.digest)
    project.bundle()
    amd64 = next(each for each in made.images if each.platform == AMD64)
    assert project.pin["digest"] == str(amd64.descriptor.digest)
    assert project.pin["index"] == str(made.descriptor.digest)
    assert project.carried.images[0].attachments == ()
    project.bench.doit("forget", "pull:app")
    assert "signature checked" in project.bundle().out


def test_a_lock_that_was_changed_by_hand_is_found_out(project: Project) -> None:
    """The pin is turned to an image that the signed index does not list."""
    made = project.push_index()
    project.cosign.sign(f"{project.outside}/app", made.descriptor.digest)
    project.bundle()
    other = project.push("other", extra="other")
    lock = project.bench.place / "airgap.lock"
    lock.write_text(lock.read_text().replace(project.pin["digest"], str(other)))
    told = project.refused()
    assert f"the signed index {made.descriptor.digest} does not list {other}, which airgap.lock pins" in told


@pytest.mark.parametrize(
    ("options", "more"), [((), {"platform": "all"}), (("--recursive",), {})], ids=["whole index", "signed recursively"]
)
def test_an_index_signed_inside_too(project: Project, options: tuple[str, ...], more: Mapping[str, str]) -> None:
    made = project.push_index()
    project.cosign.sign(f"{project.outside}/app", made.descriptor.digest, *options)
    project.image(**more)
    project.bundle()
    project.install()
    project.cosign.verify(f"{project.inside}/app:1")


def test_a_signature_added_later_waits_for_lock(project: Project) -> None:
    """The same lock gives the same bundle, whatever is attached to an old image."""
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest)
    project.bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    project.bundle()
    before = project.bench.files()
    project.cosign.sign(f"{project.outside}/app", digest, older=True)
    subprocess.run(["rm", "-rf", str(project.bench.place / ".airgap"), str(project.bench.dist)], check=True)
    project.bundle()
    assert project.bench.files() == before
    moved = project.bench.doit("lock")
    assert f"image app: {digest} with 1 that refer to it" in moved.out
    assert f" -> {digest} with 2 that refer to it" in moved.out
    assert "1 updated" in moved.out
    project.bundle()
    assert len(project.carried.images[0].attachments) == 2


def test_without_referrers_nothing_travels_and_the_signature_is_checked(project: Project) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest)
    project.image(referrers=False)
    assert "signature checked" in project.bundle().out
    assert project.carried.images[0].attachments == ()
    project.install()
    assert project.tags_inside() == {"1"}


def test_another_key_is_asked_for_again(project: Project, tmp_path: Path) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest)
    project.bundle()
    (tmp_path / "other").mkdir()
    project.use_key(Cosign.make(tmp_path / "other").public_key)
    assert "FAILED pull:app" in project.refused()
    project.use_key(project.cosign.public_key)
    project.bundle()


def test_a_layout_that_cosign_saved(project: Project) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=True)
    project.cosign.save(f"{project.outside}/app:1", project.bench.place / "saved")
    project.image(source="oci:saved", target="app:1")
    project.bundle()
    project.install()
    project.cosign.verify(f"{project.inside}/app:1", older=True)


@FORMATS
def test_a_bundle_is_a_source_with_its_signatures(project: Project, *, older: bool) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.bundle()
    (project.bench.bundle / "images").rename(project.bench.place / "first")
    project.image(source="oci:first", target="app:1")
    project.bundle()
    project.install()
    project.cosign.verify(f"{project.inside}/app:1", older=older)


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_docker_and_skopeo_read_the_bundle(project: Project, engine: Engine, skopeo: Skopeo, layout: str) -> None:
    digest = project.push()
    for older in (True, False):
        project.cosign.sign(f"{project.outside}/app", digest, older=older)
    project.bench.spec["bundle"] = {"name": "app", "version": "1.0", "layout": layout}
    project.bench.write()
    project.bundle()
    tar = project.bench.bundle / "images/app.tar"
    source = f"oci-archive:{tar}" if layout == "docker-archive" else f"oci:{project.bench.bundle / 'images'}"
    if layout == "oci":
        tar = project.bench.place / "images.tar"
        subprocess.run(["tar", "-C", str(project.bench.bundle / "images"), "-cf", str(tar), "."], check=True)
    assert f"{project.inside}/app:1" in engine.docker("load", stdin=tar)
    assert engine.docker("images", "--quiet").split() == [engine.docker("images", "--quiet").split()[0]]
    plain = "--dest-tls-verify=false"
    for tag in ("1", f"sha256-{digest.hex}.sig", f"sha256-{digest.hex}"):
        name = f"{project.inside}/app:{tag}"
        skopeo.copy(
            f"{source}:{name}", f"docker://{project.registry.host}/{project.name}/by-hand:{tag}", plain, "--all"
        )
    for older in (True, False):
        project.cosign.verify(f"{project.registry.host}/{project.name}/by-hand:1", older=older)


def test_a_run_with_nothing_to_do_asks_nobody(project: Project) -> None:
    digest = project.push()
    project.cosign.sign(f"{project.outside}/app", digest)
    project.bundle()
    ran, seen = project.bench.watched("bundle")
    assert ran.out.startswith("nothing to do")
    assert seen == []


def test_an_image_that_nothing_refers_to_costs_a_few_questions(project: Project) -> None:
    project.image(verify=None)
    images = project.bench.spec["images"]
    assert isinstance(images, list)
    del images[0]["verify"]
    project.bench.write()
    project.push()
    with project.registry.recorded() as requests:
        assert project.bench.doit("pin").code == 0
    asked = [each for each in requests if "sha256-" in each.path or "/referrers/" in each.path]
    assert sorted(each.method for each in asked) == ["GET", "HEAD", "HEAD", "HEAD", "HEAD"]
    assert {each.status for each in asked} == {404}
    assert "referrers" not in project.pin
