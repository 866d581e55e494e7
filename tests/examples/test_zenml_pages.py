"""The commands of the flagship's pages: all of them are shell, and those that can be run here do what is said."""

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fixtures.pages import PAGES, block, commands
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.places import ROOT
from tests.fixtures.servers.control_plane import ControlPlane, serving

PASSWORD = "pass word/of&superuser"


TABLES = {"README.md", "guide.md", "network.md"}  # pages without commands
SPEC = yaml.safe_load((ROOT / "airgap.yaml").read_text())


def test_no_page_in_the_bundle_leads_out_of_it() -> None:
    carried = {each["name"]: ROOT / each["source"] for each in SPEC["files"] if each["name"].endswith(".md")}
    links = {
        f"{name}: {link}"
        for name, path in carried.items()
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
        if link not in carried
    }
    assert links == set()


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with serving(ControlPlane(users={"operator": PASSWORD}, organizations={"id-1": "acme"})) as running:
        yield running


@pytest.mark.parametrize("page", sorted({path.name for path in PAGES.glob("*.md")} - TABLES))
def test_commands_are_shell(page: str) -> None:
    found = commands(page)
    assert found
    for each in found:
        done = subprocess.run(["bash", "-n"], input=each, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), each


def test_accounts_and_organizations_by_the_api(plane: ControlPlane, tmp_path: Path) -> None:
    """kubectl is stood in for: it tells the superuser's password as a cluster does."""
    try:
        program("curl")
    except PartError as err:
        pytest.skip(str(err))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho {base64.b64encode(PASSWORD.encode()).decode()}\n")
    kubectl.chmod(0o755)
    script = "\n".join(
        [
            "set -eo pipefail",
            block("users.md", "TOKEN=$("),
            block("users.md", "username=ada"),
            block("users.md", "research"),
        ]
    )
    address = "https://zenml-pro.internal.mycompany.com"
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-c", script.replace(address, plane.url)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert plane.users["ada"] == "first-password"
    assert set(plane.organizations.values()) == {"acme", "research"}
    assert '"acme"' in done.stdout


def test_an_older_version_is_installed_only_on_purpose() -> None:
    assert block("rollback.md", " install site=site.yaml").strip().endswith(" downgrade=allow")


def test_the_values_that_differ_from_the_guides_are_listed() -> None:
    """What the vendor's guide writes into values, and this does not; whoever changes one changes the page."""
    page = (PAGES / "README.md").read_text().partition("## Where this differs from the guide")[2]
    resources, threads = (SPEC["site"][f"workspace.{name}"]["default"] for name in ("resources", "threads"))
    assert f"| gives a workspace `threadPoolSize: 20` | {threads}: " in page
    assert f"| limits memory to 800Mi | {resources['limits']['memory']}: " in page
    entry = SPEC["site"]["workspaces"]["items"]
    assert (entry["resources"]["default"], entry["threads"]["default"]) == (resources, threads), "as the first one"
