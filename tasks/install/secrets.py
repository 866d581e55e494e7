"""Namespaces and secrets: made when they are not there, changed when they hold something else, generated ones never."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from bundle.errors import FormatError
from bundle.secret import Secret
from schema.site.secrets import GENERATED_KEY, MANAGED_BY, generate, read_object, secret_object, secret_objects
from schema.site.stand_ins.rehearsal import MADE, MARK
from schema.spec.generate import Generate
from schema.spec.install import SecretSpec
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver


def namespace_steps(receiver: Receiver) -> Iterator[Step]:
    """`namespace:<ns>`: the namespace exists."""
    for name in receiver.carried.plan.install.namespaces:
        yield Step(
            base="namespace",
            name=name,
            doc="make the namespace",
            action=partial(_make_namespace, receiver, name),
            inputs=dict,
            ready=partial(_lacks_namespace, receiver, name),
            live=True,
            after=("transfer",),
        )


def secret_steps(receiver: Receiver) -> Iterator[Step]:
    """`secret:<name>`: the secret holds what the spec says, in each of its namespaces."""
    for secret in receiver.carried.plan.install.secrets:
        yield Step(
            base="secret",
            name=secret.name,
            doc=f"make the {secret.type} secret in {', '.join(secret.namespaces)}",
            action=partial(_make_secret, receiver, secret),
            inputs=dict,
            ready=partial(_differs, receiver, secret),
            live=True,
            after=["transfer", *(f"namespace:{name}" for name in secret.namespaces)],
        )


def _lacks_namespace(receiver: Receiver, name: str) -> str:
    found = receiver.cluster.kubectl.get("namespace", name)
    if found is None:
        return f"there is no namespace {name!r}"
    return f"a rehearsal that did not end has left its mark on namespace {name!r}" if _left(receiver, found) else ""


def _left(receiver: Receiver, namespace: Mapping[str, Any]) -> bool:
    """Whether a namespace has a rehearsal's mark, by which the next rehearsal would remove what is in it."""
    marked = MARK in (namespace["metadata"].get("annotations") or {})
    return marked and not receiver.options.rehearsal


def _make_namespace(receiver: Receiver, name: str) -> None:
    thing = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(MANAGED_BY)}}
    found = receiver.cluster.kubectl.get("namespace", name)
    if found is None:
        receiver.cluster.kubectl.create(thing)
    elif _left(receiver, found):
        receiver.cluster.kubectl.annotate("namespace", name, {MARK: None, MADE: None})
    receiver.project.note(f"namespace:{name}", "is there")


def _differs(receiver: Receiver, secret: SecretSpec) -> str:
    for namespace in secret.namespaces:
        found = receiver.cluster.secret(secret.name, namespace)
        if found is None:
            return f"there is no secret {secret.name!r} in namespace {namespace!r}"
    if secret.generate:
        values = {_generated(receiver, secret, namespace) for namespace in secret.namespaces}
        return "" if len(values) == 1 else f"its namespaces hold different values for {secret.name!r}"
    for thing in _objects(receiver, secret):
        namespace = thing["metadata"]["namespace"]
        if read_object(thing, receiver.known) != receiver.cluster.secret(secret.name, namespace):
            return f"secret {secret.name!r} in namespace {namespace!r} holds something else"
    return ""


def _make_secret(receiver: Receiver, secret: SecretSpec) -> None:
    if secret.generate:
        _make_generated(receiver, secret, secret.generate)
    else:
        receiver.cluster.kubectl.apply(_objects(receiver, secret))
    for namespace in secret.namespaces:
        receiver.cluster.changed_secret(secret.name, namespace)
    receiver.project.note(f"secret:{secret.name}", f"in {', '.join(secret.namespaces)}")


def _make_generated(receiver: Receiver, secret: SecretSpec, how: Generate) -> None:
    """Make what is missing, with the value that is there; a value that exists is never changed."""
    existing = [value for name in secret.namespaces if (value := _generated(receiver, secret, name))]
    if len(set(existing)) > 1:
        raise FormatError(
            f"secret {secret.name!r} has different generated values in {', '.join(secret.namespaces)}",
            hint="find out which one is used, and delete the others; it is never changed by itself",
        )
    value = existing[0] if existing else generate(how, receiver.known)
    for namespace in secret.namespaces:
        if receiver.cluster.secret(secret.name, namespace) is None:
            receiver.cluster.kubectl.create(secret_object(secret.name, namespace, {GENERATED_KEY: value}))


def _generated(receiver: Receiver, secret: SecretSpec, namespace: str) -> Secret | None:
    found: Mapping[str, Secret] | None = receiver.cluster.secret(secret.name, namespace)
    return found.get(GENERATED_KEY) if found else None


def _objects(receiver: Receiver, secret: SecretSpec) -> list[Mapping[str, Any]]:
    data = receiver.secret_data(secret) or {}
    hosts = sorted({reference.host for reference in receiver.images.references.values()})
    return list(secret_objects(secret, data, receiver.known, hosts=hosts))
