"""`doit restore-test archive=FILE key=FILE`: restores the dumps of a backup into scratch databases, and looks at them.

A part is decrypted by a pipe into the program that restores it: no plaintext is written to a disk of this machine.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError, ProgramError, storage_errors
from bundle.storage.private import make_private
from bundle.storage.scratch import scratch_directory
from clients.programs.openssl import PASSWORD, PrivateKey
from clients.programs.process import masked, run
from clients.programs.stream import feed
from schema.site.lookup import Facts
from schema.site.uses import restore_uses
from schema.spec.backup import DumpSpec, RestoreCheckSpec, RestoreSpec
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.backups.facts import facts_of, filled
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.install.verify import refuse_misplaced
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import BackupArchive
from tasks.site.records.last_restore_test import LastRestoreTest

_CHECK_SECONDS = 600.0
_SHOWN = 200  # characters of what a check printed


class RestoreTest(ReceiverCommand):
    """Tries a backup out."""

    name = "restore-test"
    doc_purpose = COMMANDS["restore-test"].purpose
    doc_usage = "archive=FILE key=PRIVATE_KEY"
    doc_description = (
        "Decrypts each dump that has `restore` in the spec by a pipe into its command, which reads standard input, and "
        f"runs its checks. A passphrase of the key is read from {PASSWORD}. The time is noted for `status`."
    )

    def _execute(self) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        if receiver.options.key is None or receiver.options.archive is None:
            raise InvalidCommand("name a backup and the private key that reads it: archive=FILE.tar key=FILE.key")
        return self._told(_restore_test)


def _restore_test(receiver: Receiver) -> None:
    assert receiver.options.key  # noqa: S101 - looked at before
    assert receiver.options.archive  # noqa: S101
    refuse_misplaced(receiver)
    key = PrivateKey.at(receiver.options.key, search=receiver.project.env.get("PATH"))
    with storage_errors("read the backup", receiver.options.archive):
        archive = BackupArchive.read(receiver.options.archive)
    commands = _tested(receiver, archive)
    facts = facts_of(receiver, restore_uses(commands))
    make_private(receiver.options.state)
    with scratch_directory(receiver.options.state, ".restore-") as work:
        for command in commands:
            test = _Test.of(receiver, command, facts, key)
            test.restore(archive, work)
            for line in test.check():
                receiver.project.console.line(line)
    now, names = datetime.now(UTC).replace(microsecond=0), tuple(each.name for each in commands)
    LastRestoreTest(tested=now, archive=str(archive.path), created=archive.created, dumps=names).note(receiver)
    age = (now - archive.created).total_seconds() / 3600
    receiver.project.console.line(f"restore test passed: {', '.join(names)} of {archive.path}, {age:.0f} hours old")


def _tested(receiver: Receiver, archive: BackupArchive) -> tuple[DumpSpec, ...]:
    """The commands whose dumps are restored, an error where there is none; what is not tested is told."""
    application = receiver.carried.spec.bundle.name
    if archive.application != application:
        hint = "name an archive of this application, or another bundle="
        raise AirgapError(f"{archive.path} is a backup of {archive.application!r}, not of {application!r}", hint=hint)
    commands = tuple(each for each in receiver.carried.spec.install.backup.commands if each.restore)
    if not commands:
        hint = "add `restore: {run: [...]}` to install.backup.commands of the spec, and make a bundle"
        raise AirgapError("the bundle's spec has no `restore` for any dump", hint=hint)
    tested = tuple(each for each in commands if each.name in archive.dumps)
    if not tested:
        names = ", ".join(each.name for each in commands)
        hint = "make a backup with this bundle and site"
        raise AirgapError(f"{archive.path} has none of the dumps with `restore`: {names}", hint=hint)
    known = {each.name for each in commands}
    unknown = [name for name in archive.dumps if name not in known]
    untested = [f"dump {name}: not tested, the spec has no `restore` for it" for name in unknown]
    missing = [f"dump {each.name}: not tested, it is not in this archive" for each in commands if each not in tested]
    for line in (*untested, *missing):
        receiver.project.console.line(line)
    return tested


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One dump's restore, with the values of this site."""

    receiver: Receiver
    name: str
    spec: RestoreSpec
    key: PrivateKey
    env: Mapping[str, str]

    @classmethod
    def of(cls, receiver: Receiver, command: DumpSpec, facts: Facts, key: PrivateKey) -> "_Test":
        """Rendered; the passphrase of the key is the business of openssl alone."""
        assert command.restore  # noqa: S101 - only such ones are tested
        spec = command.restore.filled(lambda text: filled(text, facts))
        env = {name: text for name, text in receiver.cluster.programs.env.items() if name != PASSWORD}
        return cls(receiver=receiver, name=command.name, spec=spec, key=key, env={**env, **spec.env})

    def restore(self, archive: BackupArchive, work: Path) -> None:
        """Feed the dump to its command, one encrypted part after the other; a ProgramError when it fails."""
        subject, argv = f"restore of dump {self.name!r}", self.spec.run
        self.receiver.project.console.line(f"   {subject}: {Path(argv[0]).name} is running")
        taken = True
        base = self.receiver.carried.base
        with (
            open(os.devnull, "wb") as nowhere,
            feed(argv, subject=subject, to=nowhere, env=self.env, cwd=base) as program,
        ):
            for chunk in self._plaintext(archive, work):
                if not (taken := program.write(chunk)):
                    break
        if program.code or not taken:
            how = f"ended with {program.code}" if program.code else "ended before it had read all of the dump"
            said = masked(program.said, self.receiver.known)
            raise ProgramError(f"{subject}: {Path(argv[0]).name} {how}{': ' if said else ''}{said}")

    def check(self) -> Iterator[str]:
        """Look at what was restored; a line when all is as it has to be, else a ProgramError."""
        for check in self.spec.checks:
            self._look(check)
        checks = f", {len(self.spec.checks)} checks passed" if self.spec.checks else ", no checks in the spec"
        yield f"dump {self.name}: restored{checks}"

    def _plaintext(self, archive: BackupArchive, work: Path) -> Iterator[bytes]:
        part = work / "part.cms"
        for name in archive.parts(self.name):
            archive.extract(name, part)
            with closing(self.key.stream(part, env=self.receiver.project.env)) as chunks:
                yield from chunks

    def _look(self, check: RestoreCheckSpec) -> None:
        subject, known = f"check of dump {self.name!r}", self.receiver.known
        base = self.receiver.carried.base
        done = run(check.run, subject=subject, timeout=_CHECK_SECONDS, env=self.env, cwd=base, tied=True)
        name = Path(check.run[0]).name
        if done.code:
            said = " ".join(masked(done.stderr, known).split())
            raise ProgramError(f"{subject}: {name} ended with {done.code}{': ' if said else ''}{said}")
        if check.prints is not None and done.text.strip() != check.prints.strip():
            found = masked(done.text.strip(), known)[:_SHOWN]
            raise ProgramError(f"{subject}: {name} printed {found!r}, expected {masked(check.prints, known)!r}")
