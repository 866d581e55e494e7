"""`doit status`: what is installed, whether it is well, and what nobody names any more."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from bundle.errors import storage_errors
from bundle.formats import strict_json
from bundle.storage.files import write_bytes
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.condition import Condition, condition
from tasks.commands.installed.sites import conditions
from tasks.site.receiver import Receiver
from tasks.site.records.left_over import told

_JSON = {"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print the status as JSON"}
_METRICS = {
    "name": "metrics",
    "long": "metrics",
    "type": str,
    "default": "",
    "help": "write it as Prometheus text too, for the textfile collector of node_exporter",
}
_FORMAT_VERSION = 1
_HEAD = ("SITE", "APPLICATION", "VERSION", "INSTALLED", "STATUS")
_RELEASES = ("RELEASE", "NAMESPACE", "REVISION", "CHART", "STATUS")


class Status(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Looks at what is installed."""

    name = "status"
    doc_purpose = COMMANDS["status"].purpose
    doc_usage = "[--json] [--metrics FILE]"
    doc_description = (
        "Compares the cluster with the last receipt: releases and pods, what others changed, days of the certificates, "
        "age of the last backup, and what an earlier bundle left over. Changes nothing. A cluster that can't be "
        "reached is described by the last receipt. It exits with 1 when something is wrong or can't be reached. "
        "site=all shows each of sites/*.yaml, by the kubeconfig that it names, else by the receipts in receipts/."
    )
    cmd_options = (_JSON, _METRICS)

    def _execute(self, as_json: bool, metrics: str) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        site, is_many = receiver.options.site, receiver.options.all_sites
        found = [*conditions(receiver)] if is_many else [condition(receiver, site.stem if site else "")]
        show(receiver, found, as_json=as_json, metrics=metrics)
        unreached = any(each.unreached for each in found) and not is_many
        return 1 if unreached or any([*each.troubles] for each in found) else 0


def show(receiver: Receiver, found: Sequence[Condition], *, as_json: bool, metrics: str) -> None:
    """Print what was found, and write the metrics where they are asked for."""
    console = receiver.project.console
    if metrics:
        path = Path.cwd() / metrics
        with storage_errors("write the metrics", path):
            write_bytes(path, "".join(f"{line}\n" for line in metric_lines(found)).encode())
    if as_json:
        data = {"format": _FORMAT_VERSION, "status": [each.to_dict() for each in found]}
        console.text(strict_json.readable(data).decode().rstrip())
        return
    console.table([_HEAD, *map(_row, found)])
    for each in found:
        if each.releases and len(found) == 1:
            console.line()
            console.table([_RELEASES, *_release_rows(each)])
        for line in _notes(each):
            console.line(line if len(found) == 1 else f"{each.site}: {line}")


def _row(each: Condition) -> Sequence[str]:
    receipt, troubles = each.receipt, len([*each.troubles])
    word = f"{troubles} problems" if troubles > 1 else "1 problem" if troubles else "good"
    if each.unreached:
        word = "as the receipt tells" if receipt else "unknown"
    elif receipt is None:
        word = "not installed"
    installed = f"{receipt.installed:%Y-%m-%d %H:%M}Z" if receipt else "-"
    return each.site or "-", each.application, receipt.version if receipt else "-", installed, word


def _release_rows(found: Condition) -> Iterator[Sequence[str]]:
    for each in found.releases:
        status = each.status or "missing"
        yield each.name, each.namespace, str(each.revision or "-"), each.chart or "-", status


def _notes(found: Condition) -> Iterator[str]:
    if found.unreached:
        yield f"not reached: {found.unreached}"
    if found.receipt:
        yield from found.troubles
    yield from told(found.left_over)
    for each in found.certificates:
        yield f"certificate {each.namespace}/{each.secret}: {each.days} days left"
    if found.backup_hours is not None:
        yield f"last backup: {found.backup_hours:.0f} hours ago"
    elif found.releases and not found.unreached:
        yield "last backup: none from this machine"
    if found.restore_test_hours is not None:
        yield f"last restore test: {found.restore_test_hours:.0f} hours ago"


def metric_lines(found: Sequence[Condition]) -> Iterator[str]:
    """Prometheus' text format, each metric with its help once."""
    samples: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, value: float, **labels: str) -> None:
        written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        samples[name].append(f"{name}{{{written}}} {value:g}")

    for each in found:
        base = {"site": each.site, "application": each.application}
        add("airgap_reached", not each.unreached, **base)
        if each.receipt:
            add("airgap_installed", 1, **base, version=each.receipt.version)
        for release in each.releases if not each.unreached else ():
            names = {**base, "release": release.name, "namespace": release.namespace}
            add("airgap_release_healthy", not release.troubles, **names)
        for left in each.left_over.releases:
            add("airgap_release_left_over", 1, **base, release=left.name, namespace=left.namespace)
        for held in each.certificates:
            add("airgap_certificate_days", held.days, **base, secret=held.secret, namespace=held.namespace)
        for name, hours in each.ages.items():
            add(f"airgap_{name}_age_hours", hours, **base)
    for name, lines in samples.items():
        if lines:
            yield f"# HELP {name} {_HELP[name]}"
            yield f"# TYPE {name} gauge"
            yield from lines


_HELP = {
    "airgap_reached": "Whether the cluster could be asked.",
    "airgap_installed": "The version that the last receipt names.",
    "airgap_release_healthy": "Whether a release is deployed as the last install left it, and its pods are ready.",
    "airgap_release_left_over": "A release that still runs and that the bundle no longer names.",
    "airgap_certificate_days": "Days until a certificate of a TLS secret expires.",
    "airgap_backup_age_hours": "Hours since the last backup from this machine.",
    "airgap_restore_test_age_hours": "Hours since a backup was last restored from this machine, as a test that passed.",
}


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
