"""What must hold between the parts of a spec."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.loading._rules import (
    check_distinct,
    check_known,
    check_order,
    check_outputs,
    check_unique,
    check_uses,
    earlier,
    scalars,
)
from schema.syntax.document import Node, parse
from schema.syntax.problems import Problems
from tests.fixtures.made.full_spec import make, spec


def found(text: str, check: Callable[[Problems, Node], object]) -> list[str]:
    problems = Problems("f")
    node = parse(text.encode(), problems)
    assert node
    check(problems, node)
    return [str(each).removeprefix("f:") for each in problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{name: a}, {name: b}]", []),
        ("[{name: a}, {name: a}]", ["1:20: image 'a' is taken, first in line 1; give each its own name"]),
        ("[{name: Web}, {name: web}]", ["1:22: image 'web' collides with 'Web', first in line 1"]),
        ("[{name: a}, {name: a}, {name: A}]", ["1:20: image 'a' is taken", "1:31: image 'A' collides with 'a'"]),
    ],
)
def test_names_are_unique_on_every_file_system(text: str, told: list[str]) -> None:
    problems = found(text, lambda p, node: check_unique(p, "image", node.items()))
    assert len(problems) == len(told)
    assert all(problem.startswith(each) for problem, each in zip(problems, told, strict=True)), problems


def test_other_names_are_compared_as_they_are() -> None:
    text = "[{name: a}, {name: b}]"
    both = found(text, lambda p, node: check_distinct(p, "host", [(each, "h") for each in node.items()]))
    assert both == ["1:20: host 'h' is taken, first in line 1; give each its own name"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("web", []),
        ("[web, api]", []),
        ("wen", ["1:1: no chart is called 'wen'; expected one of: api, web; did you mean 'web'?"]),
        ("[web, x]", ["1:7: no chart is called 'x'; expected one of: api, web"]),
    ],
)
def test_names_are_known(text: str, told: list[str]) -> None:
    assert found(text, lambda p, node: check_known(p, node, ["web", "api"], "chart")) == told
    assert found("x", lambda p, _: check_known(p, None, [], "chart")) == []


WAITS = {"d": ["c", "a"], "c": ["b"], "b": ["a"], "a": [], "x": ["y"], "y": ["x"]}


@pytest.mark.parametrize(
    ("step", "before"), [("a", ""), ("b", "a"), ("d", "abc"), ("x", "xy"), ("unknown", "")]
)  # a circle ends, and is told elsewhere
def test_what_comes_before(step: str, before: str) -> None:
    assert earlier(step, WAITS) == set(before)


def steps(node: Node) -> dict[str, Node]:
    return {str(each.members()["name"].value): each for each in node.items()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{name: a}, {name: b, after: [a]}, {name: c, needs: [b], after: [a]}]", []),
        ("[{name: a, after: [a]}]", ["1:2: releases and actions wait for each other: a -> a"]),
        ("[{name: a, after: [b]}, {name: b, needs: [a]}]",
         ["1:2: releases and actions wait for each other: a -> b -> a"]),
        ("[{name: x, after: [a]}, {name: a, after: [b]}, {name: b, after: [a]}]",
         ["1:25: releases and actions wait for each other: a -> b -> a"]),
        ("[{name: a, after: [gone]}]", []),
    ],
)  # fmt: skip
def test_nobody_waits_for_each_other(text: str, told: list[str]) -> None:
    problems = found(text, lambda p, node: check_order(p, steps(node)))
    assert [problem.partition("; ")[0] for problem in problems] == told


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[{name: a, outputs: json}, {name: b, after: [a], env: {X: '${output.a.k}'}}]", ""),
        ("[{name: a, outputs: json}, {name: b, env: {X: '${output.a.k}'}}]", "add 'a' to `after` of 'b'"),
        ("[{name: a, outputs: json, env: {X: '${output.a.k}'}}]", "its own outputs come too late"),
        ("[{name: a}, {name: b, env: {X: '${output.a.k}'}}]", ""),  # that it prints none is told elsewhere
    ],
)
def test_outputs_are_there_when_they_are_used(text: str, hint: str) -> None:
    problems = found(text, lambda p, node: check_outputs(p, steps(node), ()))
    assert len(problems) == bool(hint)
    assert hint in "".join(problems)


def test_checks_come_before_all_outputs() -> None:
    text = "[{name: a, outputs: json, dns: '${output.a.k}'}]"
    problems = found(text, lambda p, node: check_outputs(p, steps(node), node.items()))
    assert problems == ["1:32: ${output.a.k}: action 'a' has not run by then; checks come first of all"]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("{name: s, generate: hex8}", False),
        ("{name: s, data: {a: x}}", False),
        ("{name: s, data: {a: x, b: y}}", True),
        ("{name: s, username: a, password: b}", True),
    ],
)
def test_a_name_stands_for_one_value(secret: str, told: bool) -> None:
    text = f"{{secrets: [{secret}], actions: [{{name: a, env: {{X: '${{secret.s}}'}}}}]}}"
    problems = found(text, check_uses)
    assert bool(problems) is told
    assert all("${secret.s}: secret 's' has several values" in each for each in problems)


def test_a_secret_that_only_some_sites_have_stands_for_nothing() -> None:
    text = "{secrets: [{name: s, generate: hex8, when: '${site.x}'}], actions: [{name: a, env: {X: '${secret.s}'}}]}"
    (problem,) = found(text, check_uses)
    told = "${secret.s}: secret 's' has `when`; what is not made at each site can't be used: leave `when` out"
    assert problem.endswith(told)


def test_an_action_that_prints_nothing_has_no_outputs() -> None:
    text = "{actions: [{name: a}, {name: b, outputs: json}], notes: '${output.a.k} ${output.b.k}'}"
    (problem,) = found(text, check_uses)
    assert problem.endswith("${output.a.k}: action 'a' has no outputs; give the action `outputs: json`")


def test_scalars_come_in_order() -> None:
    node = parse(b"{a: 1, b: [x, {c: y}], d: []}", Problems("f"))
    assert node
    assert [each.value for each in scalars(node)][:3] == [1, "x", "y"]


COLLIDING = {
    "by its own name": "{name: shop, source: ./chart}",
    "by the name in the spec": "{name: shop, chart: other, source: 'https://charts.example', version: 1.0.0}",
    "of a registry": "{name: mine, source: 'oci://h.x/team/shop', version: 1.0.0}",
    "by what a directory says": "{name: mine, source: ./chart}",
}


@pytest.mark.parametrize("chart", COLLIDING.values(), ids=COLLIDING)
@pytest.mark.parametrize(("charts", "path"), [("true", "charts/"), ("helm/x", "helm/x/"), (".", "")])
def test_an_image_and_a_chart_of_one_name_inside(tmp_path: Path, chart: str, charts: str, path: str) -> None:
    make(tmp_path, "chart/Chart.yaml")
    (tmp_path / "chart/Chart.yaml").write_text("name: shop\nversion: 1.0.0\n")
    image = f"images: [{{name: shop, source: 'h.x/app:1', target: '{path}shop:1.0.0'}}]\n"
    head = "version: 1\nbundle: {name: b, version: '1'}\nregistry: {prefix: r.x/in%s}\n"
    text = f"{image}charts: [{chart}]\n"
    with pytest.raises(SpecError, match=rf"and image 'shop' have one name inside: {path}shop:1\.0\.0") as caught:
        spec(tmp_path, text, head % f", charts: {charts!r}".replace("'true'", "true"))
    assert "give the image another `target`" in str(caught.value)
    assert spec(tmp_path, text, head % "").registry.charts == ""  # they are not pushed then
    assert spec(tmp_path, text.replace("shop:1.0.0", "shop:1.0.1"), head % ", charts: true").registry.charts == "charts"
