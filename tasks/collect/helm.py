"""The helm of the connected side, which renders charts and asks no cluster."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import MissingToolError
from tasks.runtime.project import Project

if TYPE_CHECKING:
    from clients.cluster.helm import Helm

INSTALL_HINT = (
    "install helm (3.8 or later), or have the bundle carry it: files: [{name: helm, source: ..., tool: true}]"
)


def find_helm(project: Project) -> Path | None:
    """The helm of this machine, else the one in the growing bundle; None when there is neither."""
    found = shutil.which("helm", path=project.env.get("PATH"))
    carried = project.tree / "files" / "helm"
    if not found and is_carried(project) and carried.is_file():
        return carried
    return Path(found) if found else None


def is_carried(project: Project) -> bool:
    """Whether the bundle brings a helm."""
    return any(file.tool and file.name == "helm" for file in project.spec.files)


def open_helm(project: Project) -> "Helm":
    """A helm that runs here; a ProgramError when there is none, or when it is of another platform or too old."""
    from clients.cluster.helm import Helm  # a no-op run starts no programs

    program = find_helm(project)
    if not program:
        raise MissingToolError("helm is not on PATH, and the bundle carries none", hint=INSTALL_HINT)
    helm = Helm(program)
    helm.version()
    return helm
