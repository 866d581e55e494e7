"""Who is measured: our own command, and peers that copy images from a registry to an OCI layout."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.dataset import DataSet
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.parts.registries import RunningRegistry

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airgap-ci"

# Built by Go's own module client, once, below the cache directory.
GO_TOOLS = {
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "regctl": "github.com/regclient/regclient/cmd/regctl@v0.11.7",
}


class Contender(Protocol):
    """Somebody who can pull a data set."""

    @property
    def name(self) -> str:
        """How the table calls it."""

    @property
    def version(self) -> str:
        """Its version, empty where it has none."""

    def commands(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        """The commands that pull everything into the empty directory `place`; what they need is written there first."""

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        """Variables to set for the commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """`doit pull`, with nothing in its cache; `jobs` transfers at once, or our default when it is 0."""

    jobs: int = 0
    version: str = ""

    @property
    def name(self) -> str:
        return f"doit pull jobs={self.jobs}" if self.jobs else "doit pull"

    def commands(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        yield doit("pull", write_spec(registry, data, place), *([f"jobs={self.jobs}"] if self.jobs else []))

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skopeo:
    """`skopeo copy` for one image after the other, into one layout, which shares the layers."""

    path: str
    name: str = "skopeo copy"

    @property
    def version(self) -> str:
        return version_of(self.path, "--version")

    def commands(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        options = ["--src-tls-verify=false"]
        if registry.ca:
            (place / "certs").mkdir()
            shutil.copy(registry.ca, place / "certs" / "ca.crt")
            options = ["--src-cert-dir", str(place / "certs")]
        for number, image in enumerate(data.images):
            source, target = f"docker://{registry.host}/{image}", f"oci:{place}/out:{number}"
            yield [self.path, "--insecure-policy", "copy", "--quiet", *options, source, target]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {"REGISTRY_AUTH_FILE": str(place / "auth.json")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crane:
    """`crane pull --format=oci` with all images in one command."""

    path: str
    name: str = "crane pull"

    @property
    def version(self) -> str:
        return version_of(self.path, "version")

    def commands(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        sources = [f"{registry.host}/{image}" for image in data.images]
        options = [] if registry.ca else ["--insecure"]
        yield [self.path, "pull", "--format=oci", *options, *sources, f"{place}/out"]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        trust = {"SSL_CERT_FILE": str(registry.ca), "SSL_CERT_DIR": str(place)} if registry.ca else {}
        return {"DOCKER_CONFIG": str(place), **trust}


@dataclass(frozen=True, slots=True, kw_only=True)
class Regctl:
    """`regctl image copy` for one image after the other, into one layout."""

    path: str
    name: str = "regctl image copy"

    @property
    def version(self) -> str:
        return version_of(self.path, "version", "--format", "{{.VCSTag}}")

    def commands(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        settings: dict[str, str] = {"tls": "disabled"}
        if registry.ca:
            settings = {"tls": "enabled", "regcert": registry.ca.read_text()}
        (place / "regctl.json").write_text(json.dumps({"hosts": {registry.host: settings}}))
        for number, image in enumerate(data.images):
            yield [self.path, "image", "copy", f"{registry.host}/{image}", f"ocidir://{place}/out:{number}"]

    def environment(self, registry: RunningRegistry, place: Path) -> Mapping[str, str]:
        return {"REGCTL_CONFIG": str(place / "regctl.json"), "DOCKER_CONFIG": str(place)}


def doit(task: str, spec: Path, *options: str) -> list[str]:
    """Our command on a spec, its state and output beside it; to be run from the checkout (ROOT)."""
    variables = [f"spec={spec}", f"state={spec.parent / 'state'}", f"out={spec.parent / 'out'}"]
    return [sys.executable, "-m", "doit", task, *options, *variables]


def write_spec(registry: RunningRegistry, data: DataSet, place: Path) -> Path:
    """A spec of these images, as an operator would write it. JSON is YAML."""
    host: dict[str, object] = {"ca": str(registry.ca)} if registry.ca else {"plain_http": True}
    images = [
        {"name": image.partition(":")[0].rpartition("/")[2], "source": f"{registry.host}/{image}"}
        for image in data.images
    ]
    spec = {
        "version": 1,
        "bundle": {"name": "bench", "version": "1.0.0"},
        "registry": {"prefix": "registry.internal.example/bench"},
        "registries": {registry.host: host},
        "images": images,
    }
    path = place / "airgap.yaml"
    path.write_text(json.dumps(spec, indent=1))
    return path


PEERS: Mapping[str, Callable[[str], Contender]] = {
    "skopeo": lambda path: Skopeo(path=path),
    "crane": lambda path: Crane(path=path),
    "regctl": lambda path: Regctl(path=path),
}


def peers(names: Sequence[str]) -> tuple[list[Contender], list[str]]:
    """Those of the PEERS that are here or can be built, and for each of the others the reason why it is left out."""
    found: list[Contender] = []
    absent = []
    for name in names:
        try:
            found.append(PEERS[name](built(name) if name in GO_TOOLS else program(name)))
        except (OSError, PartError, subprocess.CalledProcessError) as err:
            absent.append(f"{name}: {err}")
    return found, absent


def built(name: str) -> str:
    package = GO_TOOLS[name]
    binary = CACHE / package.rpartition("@")[2] / name
    if not binary.exists():
        env = {**os.environ, "GOBIN": str(binary.parent), "CGO_ENABLED": "0"}
        subprocess.run(["go", "install", package], env=env, check=True, stdin=subprocess.DEVNULL)
    return str(binary)


def version_of(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return found[0] if found else ""
