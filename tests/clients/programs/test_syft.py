"""syft: how it is asked, and what it may answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProgramError
from clients.programs.process import Completed
from clients.programs.syft import scan

GOOD = b'{"bomFormat": "CycloneDX", "components": []}'


def asked(
    stdout: bytes = GOOD, code: int = 0, stderr: str = ""
) -> tuple[Mapping[str, Any], list[str], Mapping[str, str]]:
    seen: list[Any] = []

    def runner(argv: Sequence[str], **more: Any) -> Completed:
        seen.extend([list(argv), more["env"]])
        return Completed(code=code, stdout=stdout, stderr=stderr)

    found = scan(Path("/usr/bin/syft"), Path("/tmp/layout"), subject="sbom:app", runner=runner)
    return found, seen[0], seen[1]


def test_it_reads_a_layout_and_asks_nobody() -> None:
    found, argv, env = asked()
    assert found == {"bomFormat": "CycloneDX", "components": []}
    assert argv == ["/usr/bin/syft", "scan", "oci-dir:/tmp/layout", "--output", "cyclonedx-json", "--quiet"]
    assert env["SYFT_CHECK_FOR_APP_UPDATE"] == "false"


@pytest.mark.parametrize(
    ("stdout", "code", "told"),
    [
        (GOOD, 1, "syft failed with exit code 1: no such layout"),
        (b"", 0, "syft wrote no JSON"),
        (b"{", 0, "syft wrote no JSON"),
        (b"[]", 0, "syft wrote no CycloneDX document"),
        (b'{"bomFormat": "SPDX"}', 0, "syft wrote no CycloneDX document"),
    ],
)
def test_what_is_no_answer(stdout: bytes, code: int, told: str) -> None:
    with pytest.raises(ProgramError, match=f"^sbom:app: {told}"):
        asked(stdout, code, "no such\n  layout")
