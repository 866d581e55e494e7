import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bundle.images.layout import LayoutImage, write_index
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.sbom.summary import SbomSummary
from tests.fixtures.benches.workbench import Workbench, write_layout
from tests.fixtures.images.images import AMD64, ARM64, Image, image
from tests.fixtures.images.layers import layer_of

# As the documented format has it; no Alpine is made here.
INSTALLED = """\
C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl

P:libcrypto3
V:3.3.2-r1
A:x86_64
L:Apache-2.0
o:openssl
F:usr
"""


ALPINE = layer_of({"lib/apk/db/installed": INSTALLED, "etc/os-release": "ID=alpine\nVERSION_ID=3.20.3\n"})


JAR = layer_of({"opt/app.jar": "PK"})


SYFT = """#!/bin/sh
test "$1 $3 $4 $5" = "scan --output cyclonedx-json --quiet" && test -f "${2#oci-dir:}/index.json" || exit 9
echo '{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
  {"type": "library", "name": "found", "version": "1", "purl": "pkg:golang/example.com/found@1"}]}'
"""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(place=tmp_path / "project")
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.example.com/team"},
            "images": [{"name": "app", "source": "oci:image", "target": "app:1.0"}],
        }
    )
    write_layout(bench.place / "image", image(ALPINE), "example.com/app:1.0")
    # The test must not find a syft of this machine.
    bench.env["PATH"] = "/usr/bin:/bin"
    return bench


def sbom(bench: Workbench) -> SbomSummary:
    raw = (bench.bundle / "sbom/app.cdx.json").read_bytes()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw.decode()) is None
    return SbomSummary.decode(raw)


def bundled(bench: Workbench) -> SbomSummary:
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    return sbom(bench)


def with_attestation(place: Path, first: Image, *others: Image) -> Digest:
    """Put an index of these images, BuildKit's attestation to the first in it, into a layout; its manifest's digest."""
    packages = [
        {
            "name": "attested",
            "versionInfo": "7",
            "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/attested@7"}],
        }
    ]
    about = [{"name": "x", "digest": {"sha256": first.descriptor.digest.hex}}]
    predicate = {"spdxVersion": "SPDX-2.3", "packages": packages}
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "subject": about, "predicate": predicate}
    blobs = {Digest.of(raw): raw for raw in (json.dumps(statement).encode(), b"{}")}
    told, config = (
        {"mediaType": kind, "digest": str(digest), "size": len(raw)}
        for kind, (digest, raw) in zip(
            ("application/vnd.in-toto+json", media_types.OCI_CONFIG), blobs.items(), strict=True
        )
    )
    manifest = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": [told]}
    raw = json.dumps(manifest).encode()
    attestation = Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(raw),
        size=len(raw),
        platform=replace(AMD64, os="unknown", architecture="unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(first.descriptor.digest),
        },
    )
    entries = [{**each.descriptor.to_dict(), "platform": each.platform.to_dict()} for each in (first, *others)]
    listed = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [*entries, attestation.to_dict()]}
    index = json.dumps(listed).encode()
    blobs |= {Digest.of(index): index, attestation.digest: raw}
    for each in (first, *others):
        blobs |= {**each.blobs, each.descriptor.digest: each.raw}
    for digest, data in blobs.items():
        path = place / "blobs" / digest.algorithm / digest.hex
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    root = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.of(index), size=len(index))
    name = "example.com/app:1.0"
    write_index(place, [LayoutImage(name=name, reference=Reference.parse(name), root=root)])
    return attestation.digest


def test_the_layers_are_read_once_for_each_digest(bench: Workbench) -> None:
    told = bundled(bench)
    assert (told.source, told.not_read, told.types) == ("layers", (), {"apk": 2})
    assert told.licences == {"Apache-2.0": 1, "MIT": 1}
    assert told.versions == {"pkg:apk/alpine/libcrypto3": ("3.3.2-r1",), "pkg:apk/alpine/musl": ("1.2.5-r0",)}
    listed = json.loads((bench.bundle / "manifest.json").read_text())["images"][0]
    assert listed["sbom"] == "sbom/app.cdx.json"
    assert "sbom:    sbom/app.cdx.json" in (bench.bundle / "manifest.txt").read_text()
    assert bench.doit("bundle").steps == []
    assert bench.doit("verify").code == 0
    before = (bench.bundle / "sbom/app.cdx.json").read_bytes()
    (bench.bundle / "sbom/app.cdx.json").unlink()
    ran = bench.doit("verify", f"bundle={bench.bundle}")
    assert (ran.code, "missing: sbom/app.cdx.json (of image 'app')" in ran.err) == (1, True)
    assert bench.doit("bundle").steps == ["directory"]
    bench.doit("clean", "sbom")
    assert "sbom:app" in bench.doit("bundle").steps
    assert (bench.bundle / "sbom/app.cdx.json").read_bytes() == before


def test_what_is_not_read_is_told(bench: Workbench) -> None:
    write_layout(bench.place / "image", image(ALPINE, JAR), "example.com/app:1.0")
    ran = bench.doit("bundle")
    assert "warning: sbom/app.cdx.json: not read: Java archives: 1, such as opt/app.jar" in ran.out
    assert sbom(bench).not_read == ("Java archives: 1, such as opt/app.jar",)


def test_none_is_written_where_none_is_wanted(bench: Workbench) -> None:
    bundled(bench)
    assert isinstance(bench.spec["bundle"], dict)
    bench.spec["bundle"]["sbom"] = False
    bench.write()
    ran = bench.doit("bundle")
    assert (ran.code, any(step.startswith("sbom") for step in ran.steps)) == (0, False)
    assert not (bench.bundle / "sbom").exists()
    assert "sbom" not in json.loads((bench.bundle / "manifest.json").read_text())["images"][0]
    assert bench.doit("verify").code == 0


def test_one_platform_of_an_index_brings_what_the_index_attests(bench: Workbench) -> None:
    arm = image(JAR, platform=ARM64)
    attestation = with_attestation(bench.place / "image", image(ALPINE), arm)
    told = bundled(bench)
    assert (told.source, told.versions, told.not_read) == ("attestation", {"pkg:npm/attested": ("7",)}, ())
    assert json.loads((bench.place / "airgap.lock").read_text())["images"]["app"]["attestation"] == str(attestation)
    assert attestation.hex not in " ".join(os.listdir(bench.bundle / "images/blobs/sha256"))
    assert bench.doit("bundle").steps == []


def test_every_platform_of_an_index_is_told_by_what_there_is(bench: Workbench) -> None:
    with_attestation(bench.place / "image", image(JAR), image(ALPINE, platform=ARM64))
    images: Any = bench.spec["images"]
    images[0]["platform"] = "all"
    bench.write()
    told = bundled(bench)
    assert told.types == {"apk": 2, "npm": 1}
    data = json.loads((bench.bundle / "sbom/app.cdx.json").read_text())
    assert [each["name"] for each in data["components"]] == ["linux/amd64", "linux/arm64/v8"]
    sources = {each["value"] for each in data["metadata"]["properties"] if each["name"] == "airgap:sbom:source"}
    assert sources == {"attestation", "layers"}


def test_syft_is_asked_where_it_is(bench: Workbench, tmp_path: Path) -> None:
    bundled(bench)
    program = tmp_path / "bin/syft"
    program.parent.mkdir()
    program.write_text(SYFT)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    bench.env["PATH"] = f"{program.parent}:/usr/bin:/bin"
    told = bundled(bench)
    assert (told.source, told.versions) == ("syft", {"pkg:golang/example.com/found": ("1",)})
    assert bench.doit("bundle").steps == []
    bench.doit("clean", "sbom")
    program.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
    ran = bench.doit("bundle")
    assert "warning: sbom:app: syft failed with exit code 3: no luck; its layers are read instead" in ran.out
    assert sbom(bench).source == "layers"
