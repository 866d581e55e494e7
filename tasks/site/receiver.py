"""One installation: the site's facts, and the systems inside, each met when it is first needed."""

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from bundle.errors import SpecError
from bundle.oci.locations import HostSettings
from bundle.secret import KnownSecrets, Secret
from bundle.storage.files import inside
from bundle.storage.private import make_private
from bundle.storage.run_lock import RunLock, sweep_state
from schema.loading.values import override_faults, read_all
from schema.site.actions import ActionRecord
from schema.site.image_names import ImageNames
from schema.site.instances import instance_faults
from schema.site.lookup import Facts, without
from schema.site.secrets import read_data, single_value
from schema.site.settings import Settings, completed
from schema.site.site import Site
from schema.site.stand_ins.rehearsal import stand_in_outputs
from schema.site.uses import gather, uses
from schema.spec.install import ReleaseSpec, SecretSpec
from schema.values.file import Lookup, ValuesFile
from schema.values.rendered import digest, state_key
from schema.values.values import Values, counting, release_values
from tasks.runtime.console import LocalWork
from tasks.runtime.live import reader
from tasks.runtime.project import Project
from tasks.site.carried import CarriedBundle
from tasks.site.cluster import Cluster, Programs, Reached
from tasks.site.target import ClusterAddress, Target

if TYPE_CHECKING:
    from tasks.site.derivation import Derivation
    from tasks.site.destination import Destination
    from tasks.site.images import Crossing


class Receiver:
    """What the steps of `install` share. Reading it may ask the cluster or the registry; only steps change them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.options = project.options
        self.known = KnownSecrets()
        self.run = token_hex(8)
        self._guard = threading.RLock()
        self._run_lock: RunLock | None = None
        self._cluster: Cluster | None = None
        self._crossing: Crossing | None = None

    def claim(self) -> None:
        """Before the first change: wait for another install with this state, and look at everything anew after it.

        What a helm has left pending can be freed then: nobody works on it.
        """
        with self._guard:
            if self._run_lock is None:
                make_private(self.state)
                self._run_lock = RunLock(self.state / "install.lock", say=self._waits)
                sweep_state(self.state)

    def _waits(self, told: str) -> None:
        self.project.console.line(told)
        self._cluster = self._crossing = None

    @cached_property
    def carried(self) -> CarriedBundle:
        """The bundle."""
        return CarriedBundle(self.project, site=lambda: self.site_file)

    @cached_property
    def target(self) -> Target:
        """The cluster and the registry that this run is about, of which neither is asked anything for it."""
        plan = self.carried.plan
        in_cluster = plan.install.releases or plan.install.secrets or plan.install.actions
        return Target(
            cluster=ClusterAddress.named(self.project.env, **self._reached) if in_cluster else ClusterAddress(),
            registry=self.registry or plan.registry.prefix,
        )

    @cached_property
    def state(self) -> Path:
        """Where the state of this installation lies: of this application, on this target."""
        return inside(self.options.state, self.carried.plan.bundle.name) / self.target.name

    # The site.

    @cached_property
    def site_file(self) -> Site:
        """What the site file says; nothing without site=FILE."""
        return Site.load(self.options.site) if self.options.site else Site()

    @cached_property
    def site(self) -> Site:
        """The site's settings, with the spec's defaults."""
        return completed(self.site_file, self.carried.spec.settings)

    @property
    def registry(self) -> str:
        """Another place for the images than the spec's: of the command line, else of the site; empty for none."""
        return self.options.registry or self.site.registry

    @cached_property
    def images(self) -> ImageNames:
        """What images are called inside."""
        made = [(each.image, each.digest) for each in self.derivations.values()]
        prefix = self.carried.spec.registry.prefix
        return ImageNames.of(self.carried.bundle.manifest, prefix=prefix, registry=self.registry, derived=made)

    @cached_property
    def derivations(self) -> "Mapping[str, Derivation]":
        """The images that are made here of the bundle's, by name."""
        from tasks.site.derivation import derivations

        carried, place, meter = self.carried, self.state / "derived", LocalWork(self.project.console)
        facts = lambda: self.facts_before_secrets  # noqa: E731
        read = lambda entry: self.crossing.image(entry)  # noqa: E731, PLW0108 - which needs the names of these first
        return derivations(
            carried.spec, carried.bundle.manifest, read, self.options, place=place, facts=facts, meter=meter
        )

    @cached_property
    def values_files(self) -> Mapping[Path, ValuesFile]:
        """The values files of all releases."""
        return read_all(self.carried.spec)

    @property
    def all_values(self) -> Sequence[ValuesFile]:
        """The values files, whether they count here or not, and the site's overrides."""
        return [*self.values_files.values(), *self.overrides.values()]

    @cached_property
    def overrides(self) -> Mapping[str, ValuesFile]:
        """The site's overrides by release, each for its item of a list; not those of releases that it leaves out."""
        install = self.carried.spec.install
        items, off = {each.name: each.instance for each in install.releases}, {each.name for each in install.off}
        return {name: file.of(items.get(name)) for name, file in self.site.overrides.items() if name not in off}

    def site_faults(self) -> Sequence[str]:
        """What is wrong with the site's lists, and with its overrides where the whole spec is there to tell."""
        lists = instance_faults(self.carried.unrepeated, self.site_file)
        return [*lists, *(() if self.options.rehearsal else override_faults(self.carried.spec, self.overrides))]

    def environment(self) -> Mapping[str, str]:
        """The environment with what was asked for, once; a SpecError lists everything that is missing."""
        return self._environment

    @cached_property
    def _environment(self) -> Mapping[str, str]:
        spec = self.carried.spec
        settings = Settings.of_spec(self.carried.unrepeated, self.all_values)
        counted = counting(spec.install.releases, self.values_files, self.site.value)
        used = uses(spec, [*counted, *self.overrides.values()])
        with self._guard:
            return gather(
                used,
                site=self.site,
                env=self.project.env,
                directory=Path.cwd(),
                ask=reader(self.project.console.asking),
                faults=[*settings.faults(self.site_file), *self.site_faults()],
            )

    # The cluster.

    @property
    def cluster(self) -> Cluster:
        """The cluster, and what is known of it."""
        with self._guard:
            if self._cluster is None:
                reached, releases = self._reached, self.carried.spec.install.releases
                named = {"KUBECONFIG": str(reached["kubeconfig"])} if reached["kubeconfig"] else {}
                programs = Programs(self.carried, {**self.project.env, **named})
                self._cluster = Cluster(programs, self.known, releases, **reached)
            return self._cluster

    @property
    def _reached(self) -> Reached:
        """How the site says that its cluster is reached; a rehearsal has a cluster of its own."""
        if self.options.rehearsal:
            return {"kubeconfig": None, "context": ""}
        return {"kubeconfig": self.site_file.kubeconfig, "context": self.site_file.kube_context}

    # Names of the values.

    @property
    def facts(self) -> Facts:
        """Everything that `${...}` can stand for by now."""
        actions = self.carried.spec.install.actions
        return Facts(
            images=self.destination.named(),
            site=self.site,
            env=self.environment(),
            directory=Path.cwd(),
            known=self.known,
            secrets=dict(self._single_secrets()),
            outputs=self._outputs(),
            secret_outputs={each.name: each.secret_outputs for each in actions if each.secret_outputs is not None},
        )

    def secret_data(self, secret: SecretSpec) -> Mapping[str, Secret] | None:
        """What a secret is to hold: a generated one's value from the cluster (None while it is not made)."""
        if secret.generate:
            return self.cluster.secret(secret.name, secret.namespaces[0])
        return read_data(secret, self.facts_before_secrets, self.known)

    def values(self, release: ReleaseSpec, lookup: Lookup | None = None) -> Values:
        """A release's values, resolved and merged."""
        return release_values(release, self.values_files, lookup or self.facts, self.overrides)

    def sealed(self, values: Any) -> str:
        """A digest for the state, which does not give secrets away."""
        make_private(self.options.state)
        return digest(values, state_key(self.options.state / "state.key"))

    @property
    def facts_before_secrets(self) -> Facts:
        """The facts that are known before anything is made: what secrets themselves and checks are made of."""
        return self._facts(self.environment())

    @property
    def facts_at_hand(self) -> Lookup:
        """As facts_before_secrets; where some are missing or wrong, a FormatError for each of those only."""
        try:
            return self.facts_before_secrets
        except SpecError:
            settings = Settings.of_spec(self.carried.unrepeated, self.all_values)
            return without(self._facts(self.project.env), settings.wrong(self.site_file))

    def _facts(self, env: Mapping[str, str]) -> Facts:
        names = self.destination.named()
        return Facts(images=names, site=self.site, env=env, directory=Path.cwd(), known=self.known)

    def _single_secrets(self) -> Sequence[tuple[str, Secret]]:
        data = [(each, self.secret_data(each)) for each in self.carried.spec.install.secrets]
        values = [(each.name, single_value(each, held)) for each, held in data if held]
        return [(name, value) for name, value in values if value]

    def _outputs(self) -> Mapping[str, Mapping[str, Any]]:
        if self.options.rehearsal:
            return stand_in_outputs(uses(self.carried.spec, self.all_values))
        return {name: record.outputs for name, record in self._records()}

    def _records(self) -> Sequence[tuple[str, ActionRecord]]:
        actions = [action for action in self.carried.spec.install.actions if action.outputs]
        return [(action.name, record) for action in actions if (record := self.cluster.record(action))]

    # The registry.

    @property
    def hosts(self) -> Mapping[str, HostSettings]:
        """How registries are reached: as the spec says, and as the command line does of its own."""
        return {**self.carried.spec.hosts, **self.options.hosts}

    @property
    def uses_engine(self) -> bool:
        """Whether a Docker Engine loads and pushes the images. A rehearsal, whose registry it can't reach, has none."""
        return (self.options.engine or self.carried.plan.engine) == "docker" and not self.options.rehearsal

    @property
    def crossing(self) -> "Crossing":
        """The way of the images into the registry."""
        with self._guard:
            if self._crossing is None:
                self._crossing = self._way()
            return self._crossing

    def _way(self) -> "Crossing":
        from tasks.site.destination import DestinationSettings
        from tasks.site.images import Crossing

        settings = DestinationSettings(
            images=(*self.carried.bundle.manifest.images, *self.carried.spec.derived),
            names=self.images,
            registry=self.carried.spec.registry,
            override=self.registry,
            hosts=self.hosts,
            console=self.project.console,
            env=self.project.env,
            jobs=self.options.jobs,
        )
        return Crossing(
            self.carried.bundle,
            settings,
            made=lambda: self.derivations,
            engine=lambda: self.project.engine_images,
            by_engine=self.uses_engine,
            state=self.state,
        )

    @property
    def destination(self) -> "Destination":
        """The registry that images are brought to."""
        return self.crossing.destination
