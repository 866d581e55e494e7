"""The systemd units that make a backup by themselves: `backup` as it was called, with absolute paths, at a time."""

import os
import pwd
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import AirgapError, storage_errors
from bundle.storage.files import write_bytes
from bundle.storage.private import make_private
from schema.site.uses import backup_uses
from tasks.runtime.calling import SIDE
from tasks.runtime.installation import CHECKOUT
from tasks.runtime.variables import VARIABLES
from tasks.site.receiver import Receiver

DAILY = "*-*-* 02:30:00"
_PLAIN = re.compile(r"[A-Za-z0-9_@:./=+,-]+")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - what a service with PrivateTmp= does not see
_SECRETS = Path("/etc/airgap")
_HARDENING = """\
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
"""
_TIMER = """\
[Unit]
Description=Time of the backup of {application}

[Timer]
OnCalendar={calendar}
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTimer:
    """The units of one installation: `name` without suffix; `argv` is what runs in `cwd`, `secrets` what it asks for.

    `writes` are the directories that it writes to, `reads` other paths that must be mounted before it runs.
    """

    name: str
    application: str
    calendar: str
    user: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    secrets: tuple[str, ...]
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]

    @classmethod
    def of(cls, receiver: Receiver, out: Path, calendar: str) -> Self:
        """The units of this command line; an AirgapError for what no unit can hold."""
        application, site, cwd = receiver.carried.spec.bundle.name, receiver.options.site, Path.cwd()
        given = {"out": str(out), "state": str(receiver.options.state), **_given(receiver.options.words, cwd)}
        argv = (*_program(), "backup", *(f"{name}={text}" for name, text in given.items()))
        kubeconfig = [os.path.abspath(each) for each in receiver.project.env.get("KUBECONFIG", "").split(":") if each]
        env = {"PATH": receiver.project.env.get("PATH", ""), "KUBECONFIG": ":".join(kubeconfig)}
        paths = [Path(text) for name, text in given.items() if VARIABLES[name].is_path and text]
        named = f"{application}-{site.stem}" if site and site.stem != "site" else application
        used = backup_uses(receiver.carried.spec.install.backup.commands)
        timer = cls(
            name=f"airgap-backup-{re.sub(r'[^A-Za-z0-9_.-]', '-', named)}",
            application=application,
            calendar=calendar,
            user=pwd.getpwuid(os.getuid()).pw_name,
            argv=argv,
            cwd=cwd,
            env={name: text for name, text in env.items() if text},
            secrets=tuple(sorted({each.name.rest for each in used if each.name.space == "env"})),
            reads=tuple(dict.fromkeys([*paths, *map(Path, kubeconfig), cwd, Path(argv[1])])),
            writes=tuple(dict.fromkeys([out, receiver.options.state])),
        )
        for text in (calendar, str(cwd), *argv, *env.values()):
            if not text.isprintable() or text != text.strip() or text.endswith("\\"):
                hint = "use names without control characters, and without blanks at their ends"
                raise AirgapError(f"a systemd unit can't hold {text!r}", hint=hint)
        return timer

    @property
    def secrets_file(self) -> Path:
        """Where systemd reads the secrets from; people write it."""
        return _SECRETS / f"{self.name.removeprefix('airgap-')}.env"

    @property
    def service(self) -> str:
        """The text of NAME.service."""
        lines = ["[Unit]", f"Description=Backup of {self.application}"]
        lines += ["Wants=network-online.target", "After=network-online.target"]
        lines += [f"RequiresMountsFor={_listed(self.reads)}", "", "[Service]", "Type=oneshot"]
        # Without User= systemd sets no HOME, where kubectl and helm look for their settings.
        lines += [f"User={self.user}", f"WorkingDirectory={_percent(str(self.cwd))}"]
        lines += [f"Environment={quoted(f'{name}={text}')}" for name, text in self.env.items()]
        if self.secrets:
            lines += [f"# {', '.join(self.secrets)}", f"EnvironmentFile={self.secrets_file}"]
        lines += [f"ExecStart={' '.join(quoted(word, command=True) for word in self.argv)}", "Nice=10"]
        shared = any(each.is_relative_to(place) for each in (*self.reads, *self.writes) for place in _TEMPORARY)
        writes = (*self.writes, *_TEMPORARY) if shared else self.writes
        lines += [f"ReadWritePaths={_listed(writes)}", f"PrivateTmp={'no' if shared else 'yes'}"]
        return "\n".join([*lines, _HARDENING])

    @property
    def timer(self) -> str:
        """The text of NAME.timer."""
        return _TIMER.format(application=self.application, calendar=_percent(self.calendar))

    def write(self, directory: Path) -> Iterator[str]:
        """Write both, and say what is left to do, a line each."""
        for place in self.writes:
            with storage_errors("make the directory", place):
                make_private(place)
        for suffix, text in (("service", self.service), ("timer", self.timer)):
            path = directory / f"{self.name}.{suffix}"
            with storage_errors("write the unit", path):
                write_bytes(path, text.encode())
            yield f"wrote {path}"
        if self.secrets:
            yield f"secrets: install -D -m 0600 /dev/null {self.secrets_file}, then write into it, a line each:"
            yield from (f"  {name}=..." for name in self.secrets)
        yield f"start it: systemctl daemon-reload && systemctl enable --now {self.name}.timer"
        yield f"try it: systemctl start {self.name}.service; journalctl -u {self.name}.service"


def quoted(text: str, *, command: bool = False) -> str:
    """One word as systemd reads it: no specifiers (%) in it, and no variables ($) in that of a `command`."""
    text = _percent(text).replace("$", "$$") if command else _percent(text)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _listed(paths: Iterable[Path]) -> str:
    return " ".join(quoted(str(path)) for path in paths)


def _given(words: Iterable[str], cwd: Path) -> Mapping[str, str]:
    """The variables of the command line, their paths as seen from everywhere."""
    given = {name: text for name, equals, text in (word.partition("=") for word in words) if equals}
    return {
        name: os.path.abspath(cwd / text) if VARIABLES[name].is_path and text else text
        for name, text in given.items()
        if name in VARIABLES
    }


def _program() -> tuple[str, ...]:
    """This program, by absolute paths."""
    if SIDE == "air-gapped":
        return (sys.executable, str(CHECKOUT))
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return (sys.executable, "-m", started.parent.name)
    return (sys.executable, os.path.abspath(started))
