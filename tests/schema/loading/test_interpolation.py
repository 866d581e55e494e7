"""Variables that follow another one."""

from pathlib import Path

import pytest

from bundle.errors import FormatError, SpecError
from schema.loading._interpolation import fitting
from tests.fixtures.made.installs import spec

VERSIONS = ("<0.94.2", ">=0.94.2")


@pytest.mark.parametrize(
    ("choices", "value", "taken"),
    [
        pytest.param(("aws", "gcp"), "gcp", "gcp", id="text"),
        pytest.param(("aws", "gcp"), "azure", None, id="no such text"),
        pytest.param(VERSIONS, "0.94.1", "<0.94.2", id="below"),
        pytest.param(VERSIONS, "0.94.2", ">=0.94.2", id="from"),
        pytest.param(VERSIONS, "v1.0", ">=0.94.2", id="far above"),
        pytest.param(("0.94.2", *VERSIONS), "0.94.2", "0.94.2", id="the first that fits"),
        pytest.param((), "x", None, id="none"),
    ],
)
def test_fitting(choices: tuple[str, ...], value: str, taken: str | None) -> None:
    assert fitting(choices, value) == taken


def test_what_is_no_version() -> None:
    with pytest.raises(FormatError, match="'main' is no version"):
        fitting(VERSIONS, "main")


TEXT = """\
vars:
  origin: {origin}
  host: {{by: origin, choose: {{aws: "one.example", gcp: "two.example/${{vars.origin}}"}}}}
images: [{{name: web, source: "${{vars.host}}/web:1"}}]
"""


@pytest.mark.parametrize(("origin", "source"), [("aws", "one.example/web:1"), ("gcp", "two.example/gcp/web:1")])
def test_one_switch(tmp_path: Path, origin: str, source: str) -> None:
    assert spec(tmp_path, TEXT.format(origin=origin)).images[0].source_text == source


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{by: orign, choose: {a: b}}", "undefined ${vars.orign}; expected one of: origin, x; did you mean 'origin'?"),
        ("{by: origin, choose: {azw: b}}", "nothing is to be chosen for origin: aws; expected one of: azw"),
        ("{by: origin, choose: {'<1.0': b}}", "'aws' is no version"),
        ("{by: origin, choose: {'<x': b}}", "'aws' is no version"),
        ("{by: origin}", "'x' is missing 'choose'"),
        ("{by: x, choose: {a: b}}", "circular reference among vars: x -> x"),
        ("{by: origin, choose: {aws: [1]}}", "expected text, a whole number, true or false"),
        ("{by: origin, choose: {aws: b}, otherwise: c}", "unknown key 'otherwise'"),
    ],
)
def test_wrong_choices(tmp_path: Path, written: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, f"vars:\n  origin: aws\n  x: {written}\n")
    assert problem in str(caught.value)


def test_a_choice_by_the_environment_stays_out_of_install(tmp_path: Path) -> None:
    text = """\
vars: {origin: "${env.HOME_OF_IMAGES}", x: {by: origin, choose: {aws: a}}}
install: {notes: "${vars.x}"}
"""
    with pytest.raises(SpecError, match="HOME_OF_IMAGES"):
        spec(tmp_path, text)
