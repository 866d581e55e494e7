"""manifest.txt: all that manifest.json states, for whoever has no program to read that with."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.metadata.entries import ProofEntry
from bundle.metadata.manifest import BundleManifest, Layout
from bundle.oci import media_types
from bundle.report.manifest_text import manifest_text
from bundle.storage.blob_store import BlobStore
from tests.fixtures.made.made_bundle import CONTENT, manifest_of, stored

PROOF = (
    ProofEntry(release="web", proven=True),
    ProofEntry(release="db", proven=False, reason="helm was not at hand"),
)


@pytest.fixture(params=["oci", "docker-archive"])
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> BundleManifest:
    layout: Layout = request.param
    return manifest_of([stored(BlobStore(tmp_path), name) for name in CONTENT], layout)


def test_the_text_states_everything(manifest: BundleManifest) -> None:
    text = manifest_text(manifest)
    for image in manifest.images:
        assert f"  {image.reference}\n    version: 1.0\n    digest:  {image.digest}\n" in text
    for fact in (
        "2026-01-31 12:30:01 UTC",
        "0.3.0",
        "charts/demo-0.3.0.tgz",
        "helm (a tool",
        "sha256sum -c SHA256SUMS",
    ):
        assert fact in text
    assert f"Internal registries required\n{'-' * 28}\n  {manifest.registries[0]}\n" in text
    assert ("tar -C images" in text) == (manifest.layout == "oci")
    assert ("for f in images/*.tar" in text) == (manifest.layout == "docker-archive")


def test_the_text_has_the_commands_of_every_image(manifest: BundleManifest) -> None:
    lines = [line.strip() for line in manifest_text(manifest).splitlines()]
    copied = [line.rpartition(" docker://")[2] for line in lines if line.startswith("skopeo copy --all oci")]
    saved = [image for image in manifest.images if image.media_type == media_types.DOCKER_MANIFEST]
    assert [line for line in lines if line.startswith("docker push ")] == [
        f"docker push {image.reference}" for image in manifest.images
    ]
    assert len(copied) > 1
    assert saved, "which skopeo can't copy by their digests"
    assert copied == [str(image.reference) for image in manifest.images if image not in saved]


def test_the_text_says_what_is_proven(manifest: BundleManifest) -> None:
    text = manifest_text(replace(manifest, proof=PROOF))
    assert "  web: proven\n  db: NOT PROVEN, helm was not at hand\n" in text


def test_the_text_names_what_the_program_carries(manifest: BundleManifest) -> None:
    text = manifest_text(replace(manifest, carries={"PyYAML": "6.0.3", "doit": "0.37.0"}))
    assert f"airgap.pyz carries\n{'-' * 18}\n  doit 0.37.0\n  PyYAML 6.0.3\n" in text


def test_the_text_leaves_out_what_there_is_not(manifest: BundleManifest) -> None:
    text = manifest_text(replace(manifest, images=(), charts=(), files=()))
    assert not any(word in text for word in ("Images\n", "Charts\n", "Files\n", "Proof", "carries", "docker load"))


def test_the_text_has_lines_for_powershell(manifest: BundleManifest) -> None:
    text = manifest_text(replace(manifest, archive=False, split=None))
    assert "Get-Content -Encoding UTF8 'SHA256SUMS' | ForEach-Object { $sum, $name = $_ -split ' [ *]', 2; " in text
    assert "join the parts" not in text
    text = manifest_text(replace(manifest, archive=True, split=1_000_000))
    archive = f"{manifest.stem}.tar"
    assert f"Get-Content -Encoding UTF8 '{archive}.sha256' | " in text
    assert f"Get-ChildItem '{archive}.[0-9][0-9][0-9]' | Sort-Object Name | ForEach-Object {{ $from = " in text


def test_sizes_are_in_the_units_of_the_terminal(manifest: BundleManifest) -> None:
    large = replace(manifest, files=tuple(replace(file, size=1_400_000_000) for file in manifest.files))
    assert "  size:    1.4 GB (1400000000 bytes)" in manifest_text(large)
