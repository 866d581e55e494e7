"""What must hold between the facts of a ZenML Pro site, looked at before the first change; changes nothing.

Each line on standard error is one finding, with the next step after ` next: `. Exit code 1 when there is any. Needs
only Python's standard library, and helm to see what is installed.

A release that is there in another version than this bundle brings has its database migrated by the upgrade, which
nothing takes back: BACKUP_TAKEN must name what runs now, for example BACKUP_TAKEN=zenml-pro-0.12.9,zenml-0.92.0.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

OLDEST_FOR_SNAPSHOTS = (0, 90, 0)


def hosts(control_plane: str, workspace: str) -> Iterator[str]:
    """Both are hosts of their own: each serves the root of its address."""
    for what, url in (("control_plane", control_plane), ("workspace", workspace)):
        parts = urlsplit(url)
        if parts.netloc != parts.hostname or parts.path not in ("", "/"):
            yield f"{what}.host is {url.removeprefix('https://')!r} next: write the name alone, without port and path"
    if control_plane == workspace:
        yield "control plane and workspace have one host next: give each its own; both serve the root of their address"


def databases(control_plane: str, workspace: str) -> Iterator[str]:
    """The kinds are what ZenML takes, and the two are not one."""
    one, other = urlsplit(control_plane), urlsplit(workspace)
    if one.scheme not in ("mysql", "postgres"):
        yield f"control_plane.database.type is {one.scheme!r} next: write mysql or postgres"
    for what, url in (("control_plane", one), ("workspace", other)):
        if not re.fullmatch(r"/[A-Za-z0-9_$-]{1,64}", url.path):
            name = url.path.removeprefix("/")
            yield f"{what}.database.name is {name!r} next: write 1 to 64 letters, digits, '_' and '-'"
    if (one.scheme, one.netloc, one.path) == (other.scheme, other.netloc, other.path):
        yield (
            f"control plane and workspace have one database, {one.path.removeprefix('/')!r} "
            "next: give each its own: their tables collide"
        )


def snapshots(workload_manager: str, server_version: str) -> Iterator[str]:
    """The workload manager needs a server that knows it."""
    if workload_manager not in ("true", "false"):
        yield f"workload_manager is {workload_manager!r} next: write true or false"
    elif workload_manager == "true" and numbers(server_version) < OLDEST_FOR_SNAPSHOTS:
        yield (
            f"the workload manager needs a server of 0.90.0 or later, this bundle brings {server_version} "
            "next: write workload_manager: false, or make a bundle with a later server"
        )


def backups(brought: Sequence[str], taken: str) -> Iterator[str]:
    """No release comes to another version before its database was backed up; `brought` are NAMESPACE/NAME=VERSION."""
    confirmed = {each.strip() for each in taken.split(",")}
    for each in brought:
        place, _, version = each.partition("=")
        namespace, _, name = place.partition("/")
        chart = installed(namespace, name)
        if chart and not chart.endswith(f"-{version}") and chart not in confirmed:
            yield (
                f"{chart} runs in {namespace}, and this bundle brings {version}: that migrates its database for good "
                f"next: back it up (files/backup.md), then: export BACKUP_TAKEN={chart} (several with commas)"
            )


def installed(namespace: str, name: str) -> str:
    """The chart and version of a release, such as zenml-0.93.0; empty when there is none."""
    argv = ["helm", "list", "--namespace", namespace, "--filter", f"^{name}$", "--output", "json"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""  # no cluster, no helm: the checks of the cluster tell that
    return next((str(each["chart"]) for each in json.loads(done.stdout or "[]")), "")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def findings(asked: argparse.Namespace, env: Mapping[str, str]) -> Iterator[str]:
    """All that does not hold."""
    yield from hosts(asked.control_plane, asked.workspace)
    yield from databases(asked.control_plane_database, asked.workspace_database)
    server = next((each.rpartition("=")[2] for each in asked.release if "/zenml=" in each), "")
    yield from snapshots(asked.workload_manager, server)
    yield from backups(asked.release, env.get("BACKUP_TAKEN", ""))


def main() -> int:
    """Exit code 0 when all holds, 1 with a line for each thing that does not."""
    parser = argparse.ArgumentParser(description="Check the facts of a ZenML Pro site.")
    for name in ("control-plane", "workspace", "control-plane-database", "workspace-database"):
        parser.add_argument(f"--{name}", required=True, metavar="URL")
    parser.add_argument("--workload-manager", required=True, metavar="true|false")
    parser.add_argument("--release", action="append", default=[], metavar="NAMESPACE/NAME=VERSION")
    found = list(findings(parser.parse_args(), os.environ))
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
