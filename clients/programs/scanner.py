"""Known vulnerabilities in an SBOM, by grype or trivy, whichever is there; what they download they have already."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bundle.errors import MissingToolError, ProgramError
from bundle.formats import strict_json
from clients.programs.process import Runner, find_program, run

SEVERITIES = ("critical", "high", "medium", "low", "negligible", "unknown")  # the worst first
_TIMEOUT = 1800.0  # seconds for one SBOM
_ENV = {  # neither looks for newer databases, or for a newer self: that is the operator's, before the scan
    "GRYPE_CHECK_FOR_APP_UPDATE": "false",
    "GRYPE_DB_AUTO_UPDATE": "false",
    "GRYPE_DB_VALIDATE_AGE": "false",
    "TRIVY_SKIP_VERSION_CHECK": "true",
}
_ARGUMENTS = {
    "grype": ("{}", "--output", "json", "--quiet"),
    "trivy": (
        "sbom",
        "--format",
        "json",
        "--quiet",
        "--offline-scan",
        "--skip-db-update",
        "--skip-java-db-update",
        "{}",
    ),
}
_DATABASE = {"grype": "grype db update, or grype db import FILE", "trivy": "trivy image --download-db-only"}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Vulnerability:
    """One known vulnerability of a package: `fixed` are the versions that don't have it, empty where there are none."""

    id: str
    package: str
    version: str
    severity: str
    fixed: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain JSON data."""
        return asdict(self)


class Scanner:
    """A scanner of this machine or of the bundle's tools; a MissingToolError where there is none."""

    def __init__(self, *, directories: tuple[Path, ...], env: Mapping[str, str], runner: Runner = run) -> None:
        """`directories` are looked in before the PATH of `env`, in which it runs."""
        self.name, self._program = _found(directories, env)
        self._env, self._runner = {**os.environ, **env, **_ENV}, runner

    def scan(self, sbom: Path, *, subject: str) -> frozenset[Vulnerability]:
        """What is known of the packages of a CycloneDX document; a ProgramError when it can't be told."""
        given = f"sbom:{sbom}" if self.name == "grype" else str(sbom)
        argv = [str(self._program), *(word.format(given) for word in _ARGUMENTS[self.name])]
        done = self._runner(argv, subject=subject, timeout=_TIMEOUT, env=self._env)
        if done.code != 0:
            words = " ".join(done.stderr.split()[-60:])
            hint = f"have its database there: {_DATABASE[self.name]}"
            raise ProgramError(f"{subject}: {self.name} failed with exit code {done.code}: {words}", hint=hint)
        try:
            read = _of_grype if self.name == "grype" else _of_trivy
            return frozenset(read(strict_json.loads(done.stdout)))
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            hint = "grype 0.60 or trivy 0.50, or later, is expected"
            raise ProgramError(f"{subject}: what {self.name} wrote can't be read: {err}", hint=hint) from err


def _found(directories: tuple[Path, ...], env: Mapping[str, str]) -> tuple[str, Path]:
    for name in _ARGUMENTS:
        try:
            return name, find_program(name, directories=directories, path=env.get("PATH"))
        except MissingToolError:
            continue
    raise MissingToolError(
        "nothing was scanned: neither grype nor trivy is installed",
        hint="install one with its database, or carry it in the bundle: files: [{name: grype, tool: true, ...}]",
    )


def _of_grype(data: Any) -> Iterator[Vulnerability]:
    for match in data["matches"]:
        found, artifact = match["vulnerability"], match["artifact"]
        fixed = (found.get("fix") or {}).get("versions") or ()
        yield _vulnerability(
            found["id"], artifact["name"], artifact["version"], found.get("severity"), ", ".join(fixed)
        )


def _of_trivy(data: Any) -> Iterator[Vulnerability]:
    for result in data.get("Results") or ():
        for found in result.get("Vulnerabilities") or ():
            yield _vulnerability(
                found["VulnerabilityID"],
                found["PkgName"],
                found["InstalledVersion"],
                found.get("Severity"),
                found.get("FixedVersion") or "",
            )


def _vulnerability(name: str, package: str, version: str, severity: str | None, fixed: str) -> Vulnerability:
    level = (severity or "").lower()
    level = level if level in SEVERITIES else "unknown"
    return Vulnerability(id=name, package=package, version=version, severity=level, fixed=fixed)
