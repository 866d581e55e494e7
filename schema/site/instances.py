"""The spec of one site: entries with `for_each` once for each entry of the site's list, by their own names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol, TypeVar

from bundle.errors import FormatError
from bundle.formats.grammar import parse_name
from schema.site.site import Site
from schema.spec.backup import DumpSpec
from schema.spec.checks import CheckSpec, HealthSpec
from schema.spec.install import ActionSpec, InstallSpec, ReleaseSpec, SecretSpec
from schema.spec.repeat import NAME, ForEach, Instance
from schema.spec.spec import Spec
from schema.syntax.document import describe

SAMPLE = "item"  # the name of an entry that stands for those of a site that is not known
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class _Repeated(Protocol):
    @property
    def for_each(self) -> ForEach | None: ...


_R = TypeVar("_R", bound=_Repeated)


def expanded(spec: Spec, site: Callable[[], Site]) -> Spec:
    """The spec with each repeated entry once for each item of its list, as far as the items have names.

    `site` gives what the site file says, without defaults; it is asked only when something is repeated.
    """
    lists = () if spec.install.lists else lists_of(spec.install)
    return replace(spec, install=_Expansion.of(spec, lists, site()).install(spec.install)) if lists else spec


def lists_of(install: InstallSpec) -> tuple[ForEach, ...]:
    """What entries are repeated over, or were before it was expanded."""
    return install.lists or tuple(dict.fromkeys(each.for_each for each in _entries(install) if each.for_each))


def sampled(spec: Spec, site: Site, *, always: bool = False) -> Site:
    """The site with an entry in each list that has none (`always`: in every list), so that all is there once.

    `always` has what stands for the first of several be there too.
    """
    facts = dict(site.facts)
    for each in lists_of(spec.install):
        if always or not (each.first or _items(spec, each, site)):
            _put(facts, each.list, [{NAME: SAMPLE}])
        if always and each.first:
            _put(facts, each.first, {})
    return site.with_facts(facts)


def _put(facts: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    for key in above:
        below = facts.get(key)
        facts[key] = dict(below) if isinstance(below, Mapping) else {}
        facts = facts[key]
    facts[last] = value


def instance_faults(spec: Spec, site: Site) -> Iterator[str]:
    """What is wrong with the lists that entries are repeated over, and with the names that come of them."""
    for each in dict.fromkeys(each.list for each in lists_of(spec.install)):
        yield from _list_faults(f"{site.label}: {each!r}", site.found(each))
    install = expanded(spec, lambda: site).install
    steps = [*(each.name for each in install.releases), *(each.name for each in install.actions)]
    yield from _taken(site, "release or action", steps)
    yield from _taken(site, "secret", [each.name for each in install.secrets])
    yield from _taken(site, "backup command", [each.name for each in install.backup.commands])
    try:
        for release in install.releases:
            parse_name(release.name, f"{site.label}: the name of a release", "release")
        for name in (*install.namespaces, *(secret.name for secret in install.secrets)):
            parse_name(name, f"{site.label}: the name of a namespace or secret", "label")
        for action in install.actions:
            parse_name(action.name, f"{site.label}: the name of an action", "label")
    except FormatError as err:
        yield f"{err.what}; give the entry of the list a shorter `{NAME}`"


def _list_faults(subject: str, value: Any) -> Iterator[str]:
    """What is wrong with a list's entries; of what is no list the setting's type tells."""
    seen: set[str] = set()
    for number, item in enumerate(value if isinstance(value, list) else (), 1):
        name = item.get(NAME) if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping):
            yield f"{subject}, entry {number} is {describe(item)}, expected a mapping with a `{NAME}`"
        elif name is None:
            yield f"{subject}, entry {number} has no {NAME!r}"
        elif not isinstance(name, str) or not LABEL.fullmatch(name):
            yield f"{subject}, entry {number} has the {NAME} {name!r}, expected lower-case letters, digits and '-'"
        elif name in seen:
            yield f"{subject}, entry {number}: the {NAME} {name!r} is taken; give each its own"
        else:
            seen.add(name)


def _taken(site: Site, kind: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{site.label}: there would be two of {kind} {name!r}; give the entry of the list another `{NAME}`"
        seen.add(name)


def _items(spec: Spec, each: ForEach, site: Site) -> list[str]:
    """The names of the entries of a list, as far as they have good ones."""
    default = next((setting.default for setting in spec.settings if setting.name == each.list), None)
    found = site.found(each.list)
    entries = (default if found is None else found) or ()
    names = [entry.get(NAME) for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and LABEL.fullmatch(name)))


def _entries(install: InstallSpec) -> Iterator[_Repeated]:
    yield from chain(install.secrets, install.releases, install.actions, install.checks, install.backup.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expansion:
    """`instances` of each list, `steps` the releases and actions that are repeated, by name, with their list."""

    instances: Mapping[ForEach, tuple[Instance, ...]]
    steps: Mapping[str, ForEach]

    @classmethod
    def of(cls, spec: Spec, lists: Iterable[ForEach], site: Site) -> "_Expansion":
        install = spec.install
        steps = {each.name: each.for_each for each in install.releases if each.for_each}
        steps |= {each.name: each.for_each for each in install.actions if each.for_each}
        instances = {}
        for each in lists:
            names = _items(spec, each, site)
            places = [(f"{each.list}.{name}", name) for name in names]
            if each.first and (not names or site.found(each.first) is not None):
                places.insert(0, (each.first, ""))
            instances[each] = tuple(
                Instance(
                    place=place,
                    name=name,
                    secrets=frozenset(secret.name for secret in install.secrets if secret.for_each == each),
                    steps=frozenset(step for step, over in steps.items() if over == each),
                )
                for place, name in places
            )
        return cls(instances=instances, steps=steps)

    def install(self, install: InstallSpec) -> InstallSpec:
        """All of it, each entry by itself."""
        backup = install.backup
        return replace(
            install,
            secrets=self._each(install.secrets, self._secret, once=lambda each: self._shared(each, install)),
            releases=self._each(install.releases, self._release, once=lambda each: self._ordered(each, None)),
            actions=self._each(install.actions, self._action, once=lambda each: self._follows(each, None)),
            checks=self._each(install.checks, _check),
            backup=replace(
                backup,
                before_upgrade=self._named(backup.before_upgrade, None),
                commands=self._each(backup.commands, _dump),
            ),
            lists=tuple(self.instances),
        )

    def _each(
        self, entries: Iterable[_R], make: Callable[[_R, Instance], _R], *, once: Callable[[_R], _R] = lambda each: each
    ) -> tuple[_R, ...]:
        found: list[_R] = []
        for entry in entries:
            over = entry.for_each
            found += [once(entry)] if over is None else [make(entry, each) for each in self.instances[over]]
        return tuple(found)

    def _secret(self, secret: SecretSpec, item: Instance) -> SecretSpec:
        return replace(
            secret,
            name=f"{secret.name}{item.suffix}",
            namespaces=tuple(dict.fromkeys(item.named(each) for each in secret.namespaces)),
            data={key: item.filled(text) for key, text in secret.data.items()},
            hosts=tuple(item.filled(text) for text in secret.hosts),
            ca=item.filled(secret.ca),
            for_each=None,
        )

    def _shared(self, secret: SecretSpec, install: InstallSpec) -> SecretSpec:
        """A secret that is there once: in each namespace of a repeated release."""
        over = {release.namespace: release.for_each for release in install.releases if release.for_each}
        names = []
        for namespace in secret.namespaces:
            each = over.get(namespace)
            names += [item.named(namespace) for item in self.instances[each]] if each else [namespace]
        return replace(secret, namespaces=tuple(dict.fromkeys(names)))

    def _release(self, release: ReleaseSpec, item: Instance) -> ReleaseSpec:
        return replace(
            self._ordered(release, item),
            name=f"{release.name}{item.suffix}",
            namespace=item.named(release.namespace),
            values=tuple(replace(each, when=item.filled(each.when)) for each in release.values),
            health=tuple(_health(each, item) for each in release.health),
            for_each=None,
            instance=item,
        )

    def _action(self, action: ActionSpec, item: Instance) -> ActionSpec:
        return replace(
            self._follows(action, item),
            name=f"{action.name}{item.suffix}",
            run=tuple(item.filled(text) for text in action.run),
            env={key: item.filled(text) for key, text in action.env.items()},
            inputs=tuple(item.filled(text) for text in action.inputs),
            for_each=None,
        )

    def _ordered(self, release: ReleaseSpec, item: Instance | None) -> ReleaseSpec:
        return replace(release, needs=self._named(release.needs, item), after=self._named(release.after, item))

    def _follows(self, action: ActionSpec, item: Instance | None) -> ActionSpec:
        return replace(action, after=self._named(action.after, item))

    def _named(self, names: Iterable[str], item: Instance | None) -> tuple[str, ...]:
        """What to wait for: the steps of the same item, and all of what is repeated over another list."""
        found: list[str] = []
        for name in names:
            over = self.steps.get(name)
            if over is None:
                found.append(name)
            elif item and name in item.steps:
                found.append(f"{name}{item.suffix}")
            else:
                found += [f"{name}{each.suffix}" for each in self.instances[over]]
        return tuple(found)


def _check(check: CheckSpec, item: Instance) -> CheckSpec:
    run = tuple(item.filled(text) for text in check.run)
    return replace(check, subject=item.filled(check.subject), run=run, for_each=None)


def _dump(command: DumpSpec, item: Instance) -> DumpSpec:
    return replace(
        command,
        name=f"{command.name}{item.suffix}",
        run=tuple(item.filled(text) for text in command.run),
        env={key: item.filled(text) for key, text in command.env.items()},
        for_each=None,
        restore=command.restore.filled(item.filled) if command.restore else None,
    )


def _health(health: HealthSpec, item: Instance) -> HealthSpec:
    members = {key: item.filled(text) for key, text in health.json.items()}
    return replace(health, url=item.filled(health.url), text=item.filled(health.text), json=members)
