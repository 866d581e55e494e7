"""What an installation is like now: of its own cluster, or where that can't be asked, as its last receipt tells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bundle.errors import AirgapError, FormatError
from bundle.formats.fields import time_text
from bundle.formats.x509 import Certificate
from bundle.metadata.receipt import LeftOver, Receipt, ReceivedRelease
from clients.programs.process import masked
from schema.spec.install import ReleaseSpec
from tasks.site.receiver import Receiver
from tasks.site.records.last_backup import LastBackup
from tasks.site.records.last_receipt import last_receipt
from tasks.site.records.last_restore_test import LastRestoreTest
from tasks.site.records.left_over import left_over

_SOON = 30  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCondition:
    """One release of the bundle; `troubles` is what is not well with it (masked), empty when nothing is.

    `revision` is 0 and `status` empty where it is not there; `unknown` is the status of one that only a receipt has.
    """

    name: str
    namespace: str
    revision: int
    chart: str
    status: str
    troubles: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        about = {"name": self.name, "namespace": self.namespace, "revision": self.revision, "chart": self.chart}
        return {**about, "status": self.status, "troubles": list(self.troubles)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCondition:
    """A certificate of one of the installation's secrets, and for how many days it is good."""

    secret: str
    namespace: str
    days: int

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"secret": self.secret, "namespace": self.namespace, "days": self.days}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One application at one site. `receipt` is None where nothing was installed, `unreached` why nobody was asked.

    `backup_hours` is the age of the last backup that was made from this machine, `restore_test_hours` how long ago one
    was last tried out from here with success; None for none.
    """

    site: str
    application: str
    cluster: str
    registry: str
    receipt: Receipt | None
    unreached: str = ""
    releases: tuple[ReleaseCondition, ...] = ()
    left_over: LeftOver
    certificates: tuple[CertificateCondition, ...] = ()
    backup_hours: float | None = None
    restore_test_hours: float | None = None

    @property
    def ages(self) -> Mapping[str, float]:
        """Hours since what was done from this machine, by what that was."""
        known = {"backup": self.backup_hours, "restore_test": self.restore_test_hours}
        return {name: hours for name, hours in known.items() if hours is not None}

    @property
    def troubles(self) -> Iterator[str]:
        """What is not well, a line each."""
        for release in self.releases:
            yield from (f"release {release.name}: {each}" for each in release.troubles)
        for each in self.certificates:
            if each.days < _SOON:
                yield f"certificate {each.namespace}/{each.secret}: {each.days} days left; renew it"

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        receipt = self.receipt
        return {
            "site": self.site,
            "application": self.application,
            "version": receipt.version if receipt else "",
            "installed": time_text(receipt.installed) if receipt else "",
            "cluster": self.cluster,
            "registry": self.registry,
            "from": "receipt" if self.unreached else "cluster",
            "unreached": self.unreached,
            "releases": [each.to_dict() for each in self.releases],
            "left_over": self.left_over.to_dict(),
            "certificates": [each.to_dict() for each in self.certificates],
            "backup_hours": self.backup_hours,
            "restore_test_hours": self.restore_test_hours,
        }


def condition(receiver: Receiver, site: str = "", *, now: datetime | None = None) -> Condition:
    """Look at the cluster; what it does not answer is taken from the receipt. Nothing is changed."""
    last, backup, now = last_receipt(receiver), LastBackup.read(receiver), now or datetime.now(UTC)
    receipt = last[1] if last else None
    known = Condition(
        site=site,
        application=receiver.carried.plan.bundle.name,
        cluster=receiver.target.cluster.server,
        registry=receiver.target.registry,
        receipt=receipt,
        left_over=receipt.left_over if receipt else LeftOver(),
        backup_hours=_hours(now, backup.created) if backup else None,
        restore_test_hours=_hours(now, tested.tested) if (tested := LastRestoreTest.read(receiver)) else None,
    )
    try:
        was = {(each.namespace, each.name): each for each in receipt.releases} if receipt else {}
        releases = [_release(receiver, each, was) for each in receiver.carried.spec.install.releases]
        found = left_over(receiver)
        return replace(
            known, releases=tuple(releases), left_over=found, certificates=tuple(_certificates(receiver, now))
        )
    except AirgapError as err:
        return of_receipt(known, receipt, unreached=masked(err.what.splitlines()[0], receiver.known))


def _hours(now: datetime, then: datetime) -> float:
    return round((now - then).total_seconds() / 3600, 1)


def of_receipt(known: Condition, receipt: Receipt | None, *, unreached: str) -> Condition:
    """The same as a receipt tells it."""
    releases = tuple(
        ReleaseCondition(
            name=each.name, namespace=each.namespace, revision=each.revision, chart=each.chart, status="unknown"
        )
        for each in (receipt.releases if receipt else ())
    )
    left = receipt.left_over if receipt else LeftOver()
    return replace(known, receipt=receipt, unreached=unreached, releases=releases, left_over=left, certificates=())


def _release(receiver: Receiver, spec: ReleaseSpec, was: dict[tuple[str, str], ReceivedRelease]) -> ReleaseCondition:
    found, noted = receiver.cluster.release(spec), was.get((spec.namespace, spec.name))
    if found is None:
        told = ("it is not there, and the last install left it",) if noted else ("it is not installed",)
        return ReleaseCondition(
            name=spec.name, namespace=spec.namespace, revision=0, chart="", status="", troubles=told
        )
    troubles = [] if found.status == "deployed" else [f"it is {found.status}"]
    if noted and (noted.revision, noted.chart) != (found.revision, found.chart):
        now, then = f"revision {found.revision} ({found.chart})", f"revision {noted.revision} ({noted.chart})"
        troubles.append(f"{now} runs, the last install left {then}")
    troubles += receiver.cluster.ailing(spec)
    return ReleaseCondition(
        name=spec.name,
        namespace=spec.namespace,
        revision=found.revision,
        chart=found.chart,
        status=found.status,
        troubles=tuple(troubles),
    )


def _certificates(receiver: Receiver, now: datetime) -> Iterator[CertificateCondition]:
    """Those of the spec's tls secrets; one that can't be read is the workloads' trouble."""
    for secret in receiver.carried.spec.install.secrets:
        for namespace in secret.namespaces if secret.type == "tls" else ():
            held = receiver.cluster.secret(secret.name, namespace) or {}
            try:
                end = Certificate.parse_pem(held["tls.crt"].reveal()).not_after
            except (KeyError, FormatError):
                continue
            yield CertificateCondition(secret=secret.name, namespace=namespace, days=(end - now).days)
