"""What must hold between the facts of a ZenML Pro site, looked at before the first change; changes nothing.

Each line on standard error is one finding, with the next step after ` next: `. Exit code 1 when there is any. Needs
only Python's standard library.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

OLDEST_FOR_SNAPSHOTS = (0, 90, 0)


def hosts(control_plane: str, workspace: str, called: str) -> Iterator[str]:
    """Both are hosts of their own: each serves the root of its address."""
    for what, url in (("control_plane", control_plane), (called, workspace)):
        parts = urlsplit(url)
        if parts.netloc != parts.hostname or parts.path not in ("", "/"):
            yield f"{what}.host is {url.removeprefix('https://')!r} next: write the name alone, without port and path"
    if control_plane == workspace:
        yield "control plane and workspace have one host next: give each its own; both serve the root of their address"


def databases(control_plane: str, workspace: str, called: str) -> Iterator[str]:
    """The kinds are what ZenML takes, and the two are not one."""
    one, other = urlsplit(control_plane), urlsplit(workspace)
    if one.scheme not in ("mysql", "postgres"):
        yield f"control_plane.database.type is {one.scheme!r} next: write mysql or postgres"
    for what, url in (("control_plane", one), (called, other)):
        if not re.fullmatch(r"/[A-Za-z0-9_$-]{1,64}", url.path):
            name = url.path.removeprefix("/")
            yield f"{what}.database.name is {name!r} next: write 1 to 64 letters, digits, '_' and '-'"
    if (one.scheme, one.netloc, one.path) == (other.scheme, other.netloc, other.path):
        yield (
            f"control plane and workspace have one database, {one.path.removeprefix('/')!r} "
            "next: give each its own: their tables collide"
        )


def apart(name: str, suffix: str, workspace: str, database: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    """No other workspace has this one's name, host or database; each pair is looked at once."""
    names = [each.get("name") for each in entries]
    if not suffix and name in names:
        yield f"workspace.name {name!r} is in `workspaces` too next: give each workspace its own name"
    for each in entries[: names.index(name)] if suffix and name in names else entries:
        both = f"workspaces {name!r} and {each.get('name')!r}"
        if each.get("host") == urlsplit(workspace).hostname:
            yield f"{both} have one host next: give each its own; both serve the root of their address"
        there = each.get("database") or {}
        if f"mysql://{there.get('host')}:{there.get('port')}/{there.get('name')}" == database:
            yield f"{both} have one database, {there.get('name')!r} next: give each its own: their tables collide"


def snapshots(workload_manager: str, server_version: str) -> Iterator[str]:
    """The workload manager needs a server that knows it."""
    if workload_manager not in ("true", "false"):
        yield f"workload_manager is {workload_manager!r} next: write true or false"
    elif workload_manager == "true" and numbers(server_version) < OLDEST_FOR_SNAPSHOTS:
        yield (
            f"the workload manager needs a server of 0.90.0 or later, this bundle brings {server_version} "
            "next: write workload_manager: false, or make a bundle with a later server"
        )


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def findings(asked: argparse.Namespace) -> Iterator[str]:
    """All that does not hold."""
    called = f"workspaces ({asked.name})" if asked.suffix else "workspace"
    yield from hosts(asked.control_plane, asked.workspace, called)
    yield from databases(asked.control_plane_database, asked.workspace_database, called)
    yield from apart(asked.name, asked.suffix, asked.workspace, asked.workspace_database, asked.workspaces)
    yield from snapshots(asked.workload_manager, asked.server_version)


def main() -> int:
    """Exit code 0 when all holds, 1 with a line for each thing that does not."""
    parser = argparse.ArgumentParser(description="Check the facts of a ZenML Pro site.")
    for name in ("control-plane", "workspace", "control-plane-database", "workspace-database"):
        parser.add_argument(f"--{name}", required=True, metavar="URL")
    parser.add_argument("--name", default="main", help="the workspace's")
    parser.add_argument("--suffix", default="", help="of one in the list of more workspaces")
    parser.add_argument("--workspaces", default=[], type=json.loads, metavar="JSON", help="that list")
    parser.add_argument("--workload-manager", required=True, metavar="true|false")
    parser.add_argument("--server-version", required=True, metavar="VERSION")
    found = list(findings(parser.parse_args()))
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
