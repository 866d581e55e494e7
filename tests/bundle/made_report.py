"""Reports of any size, made of data alone, for tests of the model, the page and the browser's view of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bundle.metadata.entries import ChartEntry, FileEntry, ProofEntry
from bundle.metadata.manifest import BundleManifest, ImageEntry
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.report.changes import changes
from bundle.report.model import Medium, Report, Result, check_commands, proof_result
from bundle.report.snapshot import Snapshot
from bundle.sbom.summary import NOT_READ, SbomSummary

MIB = 1024 * 1024
NAMES = (
    "api", "web", "worker", "scheduler", "cache", "database-migration", "an-image-whose-name-is-much-longer-than-usual",
)  # fmt: skip
LICENCES = ("MIT", "Apache-2.0", "GPL-2.0-or-later", "BSD-3-Clause", "Zlib AND (MIT OR Apache-2.0)")


def names_of(count: int) -> tuple[str, ...]:
    """Names for this many images."""
    return tuple(NAMES[n] if n < len(NAMES) else f"{NAMES[n % len(NAMES)]}-{n}" for n in range(count))


def manifest_of(count: int, *, version: str = "2.1.0", changed: int = 0) -> BundleManifest:
    """The manifest of a bundle of this many images, of which the first `changed` are others than in other versions."""
    return BundleManifest(
        name="shop",
        version=version,
        created=datetime(2026, 5, 4, 12, 30, 1, tzinfo=UTC),
        tool="0.1.0",
        layout="oci",
        platform=Platform.parse("linux/amd64"),
        images=tuple(
            ImageEntry(
                name=name,
                source=f"quay.io/example/team/{name}:{version}",
                reference=Reference.parse(f"registry.internal.example.com:5000/shop/{name}:{version}"),
                digest=Digest.of(f"{name}{version if number < changed else ''}".encode()),
                media_type="application/vnd.oci.image.manifest.v1+json",
                size=sum(blobs_of(count, number).values()) + 1000,
                platform=Platform.parse("linux/amd64"),
                blobs=blobs_of(count, number),
            )
            for number, name in enumerate(names_of(count))
        ),
        charts=(
            ChartEntry(
                name="shop",
                version=version,
                source="oci://ghcr.io/example/charts/shop",
                file=f"charts/shop-{version}.tgz",
                digest=Digest.of(version.encode()),
                size=48_123,
                provenance=f"charts/shop-{version}.tgz.prov",
            ),
        ),
        files=(
            FileEntry(
                name="helm",
                source="https://get.helm.sh/helm-v3.20.0-linux-amd64.tar.gz",
                file="files/helm",
                digest=Digest.of(b"helm"),
                size=61 * MIB,
                tool=True,
            ),
        ),
        registries=("registry.internal.example.com:5000/shop",),
        archive=True,
        split=4 * 1024 * MIB,
        proof=(ProofEntry(release="shop", proven=True), ProofEntry(release="jobs", proven=False, reason="no helm")),
    )


def blobs_of(count: int, number: int) -> dict[Digest, int]:
    """An image's own layer and config, and the layers that six images each have in common."""
    group = number // 6
    own = {
        Digest.of(f"layer {number}".encode()): (60 - number) * MIB,
        Digest.of(f"config {number}".encode()): 17 + number,
    }
    alone = count - group * 6 == 1
    return own if alone else {**own, Digest.of(f"base {group}".encode()): (90 + 6 * group) * MIB}


def packages_of(names: tuple[str, ...], *, later: bool) -> dict[str, SbomSummary]:
    """The packages of every image but the last of several."""
    listed = names[:-1] if len(names) > 1 else names
    return {name: SbomSummary.decode(sbom_of(number, later=later)) for number, name in enumerate(listed)}


def sbom_of(number: int, *, later: bool) -> bytes:
    """An SBOM with packages of three kinds."""
    components = [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:{kind}/{name}@{version}",
            **_licence(licence),
        }
        for kind, name, version, licence in _packages(number, later=later)
    ]
    properties = [{"name": NOT_READ, "value": "opt/app/app.jar: a Java archive"}] if number == 0 else []
    return json.dumps(
        {"bomFormat": "CycloneDX", "metadata": {"properties": properties}, "components": components}
    ).encode()


def _licence(name: str) -> dict[str, Any]:
    return {"licenses": [{"expression": name}]} if name else {}


def _packages(number: int, *, later: bool) -> Iterator[tuple[str, str, str, str]]:
    for each in range(120):
        version = f"1.{each}.{2 if later and each % 9 == 0 else 1}-1+deb12u1"
        yield "deb/debian", f"libexample{each}", version, LICENCES[each % 5]
    yield "deb/debian", "openssl", "3.0.11-1" if later else "3.0.14-1", "OpenSSL"
    yield "pypi", f"only-{number}", "2.0rc1" if later else "2.0", ""
    yield "npm", "%40scope/tool" if later else "tool", "4.1.0", "ISC"


def report_of(count: int = 6, *, compared: bool = True, finished: bool = True) -> Report:
    """A report on a bundle of this many images."""
    names = names_of(count)
    manifest = manifest_of(count, changed=count // 2)
    packages = packages_of(names, later=True)
    before = Snapshot.of_manifest(
        manifest_of(max(count - 1, 1), version="2.0.0", changed=count),
        "dist/shop-2.0.0",
        packages=packages_of(names, later=False),
        values={"values/shop.yaml: replicas": "2", "values/shop.yaml: old": '"x"'},
    )
    after = Snapshot.of_manifest(
        manifest,
        "this bundle",
        packages=packages,
        values={"values/shop.yaml: replicas": "3", "values/shop.yaml: host": '"${site.host}"'},
    )
    results = {
        "checksums": Result(state="good", summary=f"{count * 9} files, 3.1 GB: each is as SHA256SUMS says"),
        "signature": Result(state="bad", summary="signed by somebody who is not in the site's list"),
        "proof": proof_result(manifest),
        "rehearsal": Result(state="good", summary="passed", details=("proven: it is whole", "not proven: releases")),
    }
    open_results = {subject: Result(state="open", summary="not known yet") for subject in results}
    return Report(
        manifest=manifest,
        packages=packages,
        install={"install/values/shop.yaml": Digest.of(b"values")},
        media=(Medium(file="shop-2.1.0.tar.001", digest=Digest.of(b"part"), size=4 * 1024 * MIB),),
        results=results if finished else open_results,
        changes=changes(before, after) if compared else None,
        commands=tuple(check_commands(manifest)),
    )
