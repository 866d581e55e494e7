"""Keys that the chart does not have."""

import json
from typing import Any

import pytest

from bundle.charts.package import pack
from schema.values.chart import ChartValues
from schema.values.unknown_keys import unknown_keys
from schema.values.values import Values, key_text

META = "apiVersion: v2\nname: demo\nversion: '1'\n"
VALUES = """\
replicaCount: 1
image: {repository: r, tag: t}
# commented: {a: 1}
#   alsoCommented: x
nothing:
free: {}
podAnnotations: {own: x}
resources: {limits: {cpu: 1}}
extraEnv: {A: b}
list: [{a: 1}]
text: plain
global: {site: x}
redis: {port: 1}
"""
REDIS = "apiVersion: v2\nname: redis\nversion: '1'\n"


def chart(**files: Any) -> ChartValues:
    """A chart of the usual files and these, `__` in names for a slash, `_dot_` for a dot."""
    named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in files.items()}
    content = {"Chart.yaml": META, "values.yaml": VALUES, **named}
    packed = pack((f"demo/{name}", c if isinstance(c, bytes) else c.encode()) for name, c in content.items())
    return ChartValues.read(packed, subject="chart 'demo'")


def unknown(given: Any, known: ChartValues) -> list[str]:
    return [key_text(key.path) for key in unknown_keys(Values(data=given, places={}), known)]


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"replicaCount": 2, "image": {"tag": "x"}}, []),
        ({"replicaCout": 2}, ["replicaCout"]),
        ({"image": {"tga": "x", "tag": "y"}}, ["image.tga"]),
        ({"unknown": {"a": {"b": 1}}}, ["unknown"]),
        ({"commented": {"x": 1}, "image": {"alsoCommented": 1}}, []),
        ({"nothing": {"x": 1}, "free": {"x": {"y": 1}}}, []),
        ({"podAnnotations": {"x": 1}, "resources": {"requests": {"cpu": 1}}, "extraEnv": {"B": 1}}, []),
        ({"list": [{"b": 1}], "text": {"a": 1}, "image": "text"}, []),
        ({"unknown": None, "image": {"x": None}}, []),
        ({"global": {"site": 1, "sight": 2}}, ["global.sight"]),
        ({"tags": {"x": True}}, []),
    ],
)
def test_the_chart_itself(given: Any, keys: list[str]) -> None:
    assert unknown(given, chart()) == keys


DEPENDENCIES = META + (
    "dependencies:\n"
    "  - {name: redis, version: '1', alias: cache, condition: 'cache.on,other.switch'}\n"
    "  - {name: redis, version: '1'}\n"
)
REDIS_FILES = {"charts__redis__Chart_dot_yaml": REDIS, "charts__redis__values_dot_yaml": "port: 1\nglobal: {r: 1}\n"}


@pytest.mark.parametrize("packed", [False, True], ids=["directory", "tgz"])
@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"redis": {"port": 2, "enabled": False}, "cache": {"port": 3}}, []),
        ({"redis": {"prt": 2}, "cache": {"x": 3}}, ["redis.prt", "cache.x"]),
        ({"cache": {"on": True}, "other": {"switch": True}}, []),
        ({"global": {"r": 2, "site": 3, "none": 4}}, ["global.none"]),
        ({"redis": {"global": {"r": 1, "site": 1}}}, ["redis.global.site"]),
        ({"redi": {}}, ["redi"]),
    ],
)
def test_subcharts(given: Any, keys: list[str], packed: bool) -> None:
    files: dict[str, Any] = dict(REDIS_FILES)
    if packed:
        inner = pack(
            (f"redis/{n}", c.encode()) for n, c in (("Chart.yaml", REDIS), ("values.yaml", "port: 1\nglobal: {r: 1}\n"))
        )
        files = {"charts__redis-1_dot_tgz": inner}
    assert unknown(given, chart(Chart_dot_yaml=DEPENDENCIES, **files)) == keys


SCHEMA = {
    "$defs": {"extra": {"properties": {"fromRef": {"properties": {"deep": {}}}}}},
    "allOf": [{"$ref": "#/$defs/extra"}, {"properties": {"fromAllOf": True}}],
    "properties": {
        "fromSchema": {"type": "string"},
        "image": {"patternProperties": {"^x-": {}}},
        "open": {"additionalProperties": {"type": "string"}},
    },
    "patternProperties": {"[": {"never": "valid"}},
}


def test_a_schema_adds_keys() -> None:
    schema = {key: value for key, value in SCHEMA.items() if key != "patternProperties"}
    known = chart(values_dot_schema_dot_json=json.dumps(schema))
    given = {
        "fromSchema": 1,
        "fromRef": {"deep": 1},
        "fromAllOf": 2,
        "image": {"x-y": 1, "y": 2},
        "open": {"any": 1},
        "other": 1,
    }
    assert unknown(given, known) == ["image.y", "other"]


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        json.dumps(SCHEMA),
        json.dumps({"$ref": "#"}),
        json.dumps({"$ref": "#/a/b"}),
        '{"properties": 3, "allOf": 3}',
        json.dumps({"allOf": [{"$ref": "#/allOf/0"}]}),
    ],
)
def test_an_odd_schema_breaks_nothing(schema: str) -> None:
    assert unknown({"replicaCount": 1}, chart(values_dot_schema_dot_json=schema)) == []


@pytest.mark.parametrize("values", ["", "# none\n", "- list\n", "a: {\n", "[" * 100_000], ids=str)
def test_a_chart_that_states_no_values_takes_any(values: str) -> None:
    assert unknown({"a": 1}, chart(values_dot_yaml=values)) == []


def test_what_is_said() -> None:
    values = Values(data={"replicaCout": 1, "zz": 2}, places={("replicaCout",): "v.yaml:1"})
    assert [str(key) for key in unknown_keys(values, chart())] == [
        "v.yaml:1: the chart has no value 'replicaCout'; did you mean 'replicaCount'?",
        "the chart has no value 'zz'",
    ]
