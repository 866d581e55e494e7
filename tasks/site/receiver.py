"""One installation: the carried bundle, the site's facts, and the systems inside, each met when it is first needed."""

import getpass
import posixpath
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from bundle.errors import AirgapError, FormatError
from bundle.formats import strict_json
from bundle.metadata.names import INSTALL, RESOLVED_SPEC, SPEC_PLACE
from bundle.oci.locations import HostSettings
from bundle.secret import KnownSecrets, Secret
from schema.loading.values import read_all
from schema.site.actions import ActionRecord, record_name
from schema.site.image_names import ImageNames
from schema.site.lookup import Facts
from schema.site.rehearsal import rehearsed, stand_in_outputs
from schema.site.secrets import read_data, single_value
from schema.site.site import Site
from schema.site.uses import gather, uses
from schema.spec.install import ActionSpec, ReleaseSpec, SecretSpec
from schema.spec.spec import Spec
from schema.values.file import Lookup, ValuesFile
from schema.values.rendered import digest, state_key
from schema.values.values import Values, counting, release_values
from tasks.runtime.project import Project
from tasks.runtime.run_lock import RunLock
from tasks.site.cluster import Cluster
from tasks.site.programs import Programs

if TYPE_CHECKING:
    from bundle.archive.reader import OpenedBundle
    from bundle.signing.trust import Trust
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

    def claim(self) -> None:
        """Before the first change: wait for another install with this state, and look at everything anew after it.

        What a helm has left pending can be freed then: nobody works on it.
        """
        with self._guard:
            if self._run_lock is None:
                self._run_lock = RunLock(self.state / "install.lock", say=self._waits)

    def _waits(self, told: str) -> None:
        self.project.console.line(told)
        for asked in ("cluster", "crossing"):
            self.__dict__.pop(asked, None)

    # The bundle.

    @property
    def path(self) -> Path:
        """Where the bundle is: named, or the spec's own."""
        return self.options.bundle or self.project.directory

    @cached_property
    def bundle(self) -> "OpenedBundle":
        """The bundle, read in place, when the site trusts who signed it; else a TrustError says why not."""
        from bundle.archive.reader import open_bundle

        return open_bundle(self.path, vouch=self.trust(self.path))

    def trust(self, path: Path) -> "Trust | None":
        """What the site demands of the origin of the bundle at `path`; None where it demands nothing."""
        from tasks.site.trust import site_trust

        return site_trust(self.options, self.site, path, self.project.env)

    @cached_property
    def plan_spec(self) -> Spec:
        """The spec that names the steps: that of the bundle where one is named, else the one beside us."""
        if self.options.bundle:
            return self._resolved
        return rehearsed(self.project.spec, self.options.rehearsal)

    @cached_property
    def has_plan(self) -> bool:
        """Whether the steps can be told: a bundle that can't be read has none but `verify`, which says why."""
        try:
            return bool(self.plan_spec)
        except AirgapError:
            return False

    @property
    def spec(self) -> Spec:
        """The resolved spec that the bundle carries, its paths leading to the carried files, which are there."""
        self.place  # noqa: B018 - copied out of an archive when they are needed first
        return self._resolved

    @cached_property
    def _resolved(self) -> Spec:
        carried = Spec.from_dict(
            strict_json.decode(self.bundle.read(RESOLVED_SPEC), RESOLVED_SPEC), path=self._carried / SPEC_PLACE
        )
        return rehearsed(carried, self.options.rehearsal)

    @property
    def _carried(self) -> Path:
        return self.path if self.path.is_dir() else self.state / "carried" / self.bundle.manifest.id.hex[:16]

    @cached_property
    def place(self) -> Path:
        """A directory with the bundle's small files: the bundle itself, or what was copied out of an archive."""
        if self.path.is_dir():
            return self.path
        install = self._resolved.install
        commands = [*(each.run for each in install.actions), *(each.run for each in install.checks if each.run)]
        programs = {f"{INSTALL}/{posixpath.normpath(command[0])}" for command in commands}
        for name in self.bundle.names():
            if name.startswith(("install/", "charts/")) and not (self._carried / name).exists():
                self.bundle.extract(name, self._carried / name, mode=0o755 if name in programs else 0o644)
        return self._carried

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything of the bundle does, as far as times and sizes tell."""
        from bundle.archive.reader import fingerprint

        return str(fingerprint(self.path))

    @property
    def state(self) -> Path:
        """Where this installation's state lies."""
        return self.options.state

    def chart(self, name: str) -> Path:
        """The packaged chart, as a file."""
        for entry in self.bundle.manifest.charts:
            if entry.name == name:
                return self.place / entry.file
        raise FormatError(f"the bundle holds no chart {name!r}", hint="make the bundle again")

    # The site.

    @cached_property
    def site(self) -> Site:
        """The site's facts; none without site=FILE."""
        return Site.load(self.options.site) if self.options.site else Site()

    @property
    def registry(self) -> str:
        """Another place for the images than the spec's: of the command line, else of the site; empty for none."""
        return self.options.registry or self.site.registry

    @cached_property
    def images(self) -> ImageNames:
        """What images are called inside."""
        made = [(each.image, each.digest) for each in self.derivations.values()]
        prefix = self.spec.registry.prefix
        return ImageNames.of(self.bundle.manifest, prefix=prefix, registry=self.registry, derived=made)

    @cached_property
    def derivations(self) -> "Mapping[str, Derivation]":
        """The images that are made here of the bundle's, by name."""
        from tasks.site.derivation import derivations

        facts, meter = lambda: self.facts_before_secrets, self.project.console
        read = lambda entry: self.crossing.image(entry)  # noqa: E731, PLW0108 - which needs the names of these first
        return derivations(self.spec, self.bundle.manifest, read, self.options, facts=facts, meter=meter)

    @cached_property
    def values_files(self) -> Mapping[Path, ValuesFile]:
        """The values files of all releases."""
        return read_all(self.spec)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment with what was asked for; a SpecError lists everything that is missing."""
        used = uses(self.spec, counting(self.spec.install.releases, self.values_files, self.site.value))
        with self._guard:
            return gather(used, site=self.site, env=self.project.env, directory=Path.cwd(), ask=self.ask)

    @property
    def ask(self) -> Callable[[str], str] | None:
        """Reads without echo; None without a terminal."""
        return getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None

    # The cluster.

    @cached_property
    def programs(self) -> Programs:
        """The bundle's tools and the machine's."""
        return Programs(self.bundle, self.state, self.project.env)

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster, and what is known of it."""
        return Cluster(self.programs, self.known, self.spec.install.releases)

    # Names of the values.

    @property
    def facts(self) -> Facts:
        """Everything that `${...}` can stand for by now."""
        return Facts(
            images=self.destination.named(),
            site=self.site,
            env=self.environment,
            directory=Path.cwd(),
            known=self.known,
            secrets=dict(self._single_secrets()),
            outputs=self._outputs(),
        )

    def secret_data(self, secret: SecretSpec) -> Mapping[str, Secret] | None:
        """What a secret is to hold: a generated one's value from the cluster (None while it is not made)."""
        if secret.generate:
            return self.cluster.secret(secret.name, secret.namespaces[0])
        return read_data(secret, self.facts_before_secrets, self.known)

    def record(self, action: ActionSpec) -> ActionRecord | None:
        """What the cluster remembers of an action."""
        contents = self.cluster.secret(record_name(action.name), self.action_namespace(action))
        return ActionRecord.from_contents(action.name, contents) if contents else None

    def action_namespace(self, action: ActionSpec) -> str:
        """Where an action's record is kept: in the namespace of the first release it comes after, else the first's."""
        releases = {each.name: each.namespace for each in self.spec.install.releases}
        after = [releases[name] for name in action.after if name in releases]
        return next(iter([*after, *releases.values()]), "default")

    def values(self, release: ReleaseSpec, lookup: Lookup | None = None) -> Values:
        """A release's values, resolved and merged."""
        return release_values(release, self.values_files, lookup or self.facts)

    def sealed(self, values: Any) -> str:
        """A digest for the state, which does not give secrets away."""
        return digest(values, state_key(self.state / "state.key"))

    @property
    def facts_before_secrets(self) -> Facts:
        """The facts that are known before anything is made: what secrets themselves and checks are made of."""
        names, env = self.destination.named(), self.environment
        return Facts(images=names, site=self.site, env=env, directory=Path.cwd(), known=self.known)

    def _single_secrets(self) -> Sequence[tuple[str, Secret]]:
        data = [(each, self.secret_data(each)) for each in self.spec.install.secrets]
        values = [(each.name, single_value(each, held)) for each, held in data if held]
        return [(name, value) for name, value in values if value]

    def _outputs(self) -> Mapping[str, Mapping[str, Any]]:
        if self.options.rehearsal:
            return stand_in_outputs(uses(self.spec, self.values_files.values()))
        return {name: record.outputs for name, record in self._records()}

    def _records(self) -> Sequence[tuple[str, ActionRecord]]:
        actions = [action for action in self.spec.install.actions if action.outputs]
        return [(action.name, record) for action in actions if (record := self.record(action))]

    # The registry.

    @property
    def hosts(self) -> Mapping[str, HostSettings]:
        """How registries are reached: as the spec says, and as the command line does of its own."""
        return {**self.spec.hosts, **self.options.hosts}

    @property
    def uses_engine(self) -> bool:
        """Whether a Docker Engine loads and pushes the images. A rehearsal, whose registry it can't reach, has none."""
        return (self.options.engine or self.plan_spec.engine) == "docker" and not self.options.rehearsal

    @cached_property
    def crossing(self) -> "Crossing":
        """The way of the images into the registry."""
        from tasks.site.destination import Place
        from tasks.site.images import Crossing

        place = Place(
            images=(*self.bundle.manifest.images, *self.spec.derived),
            names=self.images,
            registry=self.spec.registry,
            override=self.registry,
            hosts=self.hosts,
            console=self.project.console,
            env=self.project.env,
            jobs=self.options.jobs,
        )
        engine = (lambda: self.project.engine_images) if self.uses_engine else None
        return Crossing(self.bundle, place, made=lambda: self.derivations, engine=engine, state=self.state)

    @property
    def destination(self) -> "Destination":
        """The registry that images are brought to."""
        return self.crossing.destination
