"""`doit graph`: what waits for what, drawn in two languages; README shows what the command prints."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.commands.graph import Graph, draw
from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.places import ROOT

HELLO = ("spec=examples/hello/airgap.yaml", "bundle")


def task(name: str, *after: str) -> SimpleNamespace:
    """A step; `kind:` is the group of `kind:*`, and a name in capitals a group of what it comes after."""
    kind, colon, rest = name.partition(":")
    return SimpleNamespace(
        name=kind if not rest else name,
        subtask_of=kind if rest else None,
        actions=() if name.isupper() or (colon and not rest) else ("act",),
        task_dep=list(after),
    )


def graph(*tasks: SimpleNamespace, few: int = 3, selected: Sequence[str] = ("ALL",)) -> Graph:
    """Draw these tasks."""
    return draw({each.name: each for each in tasks}, selected, few=few)


@pytest.mark.parametrize(
    ("tasks", "edges"),
    [
        pytest.param([task("a"), task("ALL", "a")], ["a ALL"], id="one"),
        pytest.param(
            [task("a"), task("b", "a"), task("c", "b", "a"), task("ALL", "c", "a")],
            ["a b", "b c", "c ALL"],
            id="what follows from others is not drawn",
        ),
        pytest.param([task("a"), task("b"), task("ALL", "a")], ["a ALL"], id="what is not needed is not drawn"),
        pytest.param([task("k:"), task("a"), task("ALL", "k", "a")], ["a ALL"], id="an empty group"),
        pytest.param([task("k:", "k:x"), task("k:x"), task("ALL", "k")], ["k:x ALL"], id="a group of one is that one"),
        pytest.param(
            [task("k:", "k:x", "k:y"), task("k:x"), task("k:y"), task("ALL", "k")], ["k ALL"], id="from a group"
        ),
        pytest.param(
            [task("k:", "k:x"), task("k:x"), task("a", "k:x"), task("ALL", "k", "a")],
            ["k:x a", "a ALL"],
            id="a group whose members are all behind something else",
        ),
        pytest.param(
            [task("k:", "k:x", "k:y"), task("k:x"), task("k:y"), task("a", "k:x"), task("ALL", "k", "a")],
            ["k:x a", "k ALL", "a ALL"],
            id="a group with a member that is behind nothing else",
        ),
    ],
)
def test_edges(tasks: list[SimpleNamespace], edges: list[str]) -> None:
    assert [" ".join(edge) for edge in graph(*tasks).edges] == edges


def many(count: int) -> list[SimpleNamespace]:
    """Two kinds, each step of the second after its own of the first."""
    names = [str(number) for number in range(count)]
    return [
        task("k:", *(f"k:{name}" for name in names)),
        *(task(f"k:{name}") for name in names),
        task("m:", *(f"m:{name}" for name in names)),
        *(task(f"m:{name}", f"k:{name}") for name in names),
        task("ALL", "m"),
    ]


def test_a_few_of_a_kind_are_a_box() -> None:
    drawn = graph(*many(2))
    assert drawn.boxes == {"k": ("k:0", "k:1"), "m": ("m:0", "m:1")}
    assert list(drawn.labels) == ["k:0", "k:1", "m:0", "m:1", "ALL"]
    assert drawn.edges == (("k:0", "m:0"), ("k:1", "m:1"), ("m", "ALL"))


def test_many_of_a_kind_are_one_node() -> None:
    drawn = graph(*many(4))
    assert drawn.boxes == {}
    assert drawn.labels == {"k": "k: 4 steps", "m": "m: 4 steps", "ALL": "ALL"}
    assert drawn.edges == (("k", "m"), ("m", "ALL"))
    assert len(graph(*many(4), few=4).labels) == 9


def test_mermaid() -> None:
    tasks = [task("k:", "k:a.b", "k:a-b"), task("k:a.b"), task("k:a-b"), task("ALL", "k")]
    assert list(graph(*tasks).mermaid()) == [
        "flowchart LR",
        "  subgraph k",
        '    k_a_2e_b["k:a.b"]',
        '    k_a_2d_b["k:a-b"]',
        "  end",
        "  ALL",
        "  k --> ALL",
    ]


def test_dot() -> None:
    assert list(graph(*many(2)).dot()) == [
        "digraph airgap {",
        "  rankdir=LR; compound=true; node [shape=box];",
        '  "k:0" [label="k:0"];',
        '  "k:1" [label="k:1"];',
        '  "m:0" [label="m:0"];',
        '  "m:1" [label="m:1"];',
        '  "ALL" [label="ALL"];',
        '  subgraph "cluster_k" { label="k"; "k:0"; "k:1"; }',
        '  subgraph "cluster_m" { label="m"; "m:0"; "m:1"; }',
        '  "k:0" -> "m:0";',
        '  "k:1" -> "m:1";',
        '  "m:0" -> "ALL" [ltail="cluster_m"];',
        "}",
    ]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return make(tmp_path_factory.mktemp("graph") / "project", images=("one", "two", "three", "four"))


def printed(bench: Workbench, *args: str) -> list[str]:
    ran = bench.doit("graph", *args)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.splitlines()


def test_the_command(bench: Workbench) -> None:
    lines = printed(bench)
    assert '  pull["pull: 4 steps"]' in lines
    assert "  directory --> bundle" in lines
    assert lines == printed(bench, "bundle", "--format", "mermaid")
    assert '  "pull:four" -> "tag:four";' in printed(bench, "--all", "--format=dot", "bundle")
    assert "  receipt --> install" in printed(bench, "install")


@pytest.mark.parametrize("args", [["bundel"], ["--format", "svg"], ["bundle", "--format"]], ids=" ".join)
def test_wrong_words(bench: Workbench, args: list[str]) -> None:
    assert bench.doit("graph", *args).code == 3


def test_it_asks_nobody_and_writes_nothing(bench: Workbench) -> None:
    ran, seen = bench.watched("graph", "install")
    assert (ran.code, seen) == (0, [])


def test_inside_it_draws_the_install(bench: Workbench, tmp_path: Path) -> None:
    assert bench.doit("bundle").code == 0
    argv: list[Any] = [sys.executable, "-I", bench.bundle / "airgap.pyz", "graph", f"state={tmp_path}"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == printed(bench, "install")


def test_readme_shows_the_graph_of_hello() -> None:
    (shown,) = re.findall(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    argv = [sys.executable, "-m", "doit", "graph", *HELLO]
    drawn = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == drawn, f"put into README.md what this prints: doit graph {' '.join(HELLO)}"


def test_a_label_ends_nothing() -> None:
    bad = 'a"]; click a "javascript:x" <b>\n\\ end'
    graph = Graph(labels={"x:1": bad, bad: bad}, boxes={}, edges=((bad, "x:1"),))
    mermaid, dot = list(graph.mermaid()), list(graph.dot())
    assert len(mermaid) == 4
    assert all(line.count('"') in (0, 2) and "<" not in line for line in mermaid)
    assert len(dot) == 6
    for line in dot:
        assert re.sub(r'"(?:[^"\\]|\\.)*"', "", line).count('"') == 0
        assert "javascript" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
