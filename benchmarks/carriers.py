"""Who brings images from one registry to another by way of a file: ourselves, and peers as they document it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.contenders import built, doit, version_of, write_spec
from benchmarks.dataset import DataSet
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.parts.registries import RunningRegistry

PEERS = ("crane", "skopeo", "hauler", "zarf")


class Carrier(Protocol):
    """Somebody who brings images from one registry to another by way of a file."""

    @property
    def name(self) -> str:
        """How the table calls it."""

    @property
    def version(self) -> str:
        """Its version, empty where it has none."""

    def outside(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        """The commands that make the file; each is measured before the next is asked for."""

    def carried(self, place: Path) -> Path:
        """The file, or the directory with nothing but what is carried."""

    def inside(self, registry: RunningRegistry, carried: Path, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        """The commands that bring its images into the other registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """`doit bundle` with `archive: only`, and `airgap.pyz install` of it, verified, with its receipt."""

    full: bool  # with SBOMs and report
    version: str = ""

    @property
    def name(self) -> str:
        return "airgap, SBOM+report" if self.full else "airgap"

    def outside(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        path = write_spec(registry, data, place)
        spec = json.loads(path.read_text())
        spec["bundle"] |= {"archive": "only", "sbom": self.full, "report": self.full}
        path.write_text(json.dumps(spec))
        yield doit("bundle", path)

    def carried(self, place: Path) -> Path:
        return place / "out" / "bench-1.0.0.tar"

    def inside(self, registry: RunningRegistry, carried: Path, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        options = [f"bundle={carried}", f"registry=http://{registry.host}/bench", f"state={place / 'state'}"]
        yield [sys.executable, "-m", "doit", "install", *options]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """crane or skopeo into one OCI layout, tar; tar, and the same program out of it. Nothing is checked inside."""

    program: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.program} + tar"

    @property
    def version(self) -> str:
        return version_of(self.path, "version" if self.program == "crane" else "--version")

    def outside(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        sources = [f"{registry.host}/{image}" for image in data.images]
        if self.program == "crane":
            yield [self.path, "pull", "--format=oci", "--insecure", *sources, str(place / "layout")]
        else:
            for number, source in enumerate(sources):
                yield [*self._copy("--src-tls-verify=false"), f"docker://{source}", f"oci:{place}/layout:{number}"]
        (place / "out").mkdir()
        yield ["tar", "-C", str(place), "-cf", str(self.carried(place)), "layout"]

    def carried(self, place: Path) -> Path:
        return place / "out" / "images.tar"

    def inside(self, registry: RunningRegistry, carried: Path, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        yield ["tar", "-C", str(place), "-xf", str(carried)]
        layout = place / "layout"
        for number, (image, entry) in enumerate(zip(data.images, _entries(layout), strict=True)):
            target = f"{registry.host}/{image}"
            if self.program == "crane":  # wants one layout for each image
                one = place / str(number)
                one.mkdir()
                (one / "blobs").symlink_to(layout / "blobs")
                shutil.copy(layout / "oci-layout", one)
                (one / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
                yield [self.path, "push", "--insecure", str(one), target]
            else:
                yield [*self._copy("--dest-tls-verify=false"), f"oci:{layout}:{number}", f"docker://{target}"]

    def _copy(self, *options: str) -> list[str]:
        return [self.path, "--insecure-policy", "copy", "--quiet", *options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hauler:
    """`hauler store`, as its documentation tells."""

    path: str
    name: str = "hauler"

    @property
    def version(self) -> str:
        return version_of(self.path, "version")

    def outside(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        store = ["--store", str(place / "store")]
        for image in data.images:
            yield [self.path, "store", "add", "image", f"{registry.host}/{image}", *store]
        (place / "out").mkdir()
        yield [self.path, "store", "save", *store, "--filename", str(self.carried(place))]

    def carried(self, place: Path) -> Path:
        return place / "out" / "haul.tar.zst"

    def inside(self, registry: RunningRegistry, carried: Path, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        store = ["--store", str(place / "store")]
        yield [self.path, "store", "load", *store, "--filename", str(carried)]
        yield [self.path, "store", "copy", *store, "--plain-http", f"registry://{registry.host}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zarf:
    """`zarf package`, without SBOMs, and its mirror-resources, as its documentation tells."""

    path: str
    name: str = "zarf"

    @property
    def version(self) -> str:
        return version_of(self.path, "version")

    def outside(self, registry: RunningRegistry, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        images = [f"{registry.host}/{image}" for image in data.images]
        package = {
            "kind": "ZarfPackageConfig",
            "metadata": {"name": "bench", "version": "1.0.0", "uncompressed": True},
            "components": [{"name": "images", "required": True, "images": images}],
        }
        (place / "zarf.yaml").write_text(json.dumps(package))
        (place / "out").mkdir()
        options = ["--confirm", "--skip-sbom", "--plain-http", "--zarf-cache", str(place / "cache")]
        yield [self.path, "package", "create", str(place), *options, "--output", str(place / "out")]

    def carried(self, place: Path) -> Path:
        return next((place / "out").glob("zarf-package-*"))

    def inside(self, registry: RunningRegistry, carried: Path, data: DataSet, place: Path) -> Iterator[Sequence[str]]:
        login = ["--registry-push-username", "any", "--registry-push-password", "any"]
        options = ["--confirm", "--plain-http", "--no-img-checksum", "--registry-url", registry.host, *login]
        yield [self.path, "package", "mirror-resources", str(carried), *options]


def carriers(names: Sequence[str]) -> tuple[list[Carrier], list[str]]:
    """Ourselves and those of the peers that are here, and for each of the others why it is left out."""
    found: list[Carrier] = [Ours(full=False), Ours(full=True)]
    absent = []
    for name in names:
        try:
            match name:
                case "crane":
                    found.append(ByHand(program=name, path=built(name)))
                case "skopeo":
                    found.append(ByHand(program=name, path=program(name)))
                case "hauler":
                    found.append(Hauler(path=program(name)))
                case _:
                    found.append(Zarf(path=program(name)))
        except (OSError, PartError, subprocess.CalledProcessError) as err:
            absent.append(f"{name}: {err}")
    return found, absent


def _entries(layout: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((layout / "index.json").read_text())["manifests"]
    return entries
