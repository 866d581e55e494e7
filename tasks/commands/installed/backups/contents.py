"""What a backup is made of: gathered, encrypted at once, and written as one archive."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, ReleaseError
from bundle.formats import strict_json
from bundle.formats.fields import time_text
from bundle.formats.x509 import Certificate
from bundle.metadata.receipt import RECEIPT
from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK, make_directories
from bundle.storage.tar_writer import TarWriter
from clients.programs.openssl import SUFFIX, Recipient
from clients.programs.process import masked
from clients.programs.stream import dump
from schema.site.lookup import Facts
from schema.site.uses import backup_uses
from schema.spec.backup import DumpSpec
from tasks.commands.installed.backups.facts import facts_of, filled
from tasks.runtime.version import VERSION
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import ABOUT, FORMAT_VERSION
from tasks.site.records.last_receipt import receipt_path
from tasks.site.records.left_over import left_over

# What is not worth keeping: helm's own storage, which install makes anew, and tokens that only live where they are.
_LEFT_OUT = ("helm.sh/release.v1", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
_KEPT_METADATA = ("name", "namespace", "labels", "annotations")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_READ_ME = """\
What an installation would be rebuilt from. backup.json says what is here, with the sha256 of each file.
*.cms are encrypted (CMS, AES-256) to the certificate that backup.json names. With its key:

  openssl cms -decrypt -binary -inform DER -in secrets.json.cms -recip backup.crt -inkey backup.key > secrets.json
  for part in dumps/NAME.*.cms; do
    openssl cms -decrypt -binary -inform DER -in "$part" -recip backup.crt -inkey backup.key
  done > NAME.dump

Restore: kubectl apply -f secrets.json; the databases from their dumps by their own tools; then install again from the
bundle that backup.json names. values/*.json are what the releases ran with: to compare, or for helm upgrade -f.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCertificate:
    """A certificate of a TLS secret."""

    secret: str
    namespace: str
    hosts: tuple[str, ...]
    not_after: datetime

    def to_dict(self) -> dict[str, Any]:
        """For backup.json."""
        hosts, end = list(self.hosts), time_text(self.not_after)
        return {"secret": self.secret, "namespace": self.namespace, "hosts": hosts, "not_after": end}


class BackupContents:
    """One backup as it is gathered. Only what is encrypted, or no secret, is written to `work`."""

    def __init__(self, receiver: Receiver, recipient: Recipient, work: Path) -> None:
        self._receiver = receiver
        self._recipient = recipient
        self._work = work
        self._files: dict[str, Path] = {}
        self.releases: list[dict[str, Any]] = []
        self.secrets: list[str] = []
        self.certificates: list[BackupCertificate] = []
        self.dumps: list[str] = []

    @property
    def revisions(self) -> dict[str, int]:
        """Of each release that is in it, by `namespace/name`."""
        return {f"{each['namespace']}/{each['name']}": each["revision"] for each in self.releases}

    def gather(self) -> None:
        """Releases first: without any there is nothing to keep. Dumps last, as they take longest."""
        named = self._receiver.carried.spec.install.releases
        left = left_over(self._receiver).releases
        for found in (*(self._receiver.cluster.release(each) for each in named), *left):
            if found:
                about = {
                    "name": found.name,
                    "namespace": found.namespace,
                    "revision": found.revision,
                    "chart": found.chart,
                }
                self.releases.append({**about, **({"left_over": True} if found in left else {})})
                values = self._receiver.cluster.helm.get_values(found.name, namespace=found.namespace)
                self._encrypted(f"values/{found.namespace}.{found.name}.json", values)
        if not self.releases:
            raise ReleaseError("none of the bundle's releases is installed: there is nothing to back up")
        objects = [each for namespace in self._namespaces() for each in self._objects(namespace)]
        self.secrets = [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in objects]
        self.certificates = [held for each in objects if (held := _certificate(each))]
        self._encrypted("secrets.json", {"apiVersion": "v1", "kind": "List", "items": objects})
        commands = self._receiver.carried.spec.install.backup.commands
        facts = facts_of(self._receiver, backup_uses(commands)) if commands else None
        for command in commands:
            if facts:
                self._dump(command, facts)

    def write(self, tar: TarWriter, top: str, now: datetime) -> None:
        """All of it as one archive, backup.json first."""
        digests = {name: _digest(path) for name, path in self._files.items()}
        tar.data(f"{top}/{ABOUT}", self._about(now, digests))
        tar.data(f"{top}/README.txt", _READ_ME.encode())
        receipt = receipt_path(self._receiver)
        if receipt.is_file():
            tar.data(f"{top}/{RECEIPT}", receipt.read_bytes())
        for name, path in sorted(self._files.items()):
            tar.file(f"{top}/{name}", path, digest=digests[name])
        tar.close()

    def _about(self, now: datetime, digests: Mapping[str, Digest]) -> bytes:
        manifest, sums = self._receiver.carried.bundle.manifest, self._receiver.carried.bundle.sums_digest
        about = {
            "format": FORMAT_VERSION,
            "tool": VERSION,
            "created": time_text(now),
            "bundle": {"name": manifest.name, "version": manifest.version, "id": str(manifest.id), "sums": str(sums)},
            "target": self._receiver.target.name,
            "recipient": _digest(self._recipient.path).hex,
            "releases": self.releases,
            "charts": {each.name: each.version for each in manifest.charts},
            "secrets": self.secrets,
            "certificates": [each.to_dict() for each in self.certificates],
            "dumps": self.dumps,
            "sha256": {name: digest.hex for name, digest in sorted(digests.items())},
        }
        return strict_json.readable(about, escaped=True)

    def _namespaces(self) -> list[str]:
        return list(dict.fromkeys(each["namespace"] for each in self.releases))

    def _objects(self, namespace: str) -> Iterator[dict[str, Any]]:
        """A namespace's secrets, as they can be applied again."""
        for each in self._receiver.cluster.kubectl.list("secret", namespace=namespace):
            if each.get("type") in _LEFT_OUT:
                continue
            metadata = {key: value for key, value in each["metadata"].items() if key in _KEPT_METADATA}
            metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k != _APPLIED}
            kept: dict[str, Any] = {key: each[key] for key in ("type", "data", "immutable") if key in each}
            yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **kept}

    def _encrypted(self, name: str, data: Any) -> None:
        path = self._work / f"{name}{SUFFIX}"
        make_directories(path.parent)
        path.write_bytes(self._recipient.encrypt(json.dumps(data, indent=2).encode()))
        self._files[f"{name}{SUFFIX}"] = path

    def _dump(self, command: DumpSpec, facts: Facts) -> None:
        subject = f"backup command {command.name!r}"
        argv = [filled(text, facts) for text in command.run]
        env = {key: filled(text, facts) for key, text in command.env.items()}
        place = self._work / "dumps"
        make_directories(place)
        self._receiver.project.console.line(f"   {subject}: {Path(argv[0]).name} is running")
        chunks = dump(
            argv,
            subject=subject,
            env={**self._receiver.cluster.programs.env, **env},
            cwd=self._receiver.carried.base,
            mask=lambda text: masked(text, self._receiver.known),
        )
        for part in self._recipient.stream(chunks, place, command.name):
            self._files[f"dumps/{part.name}"] = part
        self.dumps.append(command.name)


def _certificate(secret: Mapping[str, Any]) -> BackupCertificate | None:
    if secret.get("type") != "kubernetes.io/tls":
        return None
    try:
        about = Certificate.parse_pem(base64.b64decode(secret["data"]["tls.crt"]).decode("latin-1"))
    except (FormatError, KeyError, ValueError):
        return None
    metadata, hosts = secret["metadata"], (*about.dns_names, *about.addresses)
    return BackupCertificate(
        secret=metadata["name"], namespace=metadata["namespace"], hosts=hosts, not_after=about.not_after
    )


def _digest(path: Path) -> Digest:
    hasher = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return Digest(algorithm="sha256", hex=hasher.hexdigest())
