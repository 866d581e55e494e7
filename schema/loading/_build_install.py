"""From a structurally valid document to the typed spec: what happens inside (`install`)."""

from collections.abc import Collection, Mapping
from typing import cast

from bundle.oci.reference import Reference
from schema.loading._build import Reader, mapping, text, texts
from schema.loading._rules import scalars
from schema.spec.backup import DEFAULT_MAX_AGE, BackupSpec, DumpSpec, RestoreCheckSpec, RestoreSpec
from schema.spec.checks import CHECK_KINDS, CheckSpec, HealthSpec
from schema.spec.generate import Generate
from schema.spec.install import (
    DEFAULT_MIN_DAYS,
    DEFAULT_TIMEOUT,
    MIN_KUBERNETES,
    ActionSpec,
    Crds,
    InstallSpec,
    KubernetesSpec,
    ReleaseSpec,
    SecretSpec,
    SecretType,
    ValuesSpec,
)
from schema.spec.repeat import ForEach
from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.notation import parse_duration
from schema.syntax.problems import Problems, listed
from schema.syntax.secrecy import check_environment, check_reference, check_visible

# Which keys belong to which type of secret.
_SECRET_KEYS: dict[str, set[str]] = {
    "docker-registry": {"username", "password"},
    "opaque": {"data", "generate"},
    "tls": {"certificate", "key", "hosts", "min_days", "ca"},
}
_SECRET_VALUES = ("username", "password", "certificate", "key")


def build_install(reader: Reader, node: Node | None) -> InstallSpec:
    """Read `install`; without it nothing happens inside."""
    if node is None:
        return InstallSpec()
    releases = tuple(build_release(reader, item) for item in node.entries("releases"))
    return InstallSpec(
        kubernetes=build_kubernetes(node.get("kubernetes")),
        crds=cast("Crds", text(node.get("crds"), "keep")),
        secrets=tuple(build_secret(reader, item, releases) for item in node.entries("secrets")),
        releases=releases,
        actions=tuple(build_action(reader, item) for item in node.entries("actions")),
        checks=tuple(build_check(reader, item) for item in node.entries("checks")),
        notes=_notes(reader, node.get("notes")),
        backup=build_backup(reader, node.get("backup")),
    )


def build_kubernetes(node: Node | None) -> KubernetesSpec:
    """Read `install.kubernetes`."""
    if node is None:
        return KubernetesSpec()
    return KubernetesSpec(
        min_version=text(node.get("min_version"), MIN_KUBERNETES),
        api_versions=texts(node.get("api_versions")),
        ingress_class=text(node.get("ingress_class")),
        storage_class=text(node.get("storage_class")),
    )


def build_secret(reader: Reader, node: Node, releases: Collection[ReleaseSpec]) -> SecretSpec:
    """Read one of `install.secrets`; without namespaces it is in those of `releases`, a repeated one of its list's."""
    for_each = build_for_each(node)
    users = [each for each in releases if for_each in (None, each.for_each)]
    namespaces = dict.fromkeys(each.namespace for each in users)
    name, kind = text(node.get("name")), text(node.get("type"), "opaque")
    subject = f"secret {name!r}"
    refuse_foreign(reader.problems, node, f"{subject} of type {kind}", _SECRET_KEYS, kind)
    data, generate = node.get("data"), node.get("generate")
    if kind == "opaque" and (data is None) == (generate is None):
        has = "both 'data' and 'generate'" if data else "neither 'data' nor 'generate'"
        reader.problems.add(node.place, f"{subject} has {has}", expected="one of them")
    if not namespaces and node.get("namespaces") is None:
        hint = "there is no release to take them from"
        reader.problems.add(node.place, f"{subject} is missing 'namespaces'", hint=hint)
    values = dict(data.members()) if data else {}
    values |= {
        key: value for key in sorted(_SECRET_KEYS[kind].intersection(_SECRET_VALUES)) if (value := node.get(key))
    }
    for key, value in values.items():
        if key != "username" or kind != "docker-registry":
            check_reference(reader.problems, value, f"{subject}: {key!r}")
    return SecretSpec(
        name=name,
        type=cast("SecretType", kind),
        namespaces=texts(node.get("namespaces")) or tuple(namespaces),
        data={key: text(value) for key, value in values.items()},
        generate=reader.parse(generate, subject, Generate.parse) if generate else None,
        hosts=texts(node.get("hosts")),
        min_days=_number(node.get("min_days"), DEFAULT_MIN_DAYS if kind == "tls" else 0),
        ca=text(node.get("ca")),
        when=text(node.get("when")),
        for_each=for_each,
    )


def build_for_each(node: Node) -> ForEach | None:
    """Read an entry's `for_each`."""
    found = node.get("for_each")
    if found is None:
        return None
    return ForEach.of(text(found.get("list")) or text(found), text(found.get("first")))


def build_release(reader: Reader, node: Node) -> ReleaseSpec:
    """Read one of `install.releases`."""
    name, timeout, ignored = text(node.get("name")), node.get("timeout"), node.get("ignore_images")
    steady = node.get("steady")
    subject = f"release {name!r}"
    for image, reason in ignored.members().items() if ignored else ():
        reader.parse(_key_of(reason, image), subject, Reference.parse)
    return ReleaseSpec(
        name=name,
        chart=text(node.get("chart")),
        namespace=text(node.get("namespace")),
        values=tuple(found for item in node.entries("values") if (found := _values(reader, item, subject))),
        timeout=(reader.parse(timeout, subject, parse_duration) if timeout else None) or DEFAULT_TIMEOUT,
        health=tuple(build_health(reader, item, subject) for item in node.entries("health")),
        ignore_images=mapping(ignored),
        needs=texts(node.get("needs")),
        after=texts(node.get("after")),
        steady=reader.parse(steady, subject, _steady) if steady else None,
        skip_schema_validation=text(node.get("skip_schema_validation")),
        when=text(node.get("when")),
        for_each=build_for_each(node),
    )


def _steady(text: str) -> int:
    """A duration that may be none."""
    return 0 if text == "0s" else parse_duration(text)


def build_action(reader: Reader, node: Node) -> ActionSpec:
    """Read one of `install.actions`."""
    name, env, outputs = text(node.get("name")), node.get("env"), node.get("outputs")
    subject = f"action {name!r}"
    check_visible(reader.problems, node.entries("run"), f"{subject}: 'run'")
    check_environment(reader.problems, env, subject)
    return ActionSpec(
        name=name,
        run=texts(node.get("run")),
        after=texts(node.get("after")),
        env=mapping(env),
        inputs=texts(node.get("inputs")),
        outputs="json" if outputs else "",
        secret_outputs=texts(outputs.get("secret")) if outputs and isinstance(outputs.value, dict) else None,
        for_each=build_for_each(node),
    )


def _values(reader: Reader, node: Node, subject: str) -> ValuesSpec | None:
    path = reader.file(node.get("file") or node, f"{subject}: values")
    return ValuesSpec(file=path, under=text(node.get("under")), when=text(node.get("when"))) if path else None


def _notes(reader: Reader, node: Node | None) -> str:
    """Read `notes`, which are shown to everybody who watches."""
    if node is None or reader.problems.settled(node.place):
        return ""
    for name in template.names(template.parse(text(node))):
        if name.space not in ("site", "image"):
            hint = "say where it is found instead: notes are shown on the terminal, and kept in logs"
            reader.problems.add(node.place, f"'notes': {name} may be a secret", hint=hint)
    return text(node)


def _key_of(node: Node, name: str) -> Node:
    """A mapping's key as a node of its own."""
    return Node(place=node.key or node.place, key=None, value=name)


# Which options belong to which kind of check.
_OPTIONS: dict[str, set[str]] = {
    "http": {"ca", "status"},
    "tls": {"ca", "min_days"},
    "mysql": {"min_version"},
    "database": {"min_version"},
}


def build_check(reader: Reader, node: Node) -> CheckSpec:
    """Read one of `install.checks`."""
    kind = next(kind for kind in CHECK_KINDS if node.get(kind))
    subject, about = node.members()[kind], f"check {kind!r}"
    refuse_foreign(reader.problems, node, about, _OPTIONS, kind)
    if not subject.items():
        reader.no_login(subject, about)
    run = texts(subject)
    check_visible(reader.problems, subject.items(), about)
    status, days = node.get("status"), node.get("min_days")
    return CheckSpec(
        kind=kind,
        subject=" ".join(run) or text(subject),
        from_pod=text(node.get("from")) == "pod",
        ca=reader.file(node.get("ca"), f"{about}: 'ca'"),
        status=_number(status, 200),
        min_days=_number(days, 0),
        min_version=text(node.get("min_version")),
        run=run,
        for_each=build_for_each(node),
    )


def build_health(reader: Reader, node: Node, subject: str) -> HealthSpec:
    """Read one of a release's `health`."""
    url = node.get("url") or node
    reader.no_login(url, f"{subject}: health")
    return HealthSpec(
        url=text(url),
        status=_number(node.get("status"), 200),
        text=text(node.get("text")),
        json=mapping(node.get("json")),
        ca=reader.file(node.get("ca"), f"{subject}: 'ca'"),
    )


def refuse_foreign(
    problems: Problems, node: Node, subject: str, keys: Mapping[str, Collection[str]], kind: str
) -> None:
    """Note the keys that belong to other kinds only."""
    own = keys.get(kind, ())
    foreign = {name for names in keys.values() for name in names if name not in own}
    for name, member in node.members().items():
        if name in foreign:
            expected = " and ".join(repr(key) for key in sorted(own))
            problems.add(member.key or member.place, f"{subject} does not take {name!r}", expected=expected)


def _number(node: Node | None, default: int) -> int:
    return node.value if node and isinstance(node.value, int) else default


_SPACES = ("site", "item", "env", "file", "secret", "image")


def build_backup(reader: Reader, node: Node | None) -> BackupSpec:
    """Read `install.backup`."""
    if node is None:
        return BackupSpec()
    age, commands = node.get("max_age"), node.get("commands")
    return BackupSpec(
        before_upgrade=texts(node.get("before_upgrade")),
        max_age=(reader.parse(age, "'max_age'", parse_duration) if age else None) or DEFAULT_MAX_AGE,
        commands=tuple(_command(reader, item) for item in commands.items()) if commands else (),
    )


def _command(reader: Reader, node: Node) -> DumpSpec:
    name, run, env = text(node.get("name")), node.members()["run"], node.get("env")
    subject = f"backup command {name!r}"
    check_visible(reader.problems, run.items(), f"{subject}: 'run'")
    check_environment(reader.problems, env, subject)
    for item in (*run.items(), *(env.members().values() if env else ())):
        _check_names(reader, item, subject)
    return DumpSpec(
        name=name,
        run=texts(run),
        env=mapping(env),
        for_each=build_for_each(node),
        restore=_restore(reader, node.get("restore"), f"{subject}: restore"),
    )


def _restore(reader: Reader, node: Node | None, subject: str) -> RestoreSpec | None:
    if node is None:
        return None
    run, env, checks = node.members()["run"], node.get("env"), node.entries("checks")
    check_environment(reader.problems, env, subject)
    for command in (run, *(each.members()["run"] for each in checks)):
        check_visible(reader.problems, command.items(), f"{subject}: 'run'")
    for item in scalars(node):
        if isinstance(item.value, str):
            _check_names(reader, item, subject)
    found = (RestoreCheckSpec(run=texts(each.get("run")), prints=text(each.get("prints")) or None) for each in checks)
    return RestoreSpec(run=texts(run), env=mapping(env), checks=tuple(found))


def _check_names(reader: Reader, node: Node, subject: str) -> None:
    if reader.problems.settled(node.place):
        return
    for name in template.names(template.parse(text(node))):
        if name.space not in _SPACES:
            known = listed(f"${{{space}...}}" for space in _SPACES)
            reader.problems.add(node.place, f"{subject}: {name} has no value here", expected=known)
