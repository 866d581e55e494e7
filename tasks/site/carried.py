"""The bundle that was carried: where it lies, who vouches for it, what it resolved, and its files, each let in here."""

import posixpath
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import AirgapError, FormatError, MissingToolError, TrustError, storage_errors
from bundle.formats import strict_json
from bundle.metadata.names import INSTALL, RESOLVED_SPEC, SPEC_PLACE
from schema.site.rehearsal import rehearsed
from schema.site.site import Site
from schema.spec.spec import Spec
from tasks.runtime.options import Options
from tasks.runtime.project import Project

if TYPE_CHECKING:
    from bundle.archive.reader import OpenedBundle
    from bundle.signing.signers import Signers
    from bundle.signing.trust import SignedData, Trust


class CarriedBundle:
    """One bundle as an installation uses it, read in place.

    What is needed as a file comes by `file`, and `spec` names such files only: nothing else of the bundle is opened
    by its path.
    """

    def __init__(self, project: Project, *, site: Callable[[], Site]) -> None:
        """`site` gives the site's facts when it is asked who may sign."""
        self._project = project
        self._options = project.options
        self._site = site

    @property
    def path(self) -> Path:
        """Where the bundle is: named, or the spec's own."""
        return self._options.bundle or self._project.directory

    @cached_property
    def bundle(self) -> "OpenedBundle":
        """The bundle, when the site trusts who signed it; else a TrustError says why not."""
        from bundle.archive.reader import open_bundle

        return open_bundle(self.path, vouch=self.trust(self.path))

    def trust(self, path: Path) -> "Trust | None":
        """What the site demands of the origin of the bundle at `path`; None where it demands nothing."""
        return _site_trust(self._options, self._site(), path, self._project.env)

    @cached_property
    def plan(self) -> Spec:
        """The spec that names the steps: that of the bundle where one is named, else the one beside us."""
        if self._options.bundle:
            return self.resolved()
        return rehearsed(self._project.spec, self._options.rehearsal)

    @cached_property
    def has_plan(self) -> bool:
        """Whether the steps can be told: a bundle that can't be read has none but `verify`, which says why."""
        try:
            return bool(self.plan)
        except AirgapError:
            return False

    def resolved(self) -> Spec:
        """The resolved spec, read once; its files need not be there yet. A FormatError for one of another format."""
        return self._resolved

    @cached_property
    def spec(self) -> Spec:
        """The resolved spec whose paths lead to the carried files, which are there."""
        for name in self.bundle.names():
            if name.startswith(f"{INSTALL}/"):
                self.file(name)
        return self.resolved()

    @property
    def base(self) -> Path:
        """The directory that the spec's own programs are started in: the spec's, as it was carried."""
        return self.spec.path.parent

    def file(self, name: str) -> Path:
        """A file of the bundle by its name there, where it lies; copied out of an archive when it is first needed."""
        path = self._place / name
        if not self.path.is_dir() and not path.exists():
            self.bundle.extract(name, path, mode=0o755 if name in self._programs else 0o644)
        return path

    def chart(self, name: str) -> Path:
        """The packaged chart, as a file."""
        for entry in self.bundle.manifest.charts:
            if entry.name == name:
                return self.file(entry.file)
        raise FormatError(f"the bundle holds no chart {name!r}", hint="make the bundle again")

    @cached_property
    def _resolved(self) -> Spec:
        data = strict_json.decode(self.bundle.read(RESOLVED_SPEC), RESOLVED_SPEC)
        return rehearsed(Spec.from_dict(data, path=self._place / SPEC_PLACE), self._options.rehearsal)

    @cached_property
    def _place(self) -> Path:
        """The directory that the bundle's files are used in."""
        return self.path if self.path.is_dir() else self._options.state / "carried" / self.bundle.manifest.id.hex[:16]

    @cached_property
    def _programs(self) -> frozenset[str]:
        """The files that the spec runs, which an archive does not tell."""
        install = self.resolved().install
        commands = [*(each.run for each in install.actions), *(each.run for each in install.checks if each.run)]
        commands += [each.run for each in install.backup.commands]
        return frozenset(f"{INSTALL}/{posixpath.normpath(command[0])}" for command in commands)


def _site_trust(options: Options, site: Site, bundle: Path, env: Mapping[str, str]) -> "Trust | None":
    """The list of signers that counts; None where nobody names one. `trust=FILE` goes before the site file's.

    FormatError and StorageError for a list that can't be read, TrustError for one that lies in the bundle itself.
    """
    if options.trust:
        path, required = options.trust, True
    elif site.trust:
        path, required = site.trust.signers, site.trust.require
    else:
        return None
    from bundle.signing.signers import Signers  # a site that asks nobody's signature needs none of this
    from bundle.signing.trust import Trust

    if path.resolve().is_relative_to(bundle.resolve()):
        raise TrustError(
            f"the list of signers {str(path)!r} lies in the bundle, which can't vouch for itself",
            hint="keep it on this machine, as it came by a way of its own",
        )
    with storage_errors("read the list of signers", path):
        signers = Signers.parse(path.read_bytes(), label=str(path))
    return Trust(signers=signers, required=required, check=lambda data: _is_good(data, signers, env))


def _is_good(data: "SignedData", signers: "Signers", env: Mapping[str, str]) -> bool:
    """By ssh-keygen; where there is none, in Python, which knows Ed25519 only."""
    from clients.programs.ssh_keygen import SshKeygen  # only where a list of signers is named

    try:
        return SshKeygen(env).accepts(data, signers)
    except MissingToolError as err:
        if data.signature.is_ed25519:
            return data.signature.verify(data.message)
        raise TrustError(
            f"a signature by {data.signature.key} can't be checked here: {err.what}",
            hint=f"{err.hint}; without it only Ed25519 signatures can be checked",
        ) from err
