"""The spec without what a site leaves out: releases and secrets whose `when` does not hold there."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bundle.errors import FormatError
from schema.spec.install import InstallSpec, ReleaseSpec, SecretSpec
from schema.spec.spec import Spec
from schema.syntax.condition import holds
from schema.syntax.template import Name


def switched(spec: Spec, found: Callable[[str], Any]) -> Spec:
    """The spec as it is where settings have these values.

    Nothing waits for what is left out any more, and no secret is made in a namespace that only such a release has.
    `found` gives what the site file says (None: nothing), and is asked only for what a `when` names. What can't be told
    stays: its setting is missing, or wrong.
    """
    install = spec.install
    defaults = {setting.name: setting.default for setting in spec.settings}

    def value(name: Name) -> Any:
        told = found(name.rest)
        return defaults.get(name.rest) if told is None else told

    def is_there(each: SecretSpec | ReleaseSpec) -> bool:
        try:
            return not each.when or holds(each.when, value)
        except FormatError:
            return True

    off = tuple(each for each in install.releases if not is_there(each))
    secrets = tuple(each for each in install.secrets if is_there(each))
    if not off and len(secrets) == len(install.secrets):
        return spec
    return replace(spec, install=_without(off, replace(install, secrets=secrets)))


def _without(off: tuple[ReleaseSpec, ...], install: InstallSpec) -> InstallSpec:
    left_out = {each.name for each in off}

    def left(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in left_out)

    releases = [each for each in install.releases if each.name not in left_out]
    empty = {each.namespace for each in off} - {each.namespace for each in releases}
    placed = [(each, tuple(name for name in each.namespaces if name not in empty)) for each in install.secrets]
    return replace(
        install,
        secrets=tuple(replace(each, namespaces=names) for each, names in placed if names),
        releases=tuple(replace(each, needs=left(each.needs), after=left(each.after)) for each in releases),
        actions=tuple(replace(each, after=left(each.after)) for each in install.actions),
        backup=replace(install.backup, before_upgrade=left(install.backup.before_upgrade)),
        off=off,
    )
