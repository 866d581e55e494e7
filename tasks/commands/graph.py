"""`doit graph`: the steps and what they wait for, as a drawing in Mermaid's or Graphviz's language."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.formats.visible import one_line
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.runtime.console import Console

FEW = 3  # steps of one kind that are shown one by one

_FORMAT = {
    "name": "format",
    "long": "format",
    "type": str,
    "default": "mermaid",
    "choices": (("mermaid", "for Markdown"), ("dot", "for Graphviz")),
    "help": "the drawing's language",
}
_ALL = {
    "name": "every",
    "long": "all",
    "type": bool,
    "default": False,
    "help": f"every step by itself, also where there are more than {FEW} of a kind",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What is drawn: nodes by name with their labels, boxes of nodes of one kind, and edges from earlier to later.

    An edge may begin at a box; it then stands for one from each of its nodes.
    """

    labels: Mapping[str, str]
    boxes: Mapping[str, tuple[str, ...]]
    edges: tuple[tuple[str, str], ...]

    def mermaid(self) -> Iterator[str]:
        """The lines of a Mermaid flowchart, which Markdown on GitHub and GitLab shows as a drawing."""
        boxed = {name for names in self.boxes.values() for name in names}
        yield "flowchart LR"
        for kind, names in self.boxes.items():
            yield f"  subgraph {kind}"
            yield from (f"    {_declared(name, self.labels[name])}" for name in names)
            yield "  end"
        yield from (f"  {_declared(name, label)}" for name, label in self.labels.items() if name not in boxed)
        yield from (f"  {_id(before)} --> {_id(after)}" for before, after in self.edges)

    def dot(self) -> Iterator[str]:
        """The lines of a Graphviz digraph; an edge from a box leaves its first node and is cut off at its border."""
        yield "digraph airgap {"
        yield "  rankdir=LR; compound=true; node [shape=box];"
        yield from (f"  {_quoted(name)} [label={_quoted(label)}];" for name, label in self.labels.items())
        for kind, names in self.boxes.items():
            members = " ".join(f"{_quoted(name)};" for name in names)
            yield f"  subgraph {_quoted(f'cluster_{kind}')} {{ label={_quoted(kind)}; {members} }}"
        for before, after in self.edges:
            tail = f" [ltail={_quoted(f'cluster_{before}')}]" if before in self.boxes else ""
            yield f"  {_quoted(self.boxes.get(before, (before,))[0])} -> {_quoted(after)}{tail};"
        yield "}"


class GraphCommand(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Draws the graph."""

    name = "graph"
    doc_purpose = COMMANDS["graph"].purpose
    doc_usage = "[bundle|install] [--format mermaid|dot] [--all]"
    doc_description = (
        f"Where there are more than {FEW} steps of a kind, one node stands for all of them, unless --all is given. "
        "What follows from other edges is not drawn."
    )
    cmd_options = (_FORMAT, _ALL)

    def parse_execute(self, in_args: list[str]) -> Any:
        """As doit does, but with options after the names too."""
        words = iter(in_args)
        options: list[str] = []
        names: list[str] = []
        for word in words:
            (options if word.startswith("-") else names).append(word)
            if word == f"--{_FORMAT['long']}":
                options += islice(words, 1)
        return super().parse_execute([*options, *names])

    def _execute(self, format: str, every: bool, pos_args: list[str]) -> int:  # noqa: A002 - doit passes by this name
        tasks = {task.name: task for task in self.task_list}
        selected = pos_args or ["bundle" if "bundle" in tasks else "install"]
        unknown = [name for name in selected if name not in tasks]
        if unknown:
            raise InvalidCommand(not_found=unknown[0])
        graph = draw(tasks, selected, few=len(tasks) if every else FEW)
        console = Console()
        for line in graph.dot() if format == "dot" else graph.mermaid():
            console.line(line)
        return 0


def draw(tasks: Mapping[str, Any], selected: Sequence[str], *, few: int) -> Graph:
    """The graph of what runs when these tasks are selected, nodes in the order of dodo.py.

    Up to `few` steps of a kind are drawn one by one, in a box where they are several.
    """
    before = _needed(tasks, selected)
    kinds: dict[str, list[str]] = {}
    for name in before:
        if tasks[name].subtask_of:
            kinds.setdefault(tasks[name].subtask_of, []).append(name)
    node = {name: name for name in before}
    for kind, members in kinds.items():
        if len(members) > few:
            node |= dict.fromkeys(members, kind)
        elif len(members) == 1:
            node[kind] = members[0]
    boxes = {kind: tuple(members) for kind, members in kinds.items() if 1 < len(members) <= few}
    nodes = [each for each in dict.fromkeys(node[name] for name in before) if each not in boxes]
    edges = dict.fromkeys((node[earlier], node[name]) for name in before for earlier in before[name])
    return Graph(
        labels={each: f"{each}: {len(kinds[each])} steps" if each in kinds else each for each in nodes},
        boxes=boxes,
        edges=tuple((start, end) for start, end in edges if start != end and end not in boxes),
    )


def _needed(tasks: Mapping[str, Any], selected: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The selected tasks and all that they wait for, each with those right before it; empty groups are left out."""
    found: dict[str, list[str]] = {}
    todo = list(selected)
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = list(tasks[name].task_dep)
            todo += found[name]
    kept: dict[str, list[str]] = {}
    behind: dict[str, set[str]] = {}
    for name in TopologicalSorter(found).static_order():
        if tasks[name].actions or found[name]:
            kept[name] = [each for each in found[name] if each in kept]
            behind[name] = {far for near in kept[name] for far in (near, *behind[near])}
    return {name: _nearest(tasks, name, kept, behind) for name in tasks if name in kept}


def _nearest(
    tasks: Mapping[str, Any], name: str, kept: Mapping[str, Sequence[str]], behind: Mapping[str, Collection[str]]
) -> Sequence[str]:
    """What a task waits for, without what is behind the others of it; of a group, that is each of its members."""

    def adds(near: str) -> bool:
        far = {each for other in kept[name] if other != near for each in behind[other]}
        return near not in far and (bool(tasks[near].actions) or not far.issuperset(kept[near]))

    return [near for near in kept[name] if adds(near)]


def _id(name: str) -> str:
    """A name as Mermaid's identifiers are written: letters, digits and `_`, different for different names."""
    kind, _, rest = name.partition(":")
    parts = (re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", part) for part in (kind, rest))
    return "_".join(filter(None, parts))


def _declared(name: str, label: str) -> str:
    return _id(name) if _id(name) == label else f'{_id(name)}["{_entities(label)}"]'


def _entities(label: str) -> str:
    """A label as Mermaid writes what would end it, or begin a tag or another entity: by numbers."""
    return re.sub(r"[^\w :./@+-]", lambda found: f"#{ord(found[0])};", one_line(label))


def _quoted(text: str) -> str:
    """A text as Graphviz's language quotes it."""
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
