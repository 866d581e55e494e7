"""`verify`: a bundle is whole and undamaged, be it a directory, an archive or parts; nothing is unpacked or written."""

from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from bundle.errors import AirgapError
from bundle.sizes import human
from bundle.verify import verify
from tasks.assemble import archive_parts
from tasks.project import Project


def verify_task(project: Project) -> dict[str, Any]:
    """The task; it never is up to date, because its whole point is to look."""
    return {
        "basename": "verify",
        "actions": [lambda: _verify(project)],
        "doc": "check a bundle (bundle=PATH: a directory, an archive or its first part)",
        "verbosity": 0,
        "io": {"capture": False},
    }


def _verify(project: Project) -> TaskFailed | None:
    good, failures = [], []
    for path in _bundles(project):
        try:
            report = verify(path, meter=project.console)
            report.raise_if_bad()
        except AirgapError as err:
            failures.append(str(err))
        else:
            notes = "".join(f"; {note}" for note in report.notes)
            good.append(f"{path}: {report.files} files, {human(report.size)}, all as their checksums say{notes}")
    project.note("verify", "; ".join(good))
    return TaskFailed("\n".join(failures)) if failures else None


def _bundles(project: Project) -> tuple[Path, ...]:
    if project.options.bundle:
        return (project.options.bundle,)
    return (project.directory, *archive_parts(project)[:1])
