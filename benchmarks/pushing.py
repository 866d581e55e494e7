"""Who is measured at pushing: our own library code, and peers, from one bundle's OCI layout into an empty registry."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.contenders import GO_TOOLS, built, version_of
from bundle.archive.reader import OpenedBundle
from bundle.metadata.manifest import ImageEntry
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.parts.registries import RunningRegistry


class Pusher(Protocol):
    """Somebody who can push the images of a bundle."""

    @property
    def name(self) -> str:
        """How the table calls it."""

    @property
    def version(self) -> str:
        """Its version, empty where it has none."""

    def commands(self, registry: RunningRegistry, bundle: OpenedBundle, place: Path) -> Iterator[Sequence[str]]:
        """The commands that push everything; what they need is written into the empty directory `place` first."""

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        """Variables to set for the commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurPush:
    """All images in one process, `jobs` transfers at once."""

    jobs: int
    version: str = ""

    @property
    def name(self) -> str:
        return f"airgap jobs={self.jobs}"

    def commands(self, registry: RunningRegistry, bundle: OpenedBundle, place: Path) -> Iterator[Sequence[str]]:
        argv = [sys.executable, "-m", "benchmarks.push_bundle", str(bundle.path), registry.host, str(self.jobs)]
        yield [*argv, str(registry.ca)] if registry.ca else argv

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {"DOCKER_CONFIG": str(place)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopeoPush:
    """`skopeo copy` for one image after the other."""

    path: str
    name: str = "skopeo copy"

    @property
    def version(self) -> str:
        return version_of(self.path, "--version")

    def commands(self, registry: RunningRegistry, bundle: OpenedBundle, place: Path) -> Iterator[Sequence[str]]:
        options = ["--dest-tls-verify=false"]
        if registry.ca:
            (place / "certs").mkdir()
            shutil.copy(registry.ca, place / "certs" / "ca.crt")
            options = ["--dest-cert-dir", str(place / "certs")]
        for image in bundle.manifest.images:
            source = f"oci:{bundle.path / 'images'}:{image.reference}"
            yield [
                self.path,
                "--insecure-policy",
                "copy",
                "--quiet",
                *options,
                source,
                f"docker://{_target(registry, image)}",
            ]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {"REGISTRY_AUTH_FILE": str(place / "auth.json")}


@dataclass(frozen=True, slots=True, kw_only=True)
class CranePush:
    """`crane push` for one image after the other, each from a layout of its own over the same blobs, as it wants it."""

    path: str
    name: str = "crane push"

    @property
    def version(self) -> str:
        return version_of(self.path, "version")

    def commands(self, registry: RunningRegistry, bundle: OpenedBundle, place: Path) -> Iterator[Sequence[str]]:
        options = [] if registry.ca else ["--insecure"]
        for number, image in enumerate(bundle.manifest.images):
            layout = place / str(number)
            layout.mkdir()
            (layout / "blobs").symlink_to(bundle.path / "images/blobs")
            shutil.copy(bundle.path / "images/oci-layout", layout)
            raw = bundle.image(image).manifest(image.root)
            entry = {"mediaType": image.media_type, "digest": str(image.digest), "size": len(raw)}
            (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
            yield [self.path, "push", *options, str(layout), _target(registry, image)]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        trust = {"SSL_CERT_FILE": str(registry.ca), "SSL_CERT_DIR": str(place)} if registry.ca else {}
        return {"DOCKER_CONFIG": str(place), **trust}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegctlPush:
    """`regctl image copy` for one image after the other."""

    path: str
    name: str = "regctl image copy"

    @property
    def version(self) -> str:
        return version_of(self.path, "version", "--format", "{{.VCSTag}}")

    def commands(self, registry: RunningRegistry, bundle: OpenedBundle, place: Path) -> Iterator[Sequence[str]]:
        settings: dict[str, str] = {"tls": "disabled"}
        if registry.ca:
            settings = {"tls": "enabled", "regcert": registry.ca.read_text()}
        (place / "regctl.json").write_text(json.dumps({"hosts": {registry.host: settings}}))
        for image in bundle.manifest.images:
            source = f"ocidir://{bundle.path / 'images'}@{image.digest}"
            yield [self.path, "image", "copy", source, _target(registry, image)]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {"REGCTL_CONFIG": str(place / "regctl.json"), "DOCKER_CONFIG": str(place)}


PUSHERS: Mapping[str, Callable[[str], Pusher]] = {
    "skopeo": lambda path: SkopeoPush(path=path),
    "crane": lambda path: CranePush(path=path),
    "regctl": lambda path: RegctlPush(path=path),
}


def pushers(names: Sequence[str]) -> tuple[list[Pusher], list[str]]:
    """Those of the PUSHERS that are here or can be built, and for each of the others the reason why it is left out."""
    found: list[Pusher] = []
    absent = []
    for name in names:
        try:
            found.append(PUSHERS[name](built(name) if name in GO_TOOLS else program(name)))
        except (OSError, PartError, subprocess.CalledProcessError) as err:
            absent.append(f"{name}: {err}")
    return found, absent


def _target(registry: RunningRegistry, image: ImageEntry) -> str:
    return f"{registry.host}/{image.reference.path}:{image.reference.tag}"
