"""`site=FILE`: the facts of one site, so that one bundle serves many. `${site.a.b}` is `b` in the mapping `a`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from bundle.errors import FormatError, SpecError, storage_errors
from schema.site.hooks import Hook, read_hooks
from schema.syntax.document import Node, describe, read
from schema.syntax.problems import Problems, did_you_mean
from schema.syntax.template import Name
from schema.values.file import ValuesFile, helm_scalar, values_of

TRUST = "trust"  # reserved: what the site demands of a bundle's origin, no fact
OVERRIDES = "overrides"  # reserved: values of releases, no facts
REGISTRY = "registry"  # reserved: where this site's images go
KUBECONFIG = "kubeconfig"  # reserved: how this site's cluster is reached
HOOKS = "on"  # reserved: whom to tell how an install ended, no facts
CONTEXT = "kube_context"  # reserved: which of the kubeconfig's clusters that is
_NO_FACTS = frozenset((TRUST, OVERRIDES, HOOKS))
_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTrust:
    """Who may sign bundles: the list `signers` (None: nobody is asked); `require` says that a bundle nobody signed is
    refused, `needed` how many different signers it must have. `bundles` are the names of those that the site takes;
    empty for all.
    """

    signers: Path | None
    require: bool
    bundles: tuple[str, ...] = ()
    needed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The facts; `label` is the file as the operator named it, empty when there is none. Facts are no secrets.

    `overrides` are values of releases, by release, that are stronger than the bundle's.
    """

    label: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    trust: SiteTrust | None = None
    overrides: Mapping[str, ValuesFile] = field(default_factory=dict)
    hooks: Mapping[str, tuple[Hook, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a site file; a SpecError lists everything that is wrong with it, by place."""
        problems = Problems(str(path))
        with storage_errors("read the site file", path):
            try:
                root = read(path, problems, may_be_empty=True, keys=(HOOKS,))
            except (FileNotFoundError, IsADirectoryError) as err:
                raise SpecError(f"there is no site file {str(path)!r}", [], hint="name one with site=FILE") from err
        if root is not None and not isinstance(root.value, dict):
            problems.add(root.place, f"the file is {describe(root.value)}", expected="a mapping of facts")
        members = root.members() if root else {}
        trust = _trust(members[TRUST], path.parent, problems) if TRUST in members else None
        overrides = _overrides(members[OVERRIDES], problems) if OVERRIDES in members else {}
        facts = {name: _plain(node, problems) for name, node in members.items() if name not in _NO_FACTS}
        hooks = read_hooks(members[HOOKS], problems) if HOOKS in members else {}
        for name in (KUBECONFIG, CONTEXT):
            if name in members and not isinstance(members[name].value, str):
                problems.add(members[name].place, f"{name!r} is {describe(members[name].value)}", expected="text")
        _check_keys(members, problems)
        problems.raise_all()
        return cls(label=str(path), facts=facts, trust=trust, overrides=overrides, hooks=hooks)

    @property
    def registry(self) -> str:
        """Where this site's images go, `HOST[:PORT][/PATH]`, instead of the spec's registry.prefix; empty for there."""
        found = self.facts.get(REGISTRY)
        return found if isinstance(found, str) else ""

    @property
    def kubeconfig(self) -> Path | None:
        """The file that says how the site's cluster is reached; None for what the environment names."""
        found = self.facts.get(KUBECONFIG)
        return Path(self.label).parent / Path(found).expanduser() if isinstance(found, str) and found else None

    @property
    def kube_context(self) -> str:
        """The context of the kubeconfig; empty for its current one."""
        found = self.facts.get(CONTEXT)
        return found if isinstance(found, str) else ""

    def value(self, name: Name) -> Any:
        """The fact, with its YAML type; a FormatError that lists what there is when it is missing or null."""
        found = self.found(name.rest)
        if found is None:
            if not self.label:
                raise FormatError(f"undefined {name}: no site file was given", hint="give one with site=FILE")
            what = f"undefined {name}: {self.label} has no {name.rest!r}"
            raise FormatError(what, hint=did_you_mean(name.rest, self.names()) or f"add it to {self.label}")
        return found

    def found(self, name: str) -> Any:
        """The fact `a.b` with its YAML type; None when it is missing or null. An entry of a list goes by its `name`."""
        found: Any = self.facts
        for key in name.split("."):
            if isinstance(found, list):
                found = next((each for each in found if isinstance(each, dict) and each.get("name") == key), None)
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return found

    def plain(self) -> dict[str, Any]:
        """The facts, and the overrides as they are written, `${...}` and all."""
        own = {name: file.root.plain() for name, file in self.overrides.items()}
        return {**self.facts, **({OVERRIDES: own} if own else {})}

    def with_facts(self, facts: Mapping[str, Any]) -> Self:
        """The same site with these facts."""
        return replace(self, facts=facts)

    def names(self) -> Iterator[str]:
        """The facts that are no mappings, as they follow `site.`."""
        return _names(self.facts, "")


def _names(facts: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in facts.items():
        if isinstance(value, dict) and value:
            yield from _names(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}"


def _overrides(node: Node, problems: Problems) -> Mapping[str, ValuesFile]:
    """Read `overrides: {RELEASE: {KEY: VALUE}}`; what is empty overrides nothing."""
    below = [(f"'overrides' of {name!r}", each) for name, each in node.members().items()]
    for subject, each in [("'overrides'", node), *below]:
        if each.value is not None and not isinstance(each.value, dict):
            hint = "write overrides: {RELEASE: {KEY: VALUE}}, the keys as the chart's values.yaml has them"
            problems.add(each.place, f"{subject} is {describe(each.value)}", expected="a mapping", hint=hint)
    return {name: values_of(each, problems.file, problems) for name, each in node.members().items()}


def _trust(node: Node, base: Path, problems: Problems) -> SiteTrust | None:
    """Read `trust: {signers: FILE, require: true, bundles: [NAME]}`, FILE relative to the site file."""
    known = ("signers", "require", "bundles")
    for name, member in node.members().items():
        if name not in known:
            problems.add(
                member.key or member.place, f"unknown key {name!r} in 'trust'", hint=did_you_mean(name, known) or ""
            )
    signers, require = node.get("signers"), node.get("require")
    bundles = _bundles(node.get("bundles"), problems)
    if signers is None and bundles:
        if require is not None:
            problems.add(require.place, "'require' without 'signers'", hint="name the list of who may sign")
        return SiteTrust(signers=None, require=False, bundles=bundles)
    if signers is None or not isinstance(signers.value, str) or not signers.value:
        hint = "write trust: {signers: FILE}, FILE in the format of ssh-keygen's allowed signers"
        problems.add((signers or node).place, "'trust' names no list of signers", expected="a file's name", hint=hint)
        return None
    needed = _needed(require, problems)
    path = base / Path(signers.value).expanduser()
    if not path.is_file():
        problems.add(signers.place, f"'signers': there is no file {str(path)!r}", hint="paths begin at the site file")
    return SiteTrust(signers=path, require=needed > 0, bundles=bundles, needed=max(needed, 1))


def _needed(require: Node | None, problems: Problems) -> int:
    """How many signers `require` says: true is one, false none."""
    value = True if require is None else require.value
    if require is not None and (not isinstance(value, int) or (value < 1 and value is not False)):
        expected = "true, false or how many different signers"
        problems.add(require.place, f"'require' is {describe(value)}", expected=expected)
    return value if isinstance(value, int) else 1


def _bundles(node: Node | None, problems: Problems) -> tuple[str, ...]:
    if node is None:
        return ()
    names = [item.value for item in node.items()]
    texts = tuple(name for name in names if isinstance(name, str) and name)
    if not texts or len(texts) != len(names):
        hint = "write trust: {bundles: [NAME]}, each as `bundle: {name: ...}` of its spec has it"
        problems.add(node.place, f"'bundles' is {describe(node.value)}", expected="a list of names", hint=hint)
    return texts


def _check_keys(members: Mapping[str, Node], problems: Problems) -> None:
    for key, member in members.items():
        if not _KEY.fullmatch(key):
            hint = "use letters, digits, '_' and '-'; a dot stands between nested keys"
            problems.add(member.key or member.place, f"key {key!r} can't be named in ${{site...}}", hint=hint)


def _plain(node: Node, problems: Problems) -> Any:
    if isinstance(node.value, dict):
        _check_keys(node.value, problems)
        return {key: _plain(member, problems) for key, member in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item, problems) for item in node.value]
    value = helm_scalar(node, problems)
    if isinstance(value, str) and "${" in value:
        problems.add(node.place, "a fact that holds ${", hint="facts are plain; names are resolved in values files")
    return value
