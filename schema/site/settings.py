"""What a site file may hold: the settings that the spec declares or uses, and whether a file keeps to them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from schema.site.site import CONTEXT, KUBECONFIG, OVERRIDES, REGISTRY, TRUST, Site
from schema.site.uses import Use, known_uses
from schema.spec.settings import SettingSpec
from schema.spec.spec import Spec
from schema.syntax.document import describe
from schema.syntax.problems import did_you_mean
from schema.values.file import ValuesFile

_OURS = {
    REGISTRY: "Where the images go, HOST[:PORT][/PATH], as the cluster names it; instead of the bundle's own.",
    KUBECONFIG: "How this site's cluster is reached: a kubeconfig, beside this file; else as the environment says.",
    CONTEXT: "The context of the kubeconfig; else its current one.",
    OVERRIDES: "Values of charts by release, stronger than the bundle's: {RELEASE: {KEY: VALUE}}.",
    TRUST: "Who may sign bundles for this site: {signers: FILE, require: true or N, bundles: [NAME]}.",
}
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "array": ((list,), "a list"),
    "object": ((dict,), "a mapping"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting by its name, declared or only used, in the order of the spec. None of them is reserved.

    `releases` are those whose values a site may override.
    """

    known: Mapping[str, SettingSpec]
    releases: tuple[str, ...] = ()

    @classmethod
    def of(cls, declared: Iterable[SettingSpec], used: Iterable[Use], *, releases: Iterable[str] = ()) -> Self:
        """The declared ones, then the others that are used."""
        names = dict.fromkeys(each.name.rest for each in used if each.name.space == "site")
        found = {each.name: each for each in declared}
        found |= {name: SettingSpec(name=name) for name in names if name not in found}
        known = {name: each for name, each in found.items() if name not in _OURS}
        return cls(known=known, releases=tuple(releases))

    @classmethod
    def of_spec(cls, spec: Spec, files: Iterable[ValuesFile]) -> Self:
        """Those of a spec and its values files."""
        return cls.of(spec.settings, known_uses(spec, files), releases=[each.name for each in spec.install.releases])

    def faults(self, site: Site) -> Iterator[str]:
        """What is wrong with the site's settings: names that nothing knows, values that are not as declared."""
        names = (*self.known, *_OURS)
        for name in site.names():
            if not any(f"{name}.".startswith(f"{each}.") or f"{each}.".startswith(f"{name}.") for each in names):
                hint = did_you_mean(name, names)
                yield f"{site.label}: unknown setting {name!r}" + (f"; {hint}" if hint else "")
        for setting in self.known.values():
            value = site.found(setting.name)
            if value is not None and (right := expected(setting, value)):
                yield f"{site.label}: setting {setting.name!r} is {_shown(value)}, expected {right}"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a site file."""
        root: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "site.yaml",
            "description": "What one site decides. No secrets here.",
            **_mapping(),
        }
        for name, description in _OURS.items():
            root["properties"][name] = {"description": description}
        overrides = _mapping()
        overrides["properties"] = {name: {"type": "object"} for name in self.releases}
        root["properties"][OVERRIDES] |= overrides
        for setting in self.known.values():
            *above, last = setting.name.split(".")
            place = root
            for key in above:
                place = place["properties"].setdefault(key, _mapping())
                place.setdefault("properties", {})
            place["properties"][last] = _property(setting)
        return root


def completed(site: Site, declared: Iterable[SettingSpec]) -> Site:
    """The site with the defaults of what it does not say."""
    facts: dict[str, Any] = dict(site.facts)
    for setting in declared:
        if setting.default is not None and site.found(setting.name) is None:
            _put(facts, setting.name.split("."), setting.default)
    return site.with_facts(facts)


def _put(facts: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a nested value; what is no mapping on the way stays, and is told of as a wrong value."""
    key, *rest = path
    if not rest:
        facts[key] = value
        return
    below = facts.get(key)
    if below is None or isinstance(below, dict):
        facts[key] = dict(below or {})
        _put(facts[key], rest, value)


def expected(setting: SettingSpec, value: Any) -> str:
    """What a value of this setting should be; empty when it is that."""
    if setting.choices:
        return "" if value in setting.choices else f"one of {', '.join(map(str, setting.choices))}"
    if not setting.type:
        return ""
    types, words = _TYPES[setting.type]
    is_right = isinstance(value, types) and (setting.type == "boolean" or not isinstance(value, bool))
    return "" if is_right else words


def _shown(value: Any) -> str:
    return f"{value!r}" if isinstance(value, str) else describe(value)


def _mapping() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _property(setting: SettingSpec) -> dict[str, Any]:
    said = {
        "type": setting.type,
        "description": setting.description,
        "default": setting.default,
        "enum": list(setting.choices),
        "examples": [setting.example] if setting.example is not None else [],
    }
    return {key: value for key, value in said.items() if value is not None and value not in ("", [])}
