"""SBOMs by syft, where it is installed: it knows more kinds of packages than we do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.errors import ProgramError
from bundle.formats import strict_json
from clients.programs.process import Runner, run

_TIMEOUT = 3600.0  # seconds


def scan(program: Path, layout: Path, *, subject: str, runner: Runner = run) -> Mapping[str, Any]:
    """What syft finds in the one image of an OCI layout, as a CycloneDX document; ProgramError when it fails."""
    argv = [str(program), "scan", f"oci-dir:{layout}", "--output", "cyclonedx-json", "--quiet"]
    env = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = runner(argv, subject=subject, timeout=_TIMEOUT, env=env)
    if done.code != 0:
        words = " ".join(done.stderr.split()[-60:])
        raise ProgramError(f"{subject}: syft failed with exit code {done.code}: {words}")
    try:
        data = strict_json.loads(done.stdout)
    except ValueError as err:
        raise ProgramError(f"{subject}: syft wrote no JSON: {err}") from err
    if not isinstance(data, dict) or data.get("bomFormat") != "CycloneDX":
        raise ProgramError(f"{subject}: syft wrote no CycloneDX document", hint="syft 1.0 or later is expected")
    return data
