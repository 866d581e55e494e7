"""What the carried program of a rehearsal finds around it: its environment, and the programs on its PATH."""

import os
import platform
import shutil
from pathlib import Path

from bundle.metadata.manifest import BundleManifest
from bundle.oci.platform import chosen
from bundle.storage.files import make_directories
from tasks.rehearsal.result import Scene
from tasks.rehearsal.site import RehearsalSite

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(scene: Scene, site: RehearsalSite, kubeconfig: Path | None) -> dict[str, str]:
    """A home of its own, the site's variables, and a cluster only where there is one."""
    home = scene.place / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    path = os.pathsep.join([str(tools(scene)), os.environ.get("PATH", PATH)])
    own = {"HOME": str(home), "DOCKER_CONFIG": str(home), "TMPDIR": str(home), "PATH": path}
    return {**site.env, **own, "KUBECONFIG": str(kubeconfig or home / "no-kubeconfig")}


def tools(scene: Scene) -> Path:
    """A directory with helm and kubectl, from where the throwaway cluster's programs are, unless they are on PATH."""
    place = scene.place / "bin"
    make_directories(place)
    for name, builds in (("helm", ("helm", "helm4", "helm3")), ("kubectl", ("kubectl",))):
        found = [scene.assets / each for each in builds if scene.assets]
        real = next((each for each in found if os.access(each, os.X_OK)), None)
        if real and not shutil.which(name) and not (place / name).is_symlink():
            (place / name).symlink_to(real)
    return place


def architecture(manifest: BundleManifest) -> str:
    """That of the bundle's images; of this machine where they are for all."""
    found = next((each for entry in manifest.images for each in chosen(entry.platform)), None)
    return found.architecture if found else {"aarch64": "arm64"}.get(platform.machine(), "amd64")
