"""A bundle made outside and installed inside, through the zipapp alone, against a real registry, cluster and helm."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures.places import CHARTS
from tests.integration.helms import Helm
from tests.integration.images import image, layer
from tests.integration.registries import RunningRegistry
from tests.tasks.workbench import Ran, Workbench, write_layout


@dataclass(kw_only=True)
class Site:
    """One connected machine (`bench`), what was carried, and the machine inside."""

    place: Path
    bench: Workbench
    registry: RunningRegistry
    helm: Helm
    namespace: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def carried(self) -> Path:
        """The bundle as it lies inside."""
        return self.place / "carried"

    @property
    def state(self) -> Path:
        """Where the inside keeps its state."""
        return self.place / "state"

    def carry(self) -> None:
        """Make the bundle, and copy it over."""
        self.bench.write()
        ran = self.bench.doit("bundle")
        assert ran.code == 0, ran.out + ran.err
        shutil.rmtree(self.carried, ignore_errors=True)
        bundle = self.bench.spec["bundle"]
        assert isinstance(bundle, dict)
        shutil.copytree(self.bench.dist / f"{bundle['name']}-{bundle['version']}", self.carried)

    @property
    def inside(self) -> Path:
        """The directory that commands inside are started in; `${file.PATH}` begins there."""
        return self.place / "inside"

    @property
    def plan(self) -> dict[str, Any]:
        """The spec's `install`; call `carry` after changing it."""
        found = self.bench.spec["install"]
        assert isinstance(found, dict)
        return found

    def command(self, *args: str) -> tuple[list[str], dict[str, str], Path]:
        """Words, environment and directory of a command inside."""
        env = {**self.helm.env, "DOCKER_CONFIG": str(self.place / "docker"), "NO_PROXY": "127.0.0.1", **self.env}
        words = [sys.executable, "-I", str(self.carried / "airgap.pyz"), *args, f"state={self.state}"]
        return words, {key: value for key, value in env.items() if key != "CI"}, self.inside

    def run(self, *args: str) -> Ran:
        """Run the zipapp inside to its end."""
        words, env, cwd = self.command(*args)
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *args: str) -> "subprocess.Popen[str]":
        """Start it without waiting, as the first of its own process group."""
        words, env, cwd = self.command(*args)
        return subprocess.Popen(
            words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def install(self, *args: str) -> Ran:
        """Run install, which must succeed."""
        ran = self.run("install", *args)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def refused(self, *args: str) -> Ran:
        """Run install, which must fail as a task does."""
        ran = self.run("install", *args)
        assert ran.code == 1, ran.out + ran.err
        return ran

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        """An object of the cluster, by default of our namespace."""
        found = json.loads(
            self.helm.cluster.kubectl("get", kind, name, "-n", namespace or self.namespace, "-o", "json")
        )
        assert isinstance(found, dict)
        return found

    def secret(self, name: str, namespace: str = "") -> dict[str, str]:
        """What a secret of the cluster holds."""
        data = self.get("secret", name, namespace)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    @property
    def is_untouched(self) -> bool:
        """Whether our namespace is not there."""
        names = self.helm.cluster.kubectl("get", "namespaces", "-o", "name").split()
        return f"namespace/{self.namespace}" not in names

    def revision(self, release: str) -> int:
        """The release's newest revision in the cluster; 0 when there is none."""
        found = json.loads(
            self.helm.run("list", "--all" if self.helm.major == 3 else "--deployed", "-n", self.namespace, "-o", "json")
        )
        return next((int(each["revision"]) for each in found if each["name"] == release), 0)

    def values(self, text: str) -> None:
        """Write the values file of release `web`."""
        path = self.bench.place / "values/web.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def everything_written(self) -> bytes:
        """All bytes that the installation left in files inside."""
        return b"".join(path.read_bytes() for path in self.state.rglob("*") if path.is_file())


VALUES = """\
image:
  repository: ${image.web.repository}
  tag: ${image.web.tag}
replicas: 1
"""


def make_site(
    place: Path, registry: RunningRegistry, helm: Helm, namespace: str, *, charts: tuple[str, ...] = ("web",)
) -> Site:
    """A project with one image and a release of each chart, named as the chart."""
    project = place / "project"
    made = image(layer("base", 30_000), layer("web", 20_000))
    write_layout(project / "images/web", made, "example.com/web:1.0")
    for chart in charts:
        shutil.copytree(CHARTS / chart, project / "charts" / chart)
    bench = Workbench(place=project)
    (place / "docker").mkdir()
    (place / "inside").mkdir()
    site = Site(place=place, bench=bench, registry=registry, helm=helm, namespace=namespace)
    site.values(VALUES)
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": f"{registry.host}/{namespace}"},
            "registries": {registry.host: {"plain_http": True}} if registry.ca is None else {},
            "images": [{"name": "web", "source": "oci:images/web", "target": "web:1.0"}],
            "charts": [{"name": chart, "source": f"charts/{chart}"} for chart in charts],
            "install": {
                "releases": [
                    {
                        "name": chart,
                        "chart": chart,
                        "namespace": namespace,
                        "values": ["values/web.yaml"],
                        "timeout": "60s",
                    }
                    for chart in charts
                ]
            },
        }
    )
    return site


def steps(ran: Ran, *bases: str) -> list[str]:
    """The steps of these kinds that a run ran, sorted."""
    return [step for step in ran.steps if re.split(":", step)[0] in bases] if bases else ran.steps


def environ(**more: str) -> dict[str, str]:
    """This process's environment with some more."""
    return {**os.environ, **more}
