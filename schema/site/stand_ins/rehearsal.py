"""What of an installation a throwaway target can show, and what stands in for what is only known inside."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from schema.site.site import Site
from schema.site.uses import Use
from schema.spec.install import InstallSpec, KubernetesSpec
from schema.spec.spec import Spec
from schema.syntax.template import Name

Extent = Literal["", "images", "cluster"]
"""Empty: a real installation. `images`: registry and receipt. `cluster`: secrets and releases too."""

PLACEHOLDER = "rehearsal.invalid"  # RFC 2606: never anybody's host
MARK = "airgap.rehearsal/id"  # annotation of a namespace: whose rehearsal's things are in it
MADE = "airgap.rehearsal/made"  # and that the rehearsal made the namespace itself
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(:\d+)?(/.*)?")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}(:\d+)?(/.*)?|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?(:\d+)?")
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBPDCB4qADAgECAgEBMAoGCCqGSM49BAMCMBwxGjAYBgNVBAMMEXJlaGVhcnNh
bC5pbnZhbGlkMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAcMRow
GAYDVQQDDBFyZWhlYXJzYWwuaW52YWxpZDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABPylzZ12BzQYyvhSLczAKlmLettHMs/4/cq/hXMQRWqpTLfhUmHieAnBJ8gO
bDWQdY81fRIGdCtgNZ9VJ/DQMqKjEzARMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSQAwRgIhAPZdMHh2sBHtFGQMpDMmKulX5SILVJX8BiZOgkdGUCrUAiEA
peHvIBvxJukPQesz37onIjltivtnD1JF2WvVz88nlDI=
-----END CERTIFICATE-----
"""  # of that host, made once; its key was thrown away


def rehearsed(spec: Spec, extent: Extent) -> Spec:
    """The spec without what a rehearsal leaves out: checks, actions, addresses, classes and certificates of the site.

    What came after an action comes after what that action came after.
    """
    if not extent:
        return spec
    if extent == "images":
        return replace(spec, install=InstallSpec())
    install = spec.install
    through = _through(install)
    releases = tuple(
        replace(each, health=(), needs=(), after=tuple(dict.fromkeys(through([*each.needs, *each.after]))))
        for each in install.releases
    )
    kubernetes = KubernetesSpec(min_version=install.kubernetes.min_version)
    secrets = tuple(replace(each, hosts=(), ca="", min_days=0) for each in install.secrets)
    left = replace(install, kubernetes=kubernetes, secrets=secrets, releases=releases, actions=(), checks=())
    return replace(spec, install=left)


def stand_in_outputs(used: Iterable[Use]) -> Mapping[str, Mapping[str, Any]]:
    """What actions that were not run would have printed, as far as it is used."""
    outputs: dict[str, dict[str, Any]] = {}
    for use in used:
        if use.name.space == "output":
            outputs.setdefault(use.name.subject, {})[use.name.part] = PLACEHOLDER
    return outputs


def is_address(value: Any) -> bool:
    """Whether a fact names a host, alone or in a URL: what pods that use it would connect to."""
    return isinstance(value, str) and bool("://" in value or _HOST.fullmatch(value) or _IP.fullmatch(value))


def completed(site: Site, lacking: Iterable[Name], lists: Collection[str] = ()) -> Mapping[str, Any]:
    """The site's facts with a placeholder for each of `lacking`, which is empty for lists; no other fact is changed."""
    facts: dict[str, Any] = _copied(site.facts)
    for name in lacking:
        *above, last = name.rest.split(".")
        place: Any = facts
        for key in above:
            if isinstance(place, list):
                place = next((each for each in place if isinstance(each, dict) and each.get("name") == key), {})
                continue
            if not isinstance(place.get(key), dict | list):
                place[key] = {}
            place = place[key]
        if isinstance(place, dict):
            place[last] = [] if name.rest in lists else PLACEHOLDER
    return facts


def _copied(facts: Any) -> Any:
    if isinstance(facts, Mapping):
        return {key: _copied(value) for key, value in facts.items()}
    return [_copied(each) for each in facts] if isinstance(facts, list) else facts


def _through(install: InstallSpec) -> Callable[[Iterable[str]], Iterator[str]]:
    actions = {action.name: action.after for action in install.actions}

    def releases(names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name in actions:
                yield from releases(actions[name])
            else:
                yield name

    return releases
