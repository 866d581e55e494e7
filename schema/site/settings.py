"""What a site file may hold: the settings that the spec declares or uses, and whether a file keeps to them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from schema.site.instances import LABEL, SAMPLE, expanded, sampled
from schema.site.site import CONTEXT, HOOKS, KUBECONFIG, OVERRIDES, REGISTRY, TRUST, Site
from schema.site.uses import Use, known_uses
from schema.spec.repeat import NAME
from schema.spec.settings import SettingSpec
from schema.spec.spec import Spec
from schema.syntax.document import describe
from schema.syntax.problems import did_you_mean
from schema.values.file import ValuesFile

_OURS = {
    REGISTRY: "Where the images go, HOST[:PORT][/PATH], as the cluster names it; instead of the bundle's own.",
    KUBECONFIG: "How this site's cluster is reached: a kubeconfig, beside this file; else as the environment says.",
    CONTEXT: "The context of the kubeconfig; else its current one.",
    HOOKS: "Whom to tell how an install ended: {installed: [[COMMAND, ARGUMENT], URL], failed: [...]}.",
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

    `releases` are those whose values a site may override, `repeated` those that it may by NAME-ITEM for each of a list.
    """

    known: Mapping[str, SettingSpec]
    releases: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, declared: Iterable[SettingSpec], used: Iterable[Use], **more: Any) -> Self:
        """The declared ones, then the others that are used; those of a list's entries are in the list's."""
        found = {each.name: each for each in declared}
        for name in dict.fromkeys(each.name.rest for each in used if each.name.space == "site"):
            above, _, member = name.partition(f".{SAMPLE}.")
            if not member:
                found.setdefault(name, SettingSpec(name=name))
                continue
            list_ = found.get(above, SettingSpec(name=above, type="array"))
            known = {NAME: SettingSpec(name=NAME, type="string")} | {each.name: each for each in list_.items}
            known.setdefault(member, SettingSpec(name=member))
            found[above] = replace(list_, type="array", items=tuple(known.values()))
        return cls(known={name: each for name, each in found.items() if name not in _OURS}, **more)

    @classmethod
    def of_spec(cls, spec: Spec, files: Iterable[ValuesFile]) -> Self:
        """Those of a spec and its values files."""
        releases = spec.install.releases
        sample = expanded(spec, lambda: sampled(spec, Site(), always=True))
        return cls.of(
            spec.settings,
            known_uses(sample, files),
            releases=tuple(each.name for each in releases if not each.for_each or each.for_each.first),
            repeated=tuple(each.name for each in releases if each.for_each),
        )

    def faults(self, site: Site) -> Iterator[str]:
        """What is wrong with the site's settings: names that nothing knows, values that are not as declared."""
        names = (*self.known, *_OURS)
        for name in site.names():
            if not any(f"{name}.".startswith(f"{each}.") or f"{each}.".startswith(f"{name}.") for each in names):
                hint = did_you_mean(name, names)
                yield f"{site.label}: unknown setting {name!r}" + (f"; {hint}" if hint else "")
        wrong = self.wrong(site)
        for name in wrong:
            right, value = expected(self.known[name], site.found(name)), _shown(site.found(name))
            yield f"{site.label}: setting {name!r} is {value}, expected {right}"
        for setting in self.known.values():
            entries = site.found(setting.name)
            if setting.items and setting.name not in wrong and isinstance(entries, list):
                yield from _entry_faults(setting, entries, site)

    def wrong(self, site: Site) -> Sequence[str]:
        """The settings whose values are not as declared."""
        values = ((setting, site.found(setting.name)) for setting in self.known.values())
        return [setting.name for setting, value in values if value is not None and expected(setting, value)]

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
        patterns = [f"^{re.escape(name)}-[a-z0-9-]+$" for name in self.repeated]
        overrides["patternProperties"] = {pattern: {"type": "object"} for pattern in patterns}
        root["properties"][OVERRIDES] |= overrides
        _put_properties(root, self.known.values())
        return root


def _put_properties(root: dict[str, Any], settings: Iterable[SettingSpec]) -> None:
    for setting in settings:
        *above, last = setting.name.split(".")
        place = root
        for key in above:
            place = place["properties"].setdefault(key, _mapping())
            place.setdefault("properties", {})
        place["properties"][last] = _property(setting)


def _entry_faults(setting: SettingSpec, entries: list[Any], site: Site) -> Iterator[str]:
    """What is wrong with the members of a list's entries, each of which counts as a site of its own."""
    members = Settings(known={each.name: each for each in setting.items})
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, dict):
            named = Site(label=f"{site.label}: {setting.name!r}, entry {number}", facts=entry)
            yield from members.faults(named)


def completed(site: Site, declared: Iterable[SettingSpec]) -> Site:
    """The site with the defaults of what it does not say."""
    facts: dict[str, Any] = dict(site.facts)
    for setting in declared:
        found = site.found(setting.name)
        if setting.default is not None and found is None:
            found = setting.default
            _put(facts, setting.name.split("."), found)
        if setting.items and isinstance(found, list):
            filled = (completed(Site(facts=each), setting.items) if isinstance(each, dict) else each for each in found)
            entries = [dict(each.facts) if isinstance(each, Site) else each for each in filled]
            _put(facts, setting.name.split("."), entries)
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
        "items": _entry(setting.items) if setting.items else [],
    }
    return {key: value for key, value in said.items() if value is not None and value not in ("", [])}


def _entry(settings: Iterable[SettingSpec]) -> dict[str, Any]:
    """The schema of a list's entries."""
    entry = {**_mapping(), "required": [NAME]}
    _put_properties(entry, settings)
    entry["properties"][NAME]["pattern"] = f"^{LABEL.pattern}$(?!\\n)"
    return entry
