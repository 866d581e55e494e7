"""The published schema itself: complete, described, closed, and in the words that problems are told in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schema.loading import _validation as validation
from schema.loading.load import load

SCHEMA = json.loads(validation.SCHEMA_FILE.read_text())
ANNOTATIONS = {"$schema", "$defs", "$ref", "title", "description", "default", "examples", "writeOnly"}
STRUCTURE = {"properties", "items", "allOf", "if", "then", "else"}


def subschemas(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield place, schema
    for key in ("properties", "$defs"):
        for name, child in schema.get(key, {}).items():
            yield from subschemas(child, f"{place}/{key}/{name}")
    for key in ("items", "additionalProperties", "propertyNames"):
        yield from subschemas(schema.get(key), f"{place}/{key}")


ALL = dict(subschemas(SCHEMA))


def test_it_is_a_valid_schema_of_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_field_is_described() -> None:
    fields = {place: schema for place, schema in ALL.items() if "/properties/" in place or place.endswith("/items")}
    fields = {place: schema for place, schema in fields.items() if not place.endswith("/propertyNames")}
    assert len(fields) > 80
    assert [place for place, schema in fields.items() if not schema.get("description", "").endswith(".")] == []


def test_every_mapping_is_closed_or_typed() -> None:
    mappings = {place: schema for place, schema in ALL.items() if "object" in schema.get("type", ())}
    assert [place for place, schema in mappings.items() if schema.get("additionalProperties") in (None, True)] == []
    assert [
        place for place, s in mappings.items() if "properties" in s and s["additionalProperties"] is not False
    ] == []


def test_every_keyword_has_words_for_its_problems() -> None:
    used = {key for schema in ALL.values() for key in schema} - ANNOTATIONS - STRUCTURE - {"propertyNames"}
    assert used == set(validation._TELL)


def test_every_pattern_has_a_title_to_expect_and_refuses_a_final_line_break() -> None:
    patterns = {place: schema for place, schema in ALL.items() if "pattern" in schema}
    assert [place for place, schema in patterns.items() if not schema.get("title")] == []
    loose = ("^(https?://|\\$\\{)",)
    assert [
        place for place, s in patterns.items() if not s["pattern"].endswith("(?!\\n)") and s["pattern"] not in loose
    ] == []


@pytest.mark.parametrize(
    "place", [place for place, schema in ALL.items() if "default" in schema or "examples" in schema]
)
def test_defaults_and_examples_are_valid(place: str) -> None:
    schema = {**ALL[place], "$defs": SCHEMA["$defs"]}
    for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
        Draft202012Validator(schema).validate(value)


def test_no_default_differs_from_what_loading_takes(tmp_path: Path) -> None:
    path = tmp_path / "airgap.yaml"
    path.write_text(
        "version: 1\nbundle: {name: d, version: '1'}\nregistry: {prefix: h.x}\n"
        "charts: [{name: c, source: 'oci://h.x/c', version: '1'}]\n"
        "install:\n  releases: [{name: r, chart: c, namespace: n, health: [{url: 'https://h'}]}]\n"
        "  secrets: [{name: s, generate: hex8}]\n  checks: [{http: 'https://h'}]\n"
    )
    spec = load(path, env={})
    bundle = SCHEMA["properties"]["bundle"]["properties"]
    install = SCHEMA["properties"]["install"]["properties"]
    (release,), (secret,), (check,) = spec.install.releases, spec.install.secrets, spec.install.checks
    assert spec.bundle.layout == bundle["layout"]["default"]
    assert str(spec.bundle.platform) == bundle["platform"]["default"]
    assert release.timeout == 15 * 60
    assert install["releases"]["items"]["properties"]["timeout"]["default"] == "15m"
    assert secret.type == install["secrets"]["items"]["properties"]["type"]["default"]
    assert spec.install.kubernetes.min_version == install["kubernetes"]["properties"]["min_version"]["default"]
    options = install["checks"]["items"]["properties"]
    assert (check.status, check.min_days) == (options["status"]["default"], options["min_days"]["default"])
    assert check.from_pod is (options["from"]["default"] == "pod")
