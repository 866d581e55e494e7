"""The `install` part of a resolved spec: what is brought up inside, in which order, and how it is judged.

Texts called templates may hold `${env.X}`, `${file.X}`, `${site.X}`, `${image.NAME.PART}`, `${secret.X}` and
`${output.ACTION.KEY}`, which are resolved inside, never before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

from schema.spec.backup import NO_BACKUP, BackupSpec
from schema.spec.checks import CheckSpec, HealthSpec
from schema.spec.generate import Generate
from schema.spec.repeat import ForEach, Instance, repeated
from schema.syntax.notation import path_text

Crds = Literal["keep", "upgrade"]
SecretType = Literal["docker-registry", "opaque", "tls"]
MIN_KUBERNETES = "1.24"
DEFAULT_MIN_DAYS = 7  # that a site's certificate has to be valid for
DEFAULT_TIMEOUT = 900  # seconds, for one release


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSpec:
    """One Kubernetes secret, made in each of `namespaces`.

    `data` holds templates by key: `username` and `password` for docker-registry, `certificate` and `key` for tls, the
    secret's own keys for opaque. A generated one has no data; its one value is stored under the key `value`.

    A tls one has to serve all of `hosts` (templates) for `min_days` more days, for clients that trust nothing but the
    certificates of `ca` (a template; empty: that is not asked). It is made at sites where `when` holds (empty: always).
    """

    name: str
    type: SecretType
    namespaces: tuple[str, ...]
    data: Mapping[str, str]
    generate: Generate | None
    hosts: tuple[str, ...] = ()
    min_days: int = 0
    ca: str = ""
    when: str = ""
    for_each: ForEach | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(
            name=data["name"],
            type=cast("SecretType", data["type"]),
            namespaces=tuple(data["namespaces"]),
            data=dict(data["data"]),
            generate=Generate.parse(data["generate"]) if data["generate"] else None,
            hosts=tuple(data.get("hosts", ())),
            min_days=data.get("min_days", 0),
            ca=data.get("ca", ""),
            when=data.get("when", ""),
            for_each=ForEach.from_dict(data),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; the templates name secrets and never hold them."""
        return {
            "name": self.name,
            "type": self.type,
            "namespaces": list(self.namespaces),
            "data": dict(self.data),
            "generate": str(self.generate) if self.generate else None,
            "hosts": list(self.hosts),
            "min_days": self.min_days,
            "ca": self.ca,
            **repeated(self.for_each, self.when),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesSpec:
    """One values file: its content belongs below the key `under` (empty: at the top).

    The file counts at sites where `when` holds (a condition, empty: always).
    """

    file: Path
    under: str = ""
    when: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(file=base / data["file"], under=data["under"], when=data["when"])

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data."""
        return {"file": path_text(self.file, base), "under": self.under, "when": self.when}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """One Helm release: a chart of the spec in a namespace. `timeout` in seconds.

    `steady` is how many seconds its pods have to stay ready; None: by whether they have readiness probes.

    `needs` and `after` name releases and actions that come first; `needs` must also have succeeded in this bundle.
    `ignore_images` gives the reason why an image of the chart is not carried, `skip_schema_validation` why the chart's
    values.schema.json is not asked (empty: it is), `when` at which sites it is there (empty: all). `instance`, which is
    never written, is the item of a list it is for.
    """

    name: str
    chart: str
    namespace: str
    values: tuple[ValuesSpec, ...]
    timeout: int
    health: tuple[HealthSpec, ...]
    ignore_images: Mapping[str, str]
    needs: tuple[str, ...]
    after: tuple[str, ...]
    steady: int | None = None
    skip_schema_validation: str = ""
    when: str = ""
    for_each: ForEach | None = None
    instance: Instance | None = None

    @property
    def item(self) -> Instance | None:
        """What `${item}` is: that of the instance, or of the first one where this stands for all."""
        first = self.for_each.first if self.for_each else ""
        return self.instance or (Instance(place=first) if first else None)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            name=data["name"],
            chart=data["chart"],
            namespace=data["namespace"],
            values=tuple(ValuesSpec.from_dict(item, base) for item in data["values"]),
            timeout=data["timeout"],
            health=tuple(HealthSpec.from_dict(item, base) for item in data["health"]),
            ignore_images=dict(data["ignore_images"]),
            needs=tuple(data["needs"]),
            after=tuple(data["after"]),
            steady=data.get("steady"),
            skip_schema_validation=data.get("skip_schema_validation", ""),
            when=data.get("when", ""),
            for_each=ForEach.from_dict(data),
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data; `timeout` and `steady` in seconds."""
        return {
            "name": self.name,
            "chart": self.chart,
            "namespace": self.namespace,
            "values": [item.to_dict(base) for item in self.values],
            "timeout": self.timeout,
            "health": [item.to_dict(base) for item in self.health],
            "ignore_images": dict(self.ignore_images),
            "needs": list(self.needs),
            "after": list(self.after),
            "steady": self.steady,
            "skip_schema_validation": self.skip_schema_validation,
            **repeated(self.for_each, self.when),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """A step of the spec's own: `run` is an argv of templates, `env` and `inputs` are templates too.

    `inputs` are what, besides command and env, makes it run again. `outputs` json: what it prints is a JSON object,
    whose members are `${output.ACTION.KEY}`; empty: nothing is read. `secret_outputs` are the members that are secrets,
    None for all.
    """

    name: str
    run: tuple[str, ...]
    after: tuple[str, ...]
    env: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: Literal["json", ""]
    secret_outputs: tuple[str, ...] | None = None
    for_each: ForEach | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        outputs = data["outputs"]
        return cls(
            name=data["name"],
            run=tuple(data["run"]),
            after=tuple(data["after"]),
            env=dict(data["env"]),
            inputs=tuple(data["inputs"]),
            outputs="json" if outputs else "",
            secret_outputs=tuple(outputs["secret"]) if isinstance(outputs, Mapping) else None,
            for_each=ForEach.from_dict(data),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        secret = self.secret_outputs
        return {
            "name": self.name,
            "run": list(self.run),
            "after": list(self.after),
            "env": dict(self.env),
            "inputs": list(self.inputs),
            "outputs": self.outputs if secret is None else {"json": True, "secret": list(secret)},
            **repeated(self.for_each),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSpec:
    """What the cluster must be: its lowest version, the APIs it has besides Kubernetes' own, classes that must exist.

    APIs are `GROUP/VERSION` or `GROUP/VERSION/KIND`; classes are templates, and those that are empty are not asked for.
    """

    min_version: str = MIN_KUBERNETES
    api_versions: tuple[str, ...] = ()
    ingress_class: str = ""
    storage_class: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(
            min_version=data["min_version"],
            api_versions=tuple(data.get("api_versions", ())),
            ingress_class=data["ingress_class"],
            storage_class=data["storage_class"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "min_version": self.min_version,
            "api_versions": list(self.api_versions),
            "ingress_class": self.ingress_class,
            "storage_class": self.storage_class,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSpec:
    """All that happens inside; everything may be empty. `notes` (template) are told at the end.

    `crds` says what becomes of definitions in charts' crds/ that differ from the cluster's. `lists`, that entries were
    repeated over, and `off`, the releases that a site leaves out, are never written.
    """

    kubernetes: KubernetesSpec = KubernetesSpec()
    crds: Crds = "keep"
    secrets: tuple[SecretSpec, ...] = ()
    releases: tuple[ReleaseSpec, ...] = ()
    actions: tuple[ActionSpec, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    notes: str = ""
    backup: BackupSpec = NO_BACKUP
    lists: tuple[ForEach, ...] = ()
    off: tuple[ReleaseSpec, ...] = ()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that the installation uses, sorted."""
        used = [namespace for secret in self.secrets for namespace in secret.namespaces]
        return tuple(sorted({*used, *(release.namespace for release in self.releases)}))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: Path) -> Self:
        """The exact inverse of to_dict, for the same `base`."""
        return cls(
            kubernetes=KubernetesSpec.from_dict(data["kubernetes"]),
            crds=cast("Crds", data.get("crds", "keep")),
            secrets=tuple(SecretSpec.from_dict(item) for item in data["secrets"]),
            releases=tuple(ReleaseSpec.from_dict(item, base) for item in data["releases"]),
            actions=tuple(ActionSpec.from_dict(item) for item in data["actions"]),
            checks=tuple(CheckSpec.from_dict(item, base) for item in data["checks"]),
            notes=data["notes"],
            backup=BackupSpec.from_dict(data["backup"]),
        )

    def to_dict(self, base: Path) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "kubernetes": self.kubernetes.to_dict(),
            "crds": self.crds,
            "secrets": [item.to_dict() for item in self.secrets],
            "releases": [item.to_dict(base) for item in self.releases],
            "actions": [item.to_dict() for item in self.actions],
            "checks": [item.to_dict(base) for item in self.checks],
            "notes": self.notes,
            "backup": self.backup.to_dict(),
        }
