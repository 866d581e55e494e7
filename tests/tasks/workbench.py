"""A project in a temporary directory and the real command line, for tests that look at whole runs."""

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bundle.images.layout import LayoutImage, write_index
from bundle.oci.reference import Reference
from tests.fixtures.places import ROOT
from tests.integration.images import Image, image, layer

# Runs doit with an audit hook that lists what is opened for writing and where connections go.
WATCHED = """
import os, runpy, sys
seen = []
def hook(event, args):
    if event == "open":
        path, mode, flags = args
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            seen.append(f"write {path}")
    elif event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        seen.append(f"{event} {args[1:]}")
    elif event in ("os.rename", "os.remove", "os.mkdir", "os.link", "os.utime", "os.chmod", "os.truncate"):
        seen.append(f"{event} {args[0]}")
sys.addaudithook(hook)
sys.argv = ["doit", *sys.argv[1:]]
try:
    runpy.run_module("doit", run_name="__main__", alter_sys=True)
finally:
    found = "\\n".join(seen)
    open(os.environ["WATCH"], "w").write(found)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def steps(self) -> list[str]:
        """The steps that ran, sorted."""
        return sorted(re.findall(r"^(\w+(?::\S+)?) {2,}\S", self.out, re.MULTILINE))


@dataclass(kw_only=True)
class Workbench:
    """A directory with a spec, its sources as OCI layouts, and a bundle beside them."""

    place: Path
    spec: dict[str, object] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    def write(self, spec: Mapping[str, object] | None = None) -> None:
        """Write the spec (YAML is a superset of JSON)."""
        if spec is not None:
            self.spec = dict(spec)
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "airgap.yaml").write_text(json.dumps(self.spec, indent=1))

    @property
    def dist(self) -> Path:
        """Where bundles go."""
        return self.place / "dist"

    @property
    def bundle(self) -> Path:
        """The finished directory."""
        return self.dist / "app-1.0"

    def command(self, *args: str) -> tuple[list[str], dict[str, str]]:
        """The words and the environment of a doit command on this project."""
        words = [f"spec={self.place / 'airgap.yaml'}", f"out={self.dist}", *args]
        inherited = {key: value for key, value in os.environ.items() if key not in ("SOURCE_DATE_EPOCH", "CI")}
        return words, {**inherited, "PYTHONDONTWRITEBYTECODE": "1", **self.env}

    def doit(self, *args: str) -> Ran:
        """Run one doit command to its end."""
        words, env = self.command(*args)
        done = subprocess.run(
            [sys.executable, "-m", "doit", *words],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def watched(self, *args: str) -> tuple[Ran, list[str]]:
        """Run one command and list everything that it wrote, connected to or started."""
        words, env = self.command(*args)
        log = self.place / "watch.log"
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *words],
            cwd=ROOT,
            env={**env, "WATCH": str(log)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        seen = log.read_text().splitlines()
        log.unlink()
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr), seen

    def start(self, *args: str) -> "subprocess.Popen[str]":
        """Start a command without waiting for it."""
        words, env = self.command(*args)
        return subprocess.Popen(
            [sys.executable, "-m", "doit", *words], cwd=ROOT, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def files(self) -> dict[str, bytes]:
        """Every file of the finished bundle and its archive, by name."""
        found = [path for path in self.dist.rglob("*") if path.is_file() and ".work" not in path.parts]
        return {str(path.relative_to(self.dist)): path.read_bytes() for path in found}


def write_layout(place: Path, made: Image, name: str) -> None:
    """One image as an OCI layout directory."""
    for digest, data in {**made.blobs, made.descriptor.digest: made.raw}.items():
        path = place / "blobs" / digest.algorithm / digest.hex
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    write_index(place, [LayoutImage(name=name, reference=Reference.parse(name), root=made.descriptor)])


def make(
    place: Path, *, images: Sequence[str] = ("one", "two"), bundle: Mapping[str, object] | None = None
) -> Workbench:
    """A project with small images that share a base layer, a chart and a file."""
    base = layer("base", 20_000)
    for name in images:
        write_layout(place / "images" / name, image(base, layer(name, 5_000)), f"example.com/{name}:1.0")
    chart = place / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    (chart / "templates" / "config.yaml").write_text(
        textwrap.dedent("""\
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: app}
            """)
    )
    (place / "note.txt").write_text("read me\n")
    bench = Workbench(place=place)
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0", **(bundle or {})},
            "registry": {"prefix": "registry.example.com/team"},
            "images": [{"name": name, "source": f"oci:images/{name}", "target": f"{name}:1.0"} for name in images],
            "charts": [{"name": "app", "source": "./chart"}],
            "files": [{"name": "note.txt", "source": "note.txt"}],
        }
    )
    return bench
