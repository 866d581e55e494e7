"""The tables that say where each row of the vendor's guide is done: what they name exists, and so say other pages."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from schema.loading.load import load
from tasks.runtime.variables import VARIABLES
from tests.fixtures.calls import KNOWN, TASKS, wrong
from tests.fixtures.pages import PAGES
from tests.fixtures.places import ROOT

EXAMPLE = ROOT / "examples" / "zenml-pro"
SPEC = yaml.safe_load((ROOT / "airgap.yaml").read_text())
STATES = ("does it: ", "does it, ", "people: ", "people, ")
ROWS = 58  # of the vendor's guide, which were missing or wrong once
RESERVED = {"overrides", "registry", "registries"}
SETTINGS = {part for name in SPEC["site"] for part in (name, name.rpartition(".")[2])} | RESERVED
FILES = {file["name"] for file in SPEC["files"]} | {"manifest.txt", "site.example.yaml"}
ALERTS = set(re.findall(r"alert: (\w+)", (EXAMPLE / "charts/monitoring/templates/rules.yaml").read_text()))
CHARTS = {path.name for path in (EXAMPLE / "charts").iterdir()}


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the one table below the heading, cell by cell."""
    text = (PAGES / page).read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


GUIDE = table("guide.md", "# The vendor's guide, row by row")
STEPS = table("README.md", "## Each step of the guide, and what does it")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The tasks of the flagship, at a site with one more workspace, `NAME`."""
    place = tmp_path_factory.mktemp("site")
    facts = yaml.safe_load((EXAMPLE / "site.example.yaml").read_text())
    database = {"host": "db.corp.example", "name": "one", "user": "one"}
    facts |= {"monitoring": True, "backups": True}
    facts["workspaces"] = [{"name": "name", "host": "zenml-name.corp.example", "database": database}]
    (place / "site.yaml").write_text(json.dumps(facts))
    argv = [sys.executable, "-m", "doit", "list", "--all", f"site={place / 'site.yaml'}", f"state={place / 'state'}"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return frozenset(line.split()[0].replace("-name", "-NAME") for line in listed.splitlines() if line.strip())


def is_known(named: str, page: str, tasks: frozenset[str]) -> bool:
    """Whether what stands between backticks exists; `page` is all that the row's links lead to."""
    word, *rest = named.split()
    if word in ("doit", "airgap.pyz"):
        return wrong(word, rest) == []
    if re.fullmatch(r"[a-z_]+=\S+", named):
        return named.partition("=")[0] in VARIABLES
    if re.fullmatch(r"[a-z]+:\S+", named):
        return any(fnmatchcase(task, named) for task in tasks)
    if named in TASKS or named in KNOWN["airgap.pyz"] or named in ALERTS or named in CHARTS:
        return True
    if re.fullmatch(r"(\.\.\.)?[A-Z_]+", named):
        return named in page
    if re.fullmatch(r"/\S+", named):
        return named in (ROOT / "airgap.yaml").read_text()
    return named.partition(":")[0] in SETTINGS or named in FILES or (EXAMPLE / named).is_file()


def unknown(cells: list[str], tasks: frozenset[str]) -> list[str]:
    """What of a row does not exist."""
    state = cells[-1]
    links = re.findall(r"\]\(([^)#:]+)", state)
    page = "".join((PAGES / link).read_text(encoding="utf-8") for link in links if link.endswith(".md"))
    named = [name for name in re.findall(r"`([^`]+)`", state) if name != "zenml login"]
    return [name for name in named if not is_known(name, page, tasks)]


def test_each_row_of_the_guide_has_its_state() -> None:
    assert len(GUIDE) == ROWS
    assert [row for row in GUIDE if len(row) != 3 or not row[2].startswith(STATES)] == []
    assert len({(section, what) for section, what, _ in GUIDE}) == ROWS


def test_no_row_is_left_to_overrides() -> None:
    """Each that a site decides has a setting with a type of its own."""
    assert [row for row in GUIDE if "overrides" in row[2]] == []


def test_each_row_leads_to_a_page() -> None:
    """Where whoever reads it goes on; that the page and its anchor exist, tests/test_docs.py holds."""
    assert [row for row in GUIDE if not re.search(r"\]\((\.\./)?[a-zA-Z]+\.md", row[2])] == []


@pytest.mark.parametrize("row", [*GUIDE, *STEPS], ids=lambda row: f"{row[0]}: {row[1]}")
def test_what_a_row_names_exists(row: list[str], graph: frozenset[str]) -> None:
    assert unknown(row, graph) == []


def test_each_row_of_the_readme_names_something() -> None:
    assert len(STEPS) >= 26
    assert [row for row in STEPS if len(row) != 3 or not re.search(r"`|\]\(", row[2])] == []


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        pytest.param("`helm:zenml-NAME`, `push:*`, `health:zenml`, `pin`", [], id="tasks"),
        pytest.param("`helm:zenml-pr`", ["helm:zenml-pr"], id="no task"),
        pytest.param("`rewind`", ["rewind"], id="neither task nor command"),
        pytest.param("`doit outdated`, `airgap.pyz backup key=FILE`", [], id="commands"),
        pytest.param("`airgap.pyz lock`, `doit backup kee=1`", ["airgap.pyz lock", "doit backup kee=1"], id="no"),
        pytest.param("`overrides: {zenml: {...}}`, `replicas`", [], id="settings"),
        pytest.param("`replica`", ["replica"], id="no setting"),
        pytest.param("`ZenmlCpu`, `ZenmlCpus`", ["ZenmlCpus"], id="alerts"),
        pytest.param("`keep_days=30`, `keep_hours=30`", ["keep_hours=30"], id="variables"),
        pytest.param("`users.py`, `logs/fluent-bit.yaml`, `logs/none.yaml`", ["logs/none.yaml"], id="files"),
        pytest.param("`..._X`, `..._RUNNER_IMAGE`: [i](install.md#aws-and-gcp)", ["..._X"], id="on the page"),
    ],
)
def test_what_does_not_exist_is_found(state: str, missing: list[str], graph: frozenset[str]) -> None:
    assert unknown(["guide", "what", state], graph) == missing


def blocks(page: str, key: str) -> list[dict[str, object]]:
    """The YAML blocks of a page that have this key."""
    found = re.findall(r"```yaml\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.S)
    return [block for text in found if key in (block := yaml.safe_load(text))]


def test_the_hosts_of_the_connected_side_are_those_that_the_spec_asks() -> None:
    page = (PAGES / "network.md").read_text(encoding="utf-8").partition("## Connected side")[2]
    asked = [*SPEC["vars"]["pro_images"]["choose"].values(), *SPEC["vars"]["server_images"]["choose"].values()]
    asked += [image["source"] for image in SPEC["images"] if not image.get("source", "$").startswith("$")]
    asked += [chart["source"].removeprefix("oci://") for chart in SPEC["charts"] if "://" in chart["source"]]
    hosts = {each.partition("/")[0] for each in asked}
    assert len(hosts) == 5
    assert {host for host in hosts if f"| `{host}`" not in page} == set()


def test_the_network_page_has_the_ports_of_the_site_file() -> None:
    page = (PAGES / "network.md").read_text(encoding="utf-8")
    assert f"TCP {SPEC['site']['workspace.database.port']['default']} (MySQL)" in page
    assert {"| TCP 443 |", "| TCP 6443 |", "5432 (PostgreSQL)"} <= set(re.findall(r"\| TCP \d+ \||5432 \(\w+\)", page))


def test_the_mirror_of_the_page_is_what_the_spec_takes(tmp_path: Path) -> None:
    (block,) = blocks("vendor.md", "registries")
    (tmp_path / "airgap.yaml").write_text(yaml.safe_dump({**SPEC, **block}))
    for name in ("examples", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    hosts = load(tmp_path / "airgap.yaml", env={}).hosts
    assert {name: str(host.mirror) for name, host in hosts.items()} == {
        "docker.io": "mirror.mycompany.com/dockerhub",
        "public.ecr.aws": "mirror.mycompany.com/ecr-public",
    }
