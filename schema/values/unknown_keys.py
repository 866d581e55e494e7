"""Keys of values that the chart does not have: Helm passes them on, and the chart ignores them silently."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from schema.syntax.problems import did_you_mean
from schema.values.chart import ChartValues
from schema.values.values import KeyPath, Values, key_text

# What charts hand on to Kubernetes as it is: any key may stand below.
_HANDED_ON = re.compile(
    r"(annotations|labels|selector|env|envs|environment|variables|data|resources|limits|requests|affinity|strategy"
    r"|securitycontext|probe)$",
    re.IGNORECASE,
)
_MAX_DEPTH = 8  # of references and combinations in a values.schema.json


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKey:
    """A key that nothing in the chart answers to; `place` is `file:line`, empty when not known."""

    path: KeyPath
    place: str
    hint: str

    def __str__(self) -> str:
        text = f"{self.place + ': ' if self.place else ''}the chart has no value {key_text(self.path)!r}"
        return f"{text}; {self.hint}" if self.hint else text


def unknown_keys(values: Values, chart: ChartValues) -> tuple[UnknownKey, ...]:
    """The topmost unknown keys, in the order of the values; none for a chart that states no values at all.

    Known are the keys of the chart's and its subcharts' values.yaml, also those in comments, and of values.schema.json.
    An empty mapping there takes any key, and so does what is known to be handed on (annotations, env, ...). A null is
    never reported, because it takes something away.
    """
    if not (chart.defaults or chart.schema or chart.subcharts):
        return ()
    level = _Level(chart=chart, known=chart.defaults, schemas=_flat(chart.schema, chart.schema))
    return tuple(
        UnknownKey(path=path, place=values.places.get(path, ""), hint=hint) for path, hint in level.unknown(values.data)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """One mapping of a chart's values: `path` is where it is from the top, `own` where inside this chart."""

    chart: ChartValues
    known: Mapping[str, Any]
    schemas: Sequence[Mapping[str, Any]]
    path: KeyPath = ()
    own: KeyPath = ()

    def unknown(self, given: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
        """The unknown keys below, each with a hint."""
        for key, value in given.items():
            inner = _property(self.schemas, key, self.chart.schema)
            if key in self._subcharts or key in self.known or (key == "global" and not self.own):
                level = self._below(key, inner or [])
                if isinstance(value, Mapping) and level.known and not _HANDED_ON.search(key):
                    yield from level.unknown(value)
            elif value is not None and inner is None and not self._expected(key):
                yield (*self.path, key), did_you_mean(key, [*self.known, *self._subcharts])

    @property
    def _subcharts(self) -> Mapping[str, ChartValues]:
        return {} if self.own else self.chart.subcharts

    def _below(self, key: str, schemas: Sequence[Mapping[str, Any]]) -> Self:
        path, known = (*self.path, key), _mapping(self.known.get(key))
        if chart := self._subcharts.get(key):
            switches = {path.split(".")[1]: True for path in self.chart.switches if path.startswith(f"{key}.")}
            known = {"enabled": True, **switches, **chart.defaults, **known} if chart.defaults or known else {}
            return type(self)(chart=chart, known=known, schemas=_flat(chart.schema, chart.schema), path=path)
        if key == "global" and not self.own:
            known = self.chart.globals
        return type(self)(chart=self.chart, known=known, schemas=schemas, path=path, own=(*self.own, key))

    def _expected(self, key: str) -> bool:
        """Whether values.yaml has the key in a comment, or Chart.yaml has it to turn dependencies on (also as tags)."""
        text = key_text((*self.own, key))
        switched = any(switch == text or switch.startswith(f"{text}.") for switch in self.chart.switches)
        return switched or key in self.chart.comments or text == "tags"


def _flat(schema: Any, root: Mapping[str, Any], depth: int = 0) -> list[Mapping[str, Any]]:
    """A JSON schema and those that it is made of (local references, allOf and the like)."""
    if not isinstance(schema, Mapping) or not schema or depth > _MAX_DEPTH:
        return []
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in _list(schema.get(key))]
    parts += [schema[key] for key in ("then", "else") if key in schema]
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for step in reference[2:].split("/"):
            target = _mapping(target).get(step)
        parts.append(target)
    return [schema, *(found for part in parts for found in _flat(part, root, depth + 1))]


def _property(
    schemas: Sequence[Mapping[str, Any]], key: str, root: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]] | None:
    """The schemas of a member; None where they know no such member."""
    found = []
    for schema in schemas:
        properties = _mapping(schema.get("properties"))
        found += [properties[key]] if key in properties else []
        found += [sub for pattern, sub in _mapping(schema.get("patternProperties")).items() if _fits(pattern, key)]
        if isinstance(schema.get("additionalProperties"), Mapping):
            found.append(schema["additionalProperties"])
    return [part for member in found for part in _flat(member, root)] if found else None


def _fits(pattern: str, key: str) -> bool:
    """Whether an ECMA pattern matches; one that Python can't read counts as matching."""
    try:
        return re.search(pattern, key) is not None
    except re.error:
        return True


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
