"""`describe`: the report on a bundle that travels in it, with what is known before it is finished."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from bundle.metadata.names import REPORT, REPORT_DATA
from bundle.storage.files import write_bytes
from tasks.assemble.directory import known_digests
from tasks.assemble.manifest import identity, stated
from tasks.runtime.project import Project
from tasks.runtime.step import Step

if TYPE_CHECKING:
    from bundle.report.snapshot import Snapshot


def describe_steps(project: Project) -> Iterator[Step]:
    """`describe`: report.html and report.json are in the growing bundle."""
    if not project.spec.bundle.report:
        return
    yield Step(
        base="describe",
        doc=f"write {REPORT} and {REPORT_DATA}, for the approver of the bundle",
        action=partial(_describe, project),
        inputs=lambda: identity(project, stated=stated(project)),
        outputs=lambda: (project.tree / REPORT, project.tree / REPORT_DATA),
        follows=("manifest", "carry", "zipapp", "sbom"),
    )


def _describe(project: Project) -> None:
    from bundle.archive.reader import open_growing
    from bundle.report.page import report_page  # a run with nothing to do draws nothing
    from tasks.assemble.reporting import compose, unfinished

    project.claim()
    bundle = open_growing(project.tree, known_digests(project))
    report = compose(bundle, results=unfinished(bundle.manifest), since=_base(project))
    write_bytes(project.tree / REPORT, report_page(report).encode())
    write_bytes(project.tree / REPORT_DATA, report.encode())
    project.note("describe", f"{REPORT}, {REPORT_DATA}")


def _base(project: Project) -> "Snapshot | None":
    """What a delta was made against; a full bundle is compared with none, to be the same wherever it is made."""
    from bundle.archive.parts import names_archive
    from bundle.report.snapshot import Snapshot
    from tasks.runtime.project import carried_manifest

    if not project.base or not project.since:
        return None
    since = project.since
    raw = carried_manifest(since) if names_archive(since) else since.read_bytes()
    return Snapshot.decode(raw, str(project.base.named))
