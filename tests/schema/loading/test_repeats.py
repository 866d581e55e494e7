"""What is refused of repeated entries when a spec is loaded."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from tests.fixtures.made.installs import WITH_CHART, spec

INSTALL = (
    WITH_CHART
    + """\
site:
  one: {type: string, default: x}
install:
  secrets:
    - {name: key, generate: hex8, for_each: "${site.teams}"}
    - {name: once, generate: hex8}
  actions: [{name: enroll, run: [x], outputs: json, for_each: "${site.teams}"}]
  releases:
    - {name: web, chart: web, namespace: "t${item.suffix}", values: [v.yaml], needs: [enroll],
       for_each: "${site.teams}"}
    - {name: app, chart: web, namespace: app, values: [w.yaml], needs: [enroll]}
"""
)
GOOD = "a: ${item.host}\nb: ${secret.key}\nc: ${output.enroll.id}\nd: ${secret.once}\ne: ${env.P${item.SUFFIX}}\n"


def problems(place: Path, text: str, v: str = GOOD, w: str = "") -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec(place, text, {"v.yaml": v, "w.yaml": w})
    return [each.partition(": ")[2] for each in caught.value.problems]


def test_what_is_repeated_may_name_its_item_and_its_own(tmp_path: Path) -> None:
    assert spec(tmp_path, INSTALL, {"v.yaml": GOOD, "w.yaml": "d: ${secret.once}\n"})


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("checks: [{dns: '${item.host}'}]", "${item.host} has no value here"),
        ("notes: '${env.P${item.SUFFIX}}'", "${env.P${item.SUFFIX}} has no value here"),
        (
            "checks: [{dns: '${item.host}', for_each: 'site.teams'}]",
            "'for_each' is 'site.teams'; expected ${site.NAME}, or",
        ),
        ("checks: [{dns: x, for_each: {first: '${site.one}'}}]", "'for_each' is missing 'list'"),
        ("checks: [{dns: x, for_each: '${site.one}'}]", "for_each: setting 'one' is of type string; expected array"),
        (
            "backup: {commands: [{name: d, run: [x], env: {P: '${secret.key}'}}]}",
            "${secret.key}: secret 'key' is repeated over ${site.teams}; only what is repeated over the same list",
        ),
        (
            "checks: [{run: [x, '${item.a.${item.suffix}}'], for_each: '${site.teams}'}]",
            "",
        ),
    ],
)
def test_names_that_have_no_value(tmp_path: Path, more: str, problem: str) -> None:
    if not problem:
        assert spec(tmp_path, f"{INSTALL}  {more}\n", {"v.yaml": GOOD, "w.yaml": ""})
        return
    found = problems(tmp_path, f"{INSTALL}  {more}\n")
    assert any(each.startswith(problem) for each in found), found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: ${item.host}",
            "${item.host} has no value here; only what has `for_each` is repeated for each item of a list",
        ),
        ("a: ${file.x${item.suffix}}", "${file.x${item.suffix}} has no value here"),
        ("a: ${secret.key}", "${secret.key}: secret 'key' is repeated over ${site.teams}"),
        ("a: ${output.enroll.id}", "${output.enroll.id}: action 'enroll' is repeated over ${site.teams}"),
    ],
)
def test_values_of_what_is_there_once(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(tmp_path, INSTALL, w=f"{text}\n")
    assert found.startswith(problem)


def test_a_namespace_that_no_repeated_release_has(tmp_path: Path) -> None:
    wrong = INSTALL.replace(
        "{name: once, generate: hex8}", '{name: once, generate: hex8, namespaces: ["u${item.suffix}"]}'
    )
    (found,) = problems(tmp_path, wrong)
    assert found.startswith("${item.suffix} has no value here")
    right = wrong.replace("u$", "t$")
    assert spec(tmp_path, right, {"v.yaml": GOOD, "w.yaml": ""}).install.secrets[1].namespaces == ("t${item.suffix}",)
