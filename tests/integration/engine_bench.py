"""A project whose images come from a registry and go into one, on either side by a Docker Engine or without."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from tests.integration.images import ARM64, Image, Index, image, index, layer
from tests.integration.parts import Engine, PartError, docker_engine
from tests.integration.registries import RunningRegistry
from tests.tasks.workbench import Ran, Workbench

ACCEPT = {"Accept": ", ".join(media_types.ACCEPT_MANIFEST)}
BASE = layer("base", 200_000)
ONE: Image = image(BASE, layer("one", 5_000), labels={"of": "one"})
TWO: Image = image(BASE, layer("two", 100), docker=True)
MANY: Index = index(TWO, image(BASE, layer("arm", 100), platform=ARM64))


@dataclass(kw_only=True)
class EngineBench:
    """The machine outside (`bench`), and the one inside, whose state is `state`."""

    place: Path
    registry: RunningRegistry
    bench: Workbench
    env: dict[str, str] = field(default_factory=dict)
    directory: str = "app-1.0"

    @property
    def bundle(self) -> Path:
        """The bundle that is installed."""
        return self.bench.dist / self.directory

    @property
    def state(self) -> Path:
        """Where the inside keeps its state."""
        return self.place / "state"

    @property
    def prefix(self) -> str:
        """Where images go."""
        spec: Any = self.bench.spec
        return str(spec["registry"]["prefix"])

    def write(self, images: Sequence[Mapping[str, str]], **bundle: Any) -> None:
        """Write a spec with these images."""
        settings: dict[str, Any] = {"plain_http": True}
        if self.registry.ca:
            settings = {"ca": "ca.crt"}
            self.bench.place.mkdir(exist_ok=True)
            (self.bench.place / "ca.crt").write_bytes(self.registry.ca.read_bytes())
        spec = {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0", "sbom": False, **bundle},
            "registry": {"prefix": f"{self.registry.host}/inside-{self.place.name}"},
            "registries": {self.registry.host: settings},
            "images": list(images),
        }
        self.bench.env = self.env
        self.bench.write(spec)

    def inside(self, *args: str) -> Ran:
        """Run the bundle's own program to its end."""
        words = [sys.executable, "-I", str(self.bundle / "airgap.pyz"), *args, f"state={self.state}"]
        env = {key: value for key, value in {**os.environ, **self.env}.items() if key != "CI"}
        done = subprocess.run(words, cwd=self.place, env=env, capture_output=True, text=True, check=False, timeout=300)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def entries(self) -> dict[str, dict[str, Any]]:
        """The images of the bundle's manifest, by name."""
        manifest = json.loads((self.bench.bundle / "manifest.json").read_bytes())
        return {each["name"]: each for each in manifest["images"]}

    def received(self) -> dict[str, dict[str, Any]]:
        """The images of the receipt, by name."""
        return {each["name"]: each for each in json.loads((self.state / "receipt.json").read_bytes())["images"]}

    def pushed(self, name: str, tag: str = "1") -> tuple[str, dict[str, Any]]:
        """The digest and the manifest that the registry inside has of an image."""
        path = f"{self.prefix.partition('/')[2]}/{name}"
        answer = self.registry.request("GET", f"/v2/{path}/manifests/{tag}", headers=ACCEPT)
        assert answer.status == 200, answer.data
        return answer.headers["Docker-Content-Digest"], json.loads(answer.data)


def make_bench(place: Path, registry: RunningRegistry, engine: Engine | None = None) -> EngineBench:
    """Two images in the registry, one of them for two platforms, and a machine outside and one inside."""
    place.mkdir(parents=True, exist_ok=True)
    registry.put(ONE, f"{place.name}/one", "1")
    registry.put(MANY, f"{place.name}/many", "1")
    env = {"HOME": str(place), "DOCKER_CONFIG": str(place / "docker"), "NO_PROXY": "127.0.0.1"}
    if engine:
        env["DOCKER_HOST"] = engine.host
    (place / "docker").mkdir(exist_ok=True)
    bench = EngineBench(place=place, registry=registry, bench=Workbench(place=place / "project"), env=env)
    bench.write([source(bench, "one"), source(bench, "many")])
    return bench


def source(bench: EngineBench, name: str, **more: str) -> dict[str, str]:
    """An image of the spec."""
    return {"name": name, "source": f"{bench.registry.host}/{bench.place.name}/{name}:1", **more}


def config_digest(content: Image) -> str:
    """What identifies an image whatever its layers are packed like."""
    return str(json.loads(content.raw)["config"]["digest"])


def made_digest(content: Image) -> str:
    """The digest of the manifest over an image's config and its unpacked layers, which every Engine leads to."""
    manifest = json.loads(content.raw)
    config = {**manifest["config"], "mediaType": media_types.OCI_CONFIG}
    layers = [gzip.decompress(content.blobs[Digest.parse(each["digest"])]) for each in manifest["layers"]]
    described = [
        Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(each), size=len(each)) for each in layers
    ]
    made = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": config,
        "layers": [each.to_dict() for each in described],
    }
    return str(Digest.of(json.dumps(made, sort_keys=True, separators=(",", ":")).encode()))


@contextmanager
def own_engine(*, data: Path | None = None, options: Sequence[str] = ()) -> Iterator[Engine]:
    """A Docker Engine of a test's own; the test is skipped where there can be none."""
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(docker_engine(data=data, options=options))
        except PartError as err:
            pytest.skip(str(err))
        yield engine
