"""What must hold between the parts of a spec: names that are unique, known and free of cycles, versions that agree."""

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from bundle.charts.artifact import chart_tag
from bundle.charts.package import read_archive
from bundle.errors import FormatError
from bundle.oci.locations import LocalChart, OciChart, RegistryImage
from schema.spec.contents import ChartSpec, DerivedImageSpec, ImageSpec
from schema.spec.spec import RegistrySpec
from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.plain import TEXTS, plain_documents
from schema.syntax.problems import Problems, did_you_mean, listed

_EVERYWHERE = "what is not made at each site can't be used: leave `when` out"


def check_unique(problems: Problems, kind: str, items: Iterable[Node]) -> None:
    """Note names that are taken; those that differ in case only would be one file on some file systems."""
    check_distinct(problems, kind, ((item, str(item.members()["name"].value)) for item in items), str.lower)


def check_distinct(
    problems: Problems, kind: str, names: Iterable[tuple[Node, str]], same: Callable[[str], str] = str
) -> None:
    """Note the second of two items whose names are the `same`."""
    first: dict[str, tuple[Node, str]] = {}
    for item, name in names:
        other, spelling = first.setdefault(same(name), (item, name))
        if other is not item:
            place = item.members()["name"].place
            line = other.members()["name"].place.line
            told = f"{kind} {name!r} is taken" if spelling == name else f"{kind} {name!r} collides with {spelling!r}"
            problems.add(place, f"{told}, first in line {line}", hint="give each its own name")


def check_targets(problems: Problems, images: Iterable[tuple[Node, ImageSpec | DerivedImageSpec]], prefix: str) -> None:
    """Note images that would get one internal name."""
    first: dict[str, ImageSpec | DerivedImageSpec] = {}
    for node, image in images:
        other = first.setdefault(str(image.target), image)
        if other is not image:
            place = (node.get("target") or node.get("source") or node).place
            target = str(image.target).removeprefix(f"{prefix}/")
            what = f"image {image.name!r} has the target {target!r}, as image {other.name!r} has"
            problems.add(place, what, hint="give one of them its own `target`, or both `keep_path: true`")


def check_places(
    problems: Problems,
    nodes: Iterable[Node],
    charts: Iterable[ChartSpec],
    images: Iterable[ImageSpec | DerivedImageSpec],
    registry: RegistrySpec,
) -> None:
    """Note charts that would be pushed under the name of an image."""
    if not registry.charts:
        return
    taken = {str(image.target): image for image in images}
    places = {str(node.members()["name"].value): node.members()["name"].place for node in nodes}
    for chart in charts:
        own, version = _stated(chart)
        tag = chart_tag(chart.version or version)
        for name in dict.fromkeys((chart.chart or own or chart.name, chart.name)):
            path = posixpath.normpath(f"{registry.charts}/{name}")
            if image := taken.get(f"{registry.prefix}/{path}:{tag}"):
                what = f"chart {chart.name!r} and image {image.name!r} have one name inside: {path}:{tag}"
                hint = "give the image another `target`, or the charts another place (`registry: {charts: PATH}`)"
                problems.add(places[chart.name], what, hint=hint)
                break


def _stated(chart: ChartSpec) -> tuple[str, str]:
    """Name and version of a chart as its source says them, as far as that can be told here; else empty."""
    if isinstance(chart.source, OciChart):
        return chart.source.reference.name, ""
    if not isinstance(chart.source, LocalChart):
        return "", ""
    path = chart.source.path
    try:
        if path.is_file():
            files = read_archive(path.read_bytes(), keep=lambda name: name == "Chart.yaml", subject=chart.name)
            raw = files.get("Chart.yaml", b"")
        else:
            raw = (path / "Chart.yaml").read_bytes()
        data = next(iter(plain_documents(raw, loader=TEXTS)), None)
    except (OSError, FormatError):
        return "", ""
    stated = data if isinstance(data, dict) else {}
    return str(stated.get("name") or ""), str(stated.get("version") or "")


def check_known(problems: Problems, node: Node | None, known: Collection[str], kind: str) -> None:
    """Note a name, or the names in a list, that nothing has."""
    if node is None or problems.settled(node.place):
        return
    for item in node.items() or (node,):
        if isinstance(item.value, str) and item.value not in known:
            hint = did_you_mean(item.value, known)
            problems.add(item.place, f"no {kind} is called {item.value!r}", expected=listed(known), hint=hint)


def check_versions(problems: Problems, node: Node, chart: ChartSpec, images: Mapping[str, ImageSpec]) -> None:
    """Note images of a chart's `images` whose tag is not the chart's version (a tag writes `+` as `_`)."""
    wanted = chart.version.replace("+", "_")
    names = node.get("images")
    if names and not wanted and isinstance(chart.source, LocalChart):
        hint = "give it, as `images` is checked against it"
        problems.add(names.place, f"chart {chart.name!r} has 'images' but no 'version'", hint=hint)
        return
    for item in names.items() if names and wanted else ():
        image = images.get(str(item.value))
        tags = {image.target.tag} if image else set()
        if image and isinstance(image.source, RegistryImage) and image.source.reference.tag:
            tags.add(image.source.reference.tag)
        for tag in sorted(tags - {wanted}):
            what = f"image {item.value!r} has tag {tag!r}, but chart {chart.name!r} has version {chart.version!r}"
            problems.add(item.place, what, expected=f"tag {wanted!r}")


def check_engine(problems: Problems, engine: Node | None, images: Iterable[tuple[Node, ImageSpec]]) -> None:
    """Note images that a Docker Engine would pull and whose signature is wanted: an Engine keeps none to check."""
    if engine is None or engine.value != "docker":
        return
    for node, image in images:
        wanted = node.get("verify")
        if wanted and isinstance(image.source, RegistryImage):
            what = (
                f"image {image.name!r} has 'verify', but a Docker daemon ('engine: docker') pulls it "
                "and keeps no signatures"
            )
            hint = "leave one of them out; inside, engine=docker loads and pushes by a Docker daemon all the same"
            problems.add(wanted.place, what, hint=hint)


def check_uses(problems: Problems, install: Node) -> None:
    """Note uses of `${secret.X}` of several values or of none, and of `${output.X.K}` where X has none."""
    secrets = install.get("secrets")
    several, switched = set(), set()
    for secret in secrets.items() if secrets else ():
        data = secret.get("data")
        if secret.get("when"):
            switched.add(str(secret.members()["name"].value))
        if secret.get("generate") is None and (data is None or len(data.members()) != 1):
            several.add(str(secret.members()["name"].value))
    actions = install.get("actions")
    silent = {str(a.members()["name"].value) for a in (actions.items() if actions else ()) if not a.get("outputs")}
    for node in scalars(install):
        if isinstance(node.value, str) and "${" in node.value and not problems.settled(node.place):
            for name in template.names(template.parse(node.value)):
                if name.space == "secret" and name.rest in several:
                    hint = "only a generated secret, or one with a single key in 'data', stands for one value"
                    problems.add(node.place, f"{name}: secret {name.rest!r} has several values", hint=hint)
                elif name.space == "secret" and name.rest in switched:
                    problems.add(node.place, f"{name}: secret {name.rest!r} has `when`", hint=_EVERYWHERE)
                if name.space == "output" and name.subject in silent:
                    hint = "give the action `outputs: json`"
                    problems.add(node.place, f"{name}: action {name.subject!r} has no outputs", hint=hint)


def check_outputs(problems: Problems, steps: Mapping[str, Node], checks: Iterable[Node]) -> None:
    """Note uses of `${output.X.K}` where action X has not run yet; `steps` are the releases and actions by name."""
    loud = {name for name, node in steps.items() if node.get("outputs")}
    before = {name: earlier(name, {other: _waits_for(node, steps) for other, node in steps.items()}) for name in steps}
    places = [(name, node.get(key)) for name, node in steps.items() for key in ("env", "inputs", "health")]
    for step, part in (*places, *(("", check) for check in checks)):
        for node, name in _outputs(problems, part):
            if name.subject in loud and name.subject not in before.get(step, ()):
                own = "its own outputs come too late" if step == name.subject else ""
                hint = own or (f"add {name.subject!r} to `after` of {step!r}" if step else "checks come first of all")
                problems.add(node.place, f"{name}: action {name.subject!r} has not run by then", hint=hint)


def earlier(name: str, waits_for: Mapping[str, Iterable[str]]) -> set[str]:
    """All that comes before a release or action, however far; `waits_for` is what each directly waits for."""
    found: set[str] = set()
    open_ends = list(waits_for.get(name, ()))
    while open_ends:
        step = open_ends.pop()
        if step not in found:
            found.add(step)
            open_ends += waits_for.get(step, ())
    return found


def check_order(problems: Problems, steps: Mapping[str, Node]) -> None:
    """Note releases and actions that wait for each other; `steps` are those by name."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            cycle = path[path.index(name) :]
            shown = " -> ".join([*cycle, name])
            problems.add(steps[cycle[0]].place, f"releases and actions wait for each other: {shown}")
        elif name not in done:
            for other in _waits_for(steps[name], steps):
                visit(other, [*path, name])
            done.add(name)

    for name in steps:
        visit(name, [])


def scalars(node: Node) -> Iterable[Node]:
    """All scalars below a node, in order."""
    children = [*node.members().values(), *node.items()]
    if not children:
        yield node
    for child in children:
        yield from scalars(child)


def _outputs(problems: Problems, part: Node | None) -> Iterator[tuple[Node, template.Name]]:
    for node in scalars(part) if part else ():
        if isinstance(node.value, str) and "${output." in node.value and not problems.settled(node.place):
            yield from ((node, name) for name in template.names(template.parse(node.value)) if name.space == "output")


def _waits_for(node: Node, steps: Collection[str]) -> list[str]:
    lists = (node.get("needs"), node.get("after"))
    names = [str(item.value) for entries in lists if entries for item in entries.items()]
    return [name for name in names if name in steps]
