"""`sign`: SHA256SUMS.sig, by which the far side tells who made the bundle; the key stays where it is."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from bundle.errors import FormatError, ProgramError
from bundle.metadata.checksums import SIGNATURE, SUMS
from bundle.oci.digest import Digest
from bundle.storage.files import write_bytes
from tasks.runtime.project import Project
from tasks.runtime.state import signature
from tasks.runtime.step import Inputs, Step


def sign_steps(project: Project) -> Iterator[Step]:
    """`sign`: again only when SHA256SUMS or the key has changed."""
    if not project.spec.bundle.sign:
        return
    yield Step(
        base="sign",
        doc=f"sign {SUMS} by ssh-keygen",
        action=partial(_sign, project),
        inputs=partial(_inputs, project),
        outputs=lambda: (project.tree / SIGNATURE,),
        follows=("checksum",),
    )


def _inputs(project: Project) -> Inputs | None:
    sums, key = project.tree / SUMS, _key(project)
    if not sums.is_file():
        return None
    stamp = signature(key.stat()) if key.is_file() else None
    return {"sums": str(Digest.of(sums.read_bytes())), "key": str(key), "key file": stamp, "tree": str(project.tree)}


def _key(project: Project) -> Path:
    assert project.spec.bundle.sign  # noqa: S101 - there is no step without it
    return project.spec.bundle.sign.key


def _sign(project: Project) -> None:
    from bundle.signing.ssh_signature import NAMESPACE, SshSignature
    from clients.programs.ssh_keygen import SshKeygen  # a no-op run starts no program

    project.claim()
    interactive = sys.stdin is not None and sys.stdin.isatty()
    with project.console.asking() if interactive else nullcontext():  # what ssh-keygen asks for must be seen
        made = SshKeygen(project.env).sign(
            project.tree / SUMS, _key(project), place=project.work, interactive=interactive, say=project.console.line
        )
    try:
        signed = SshSignature.parse(made)
    except FormatError as err:
        raise ProgramError(f"what ssh-keygen made is no SSH signature: {err.what}") from err
    write_bytes(project.tree / SIGNATURE, made)
    project.note("sign", f"{SIGNATURE} by {signed.key}, for {NAMESPACE}")
