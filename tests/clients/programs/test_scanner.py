"""What grype and trivy write, and what is said where neither is there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import MissingToolError, ProgramError
from clients.programs.process import Completed
from clients.programs.scanner import Scanner, Vulnerability

GRYPE = {
    "matches": [
        {
            "vulnerability": {
                "id": "CVE-1",
                "severity": "High",
                "fix": {"versions": ["1.1", "1.0.5"]},
            },
            "artifact": {"name": "openssl", "version": "1.0"},
        },
        {"vulnerability": {"id": "CVE-2", "severity": "Odd"}, "artifact": {"name": "zlib", "version": "1"}},
    ]
}
TRIVY = {
    "Results": [
        {"Target": "x"},
        {
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-1",
                    "PkgName": "openssl",
                    "InstalledVersion": "1.0",
                    "FixedVersion": "1.1, 1.0.5",
                    "Severity": "HIGH",
                },
                {"VulnerabilityID": "CVE-2", "PkgName": "zlib", "InstalledVersion": "1"},
            ]
        },
    ]
}
FOUND = {
    Vulnerability(id="CVE-1", package="openssl", version="1.0", severity="high", fixed="1.1, 1.0.5"),
    Vulnerability(id="CVE-2", package="zlib", version="1", severity="unknown"),
}


def scanner(place: Path, name: str, answer: str, code: int = 0) -> tuple[Scanner, list[Any]]:
    """A scanner that answers so, and what it was started with."""
    (place / name).write_text("#!/bin/sh\n")
    (place / name).chmod(0o755)
    started: list[Any] = []

    def run(argv: Sequence[str], **more: Any) -> Completed:
        started.append((argv, more["env"]))
        return Completed(code=code, stdout=answer.encode(), stderr="no database\n")

    return Scanner(directories=(place,), env={"PATH": "/nowhere"}, runner=run), started  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "answer"), [("grype", GRYPE), ("trivy", TRIVY)])
def test_what_is_found(tmp_path: Path, name: str, answer: object) -> None:
    found, started = scanner(tmp_path, name, json.dumps(answer))
    assert found.name == name
    assert found.scan(tmp_path / "sbom.json", subject="image 'x'") == FOUND
    ((argv, env),) = started
    assert argv[0] == str(tmp_path / name)
    assert any(str(tmp_path / "sbom.json") in word for word in argv)
    assert env["GRYPE_DB_AUTO_UPDATE"] == "false"
    assert name == "grype" or "--skip-db-update" in argv, "nothing is downloaded"


def test_one_that_fails_and_one_that_can_not_be_read(tmp_path: Path) -> None:
    failing, _ = scanner(tmp_path, "trivy", "", code=1)
    with pytest.raises(ProgramError, match="image 'x': trivy failed with exit code 1: no database") as caught:
        failing.scan(tmp_path / "x", subject="image 'x'")
    assert "trivy image --download-db-only" in caught.value.hint
    for answer in ("", "[]", '{"matches": [{}]}', '{"matches": 5}'):
        broken, _ = scanner(tmp_path, "grype", answer)
        with pytest.raises(ProgramError, match="what grype wrote can't be read"):
            broken.scan(tmp_path / "x", subject="image 'x'")


def test_without_both_nothing_is_scanned(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="nothing was scanned: neither grype nor trivy is installed"):
        Scanner(directories=(tmp_path,), env={"PATH": str(tmp_path)})
