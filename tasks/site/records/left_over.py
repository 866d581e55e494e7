"""What an earlier bundle brought to this target and this one no longer names: it stays until somebody removes it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from schema.site.actions import record_name
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import last_receipt

if TYPE_CHECKING:
    from bundle.metadata.receipt import LeftOver, ReceivedSecret

REMOVAL = "remove what is left over: doit uninstall --left-over"


def left_over(receiver: Receiver) -> "LeftOver":
    """What the last receipt knows, the bundle does not name, and the cluster still has; it is asked only for that."""
    from bundle.metadata.receipt import LeftOver, ReceivedRelease

    if (last := last_receipt(receiver)) is None:
        return LeftOver()
    receipt, install = last[1], receiver.carried.plan.install
    named = {(each.namespace, each.name) for each in install.releases}
    releases = {(each.namespace, each.name): each for each in (*receipt.left_over.releases, *receipt.releases)}
    there = []
    for key in releases.keys() - named:
        namespace, name = key
        if found := receiver.cluster.helm.status(name, namespace=namespace):
            there.append(ReceivedRelease(name=name, namespace=namespace, revision=found.revision, chart=found.chart))
    wanted = {(each.namespace, each.name) for each in made_secrets(receiver)}
    secrets = {(each.namespace, each.name): each for each in (*receipt.left_over.secrets, *receipt.secrets)}
    kubectl = receiver.cluster.kubectl if secrets.keys() - wanted else None
    kept = [
        secrets[key]
        for key in sorted(secrets.keys() - wanted)
        if kubectl and kubectl.exists("secret", key[1], namespace=key[0])
    ]
    return LeftOver(releases=tuple(sorted(there, key=lambda each: (each.namespace, each.name))), secrets=tuple(kept))


def made_secrets(receiver: Receiver) -> "Iterator[ReceivedSecret]":
    """The names of the secrets that an install of this bundle makes: the spec's, and the records of its actions."""
    from bundle.metadata.receipt import ReceivedSecret

    install = receiver.carried.plan.install
    for secret in install.secrets:
        for namespace in secret.namespaces:
            yield ReceivedSecret(name=secret.name, namespace=namespace, generated=bool(secret.generate))
    for action in install.actions:
        yield ReceivedSecret(name=record_name(action.name), namespace=receiver.cluster.record_namespace(action))


def told(found: "LeftOver") -> Iterator[str]:
    """What is left over, a line each, and how it is removed; nothing where there is nothing."""
    for release in found.releases:
        at = f"revision {release.revision}, chart {release.chart}"
        yield f"no longer in the bundle: release {release.name} in namespace {release.namespace} still runs ({at})"
    for secret in found.secrets:
        yield f"no longer in the bundle: secret {secret.name} in namespace {secret.namespace} is still there"
    if found:
        yield f"   {REMOVAL}"
