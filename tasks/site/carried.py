"""The bundle that was carried: where it lies, who vouches for it, what it resolved, and its files, each let in here.

Nothing of it is used where it lies: what is needed as a file is copied out and compared with the list of checksums.
"""

import os
import posixpath
import stat
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import AirgapError, FormatError, storage_errors
from bundle.formats import strict_json
from bundle.metadata.names import INSTALL, RESOLVED_SPEC, SPEC_PLACE
from bundle.meter import Meter
from bundle.oci.digest import Digest
from bundle.storage.files import inside, make_directories
from schema.site.instances import expanded
from schema.site.site import Site
from schema.site.stand_ins.rehearsal import rehearsed
from schema.spec.spec import Spec
from schema.spec.switch import switched
from tasks.runtime.project import Project
from tasks.site.trust import refuse_other_bundle, site_trust

if TYPE_CHECKING:
    from bundle.archive.reader import OpenedBundle
    from bundle.archive.use import Reading
    from bundle.archive.verify import VerifyReport
    from bundle.signing.trust import OneList, Trust

_FILE = 0o600  # modes that no usual umask takes anything of
_PROGRAM = 0o700


class CarriedBundle:
    """One bundle as an installation uses it, by the list of checksums that was agreed on first.

    What is needed as a file comes by `file`, and `spec` names such files only: each is a copy in a private directory
    that is named for the list, compared with it in this very run. Safe for several threads.
    """

    def __init__(self, project: Project, *, site: Callable[[], Site]) -> None:
        """`site` gives the site's facts when it is asked who may sign."""
        self._project = project
        self._options = project.options
        self._site = site
        self._guard = threading.RLock()
        self._is_held = False
        self._compared: set[Path] = set()

    @property
    def path(self) -> Path:
        """Where the bundle is: named, or the spec's own."""
        return self._options.bundle or self._project.finished

    def fingerprint(self) -> Digest:
        """How the bundle's files lie there: equal ones mean that no program has written to them since."""
        from bundle.archive.reader import fingerprint

        return fingerprint(self.path)

    def compare(self, reading: "Reading", meter: Meter) -> "VerifyReport":
        """Read every file to its end and compare it with the list; `reading` says who uses their bytes.

        Of a directory, files that this run has compared already are not read again.
        """
        from bundle.archive.verify import verify

        if self.path.is_dir():
            known = frozenset(self.bundle.compared)
            reading = replace(reading, passes_over=lambda name, _: name in known)
        return verify(self.path, meter=meter, base=self._project.base, vouch=self.vouch, reading=reading)

    def contains(self, directory: Path) -> bool:
        """Whether a directory is the bundle's, or in it: a file that is written there would make it bad."""
        return self.path.resolve() in (directory, *directory.parents)

    @cached_property
    def vouch(self) -> "OneList":
        """Asked whenever the bundle's list of checksums is read: the site trusts who signed it, and it is one list."""
        from bundle.signing.trust import OneList

        return OneList(self.trust(self.path))

    @cached_property
    def bundle(self) -> "OpenedBundle":
        """The bundle, when the site takes it and trusts who signed it; else a TrustError says why not."""
        from bundle.archive.reader import open_bundle

        opened = open_bundle(self.path, vouch=self.vouch)
        self.refuse_other(opened)
        return opened

    def refuse_other(self, opened: "OpenedBundle") -> None:
        """Raise a TrustError for a bundle of a name that the site does not take."""
        refuse_other_bundle(self._site(), opened.manifest.name)

    @property
    def is_expected(self) -> bool:
        """Whether the site names the bundles that it takes, so that this one is one of them."""
        trust = self._site().trust
        return bool(trust and trust.bundles)

    def trust(self, path: Path) -> "Trust | None":
        """What the site demands of the origin of the bundle at `path`; None where it demands nothing."""
        return site_trust(self._options, self._site(), path, self._project.env)

    @cached_property
    def plan(self) -> Spec:
        """The spec that names the steps: that of the bundle where one is named, else the one beside us."""
        if self._options.bundle:
            return self.resolved()
        return self._here(self._project.spec)

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
        """The resolved spec whose paths lead to copies of the carried files, which are there."""
        for name in self.bundle.names():
            if name.startswith(f"{INSTALL}/"):
                self.file(name)
        return self.resolved()

    @cached_property
    def base(self) -> Path:
        """The directory that the spec's own programs are started in: the spec's, as it was carried."""
        base = self.spec.path.parent
        self._hold()
        with storage_errors("make the directory that the spec's programs are started in", base):
            make_directories(base)
        return base

    @cached_property
    def tools(self) -> Path:
        """The directory of the bundle's tools, by their names; there only when it has some."""
        place = self._place / "tools"
        for file in self.bundle.manifest.files:
            if file.tool:
                self._copy(file.file, inside(place, file.name), _PROGRAM)
        return place

    def file(self, name: str) -> Path:
        """A copy of a file of the bundle, by its name there: what the list of checksums says."""
        return self._copy(name, inside(self._place, name), _PROGRAM if name in self._programs else _FILE)

    def chart(self, name: str) -> Path:
        """The packaged chart, as a file."""
        for entry in self.bundle.manifest.charts:
            if entry.name == name:
                return self.file(entry.file)
        raise FormatError(f"the bundle holds no chart {name!r}", hint="make the bundle again")

    def _copy(self, name: str, target: Path, mode: int) -> Path:
        """Have a file at `target`: a copy of an earlier run when that is the same, else one that is made now."""
        self._hold()
        with self._guard:
            if target not in self._compared:
                if not self._is_copy(name, target, mode):
                    self.bundle.extract(name, target, mode=mode)
                self._compared.add(target)
        return target

    def _is_copy(self, name: str, target: Path, mode: int) -> bool:
        from bundle.storage.blob_store import hash_file

        expected = self.bundle.digest(name)
        with storage_errors(f"read the copy of {name!r}", target):
            try:
                found = target.lstat()
            except FileNotFoundError:
                return False
            usable = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == mode
            return usable and hash_file(target, expected) == expected.hex

    def _hold(self) -> None:
        """Have the private directory, until this process ends; those of other lists go when nobody uses them."""
        from bundle.storage.private import hold

        place = self._place
        with self._guard:
            if not self._is_held:
                weakref.finalize(self, os.close, hold(place.parent, place.name))
                self._is_held = True

    @cached_property
    def unrepeated(self) -> Spec:
        """The resolved spec as it was carried, in which entries stand for each item of a list of the site."""
        data = strict_json.decode(self.bundle.read(RESOLVED_SPEC), RESOLVED_SPEC)
        return Spec.from_dict(data, path=self._place / SPEC_PLACE)

    @cached_property
    def _resolved(self) -> Spec:
        return self._here(self.unrepeated)

    def _here(self, spec: Spec) -> Spec:
        """A spec as it is at this site."""
        here = switched(expanded(spec, self._site), lambda name: self._site().found(name))
        return rehearsed(here, self._options.rehearsal)

    @cached_property
    def _place(self) -> Path:
        """The directory that the bundle's files are copied to."""
        return self._options.state / "carried" / self.bundle.sums_digest.hex[:16]

    @cached_property
    def _programs(self) -> frozenset[str]:
        """The files that commands of the spec name: those may be run, which an archive does not tell."""
        install = self.resolved().install
        commands = [*(each.run for each in install.actions), *(each.run for each in install.checks)]
        commands += [run for each in install.backup.commands for run in each.runs]
        words = [part for command in commands for word in command for part in (word, word.partition("=")[2]) if part]
        return frozenset(posixpath.normpath(f"{INSTALL}/{word}") for word in words)
