"""Real systems to look into: a Debian by debootstrap, an RPM database by rpm, what pip and npm install."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.integration.parts import CommandError, PartError, program

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airgap-ci"
_LEFT_OUT = (
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zoneinfo",
    "usr/share/i18n",
    "var/lib/apt",
    "var/cache",
    "dev",
)
_SPEC = """\
Name: demo
Version: 1.2
Release: 3
Epoch: 4
Summary: a package
License: GPLv2+ and MIT
BuildArch: noarch
%description
Nothing.
%package lib
Summary: another
License: Apache-2.0
%description lib
Nothing.
%package Tools++
Summary: one with other letters
License: MIT
%description Tools++
Nothing.
%files
%files lib
%files Tools++
"""


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    """Run a program and return its output; a CommandError carries what it said on failure."""
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(done.returncode, done.args, done.stdout, done.stdout[-1000:] + done.stderr)
    return done.stdout


def debian_tar() -> Path:
    """A minimal Debian of this machine's release as a tar, made once and kept in CI's cache.

    A PartError where debootstrap is missing, or where this machine is no Debian or we are not root.
    """
    debootstrap, release = program("debootstrap"), platform.freedesktop_os_release()
    codename = release.get("VERSION_CODENAME", "")
    if os.geteuid() != 0 or release.get("ID") != "debian" or not codename:
        raise PartError("debootstrap needs root, and a Debian that knows its mirror")
    made = CACHE / f"debian-{codename}-{platform.machine()}.tar"
    if not made.exists():
        targets = run("apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {codename}", "Created-By: Packages")
        if not targets.split():
            raise PartError(f"apt knows no mirror of {codename}")
        CACHE.mkdir(parents=True, exist_ok=True)
        work = made.with_suffix(f".{os.getpid()}")
        try:
            run(debootstrap, "--variant=minbase", codename, work / "root", targets.split()[0])
            left_out = [f"--exclude=./{path}/*" for path in _LEFT_OUT]
            run("tar", "-C", work / "root", *left_out, "-cf", work / "made.tar", ".")
            (work / "made.tar").replace(made)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return made


def rpm_tree(place: Path) -> Path:
    """A directory with an RPM database of three packages in var/lib/rpm."""
    builder, rpm = program("rpmbuild"), program("rpm")
    root = place / "root"
    root.mkdir(parents=True)
    (place / "demo.spec").write_text(_SPEC)
    run(builder, "-bb", "--define", f"_topdir {place}/top", place / "demo.spec")
    packages = sorted((place / "top").rglob("*.rpm"))
    run(rpm, "--root", root, "--dbpath", "/var/lib/rpm", "--initdb")
    run(rpm, "--root", root, "--dbpath", "/var/lib/rpm", "-i", "--justdb", "--nodeps", *packages)
    return root


def rpm_packages(database: Path, *defines: str) -> set[str]:
    """What rpm lists of a database: name, epoch, version, architecture and licence, a line for each."""
    form = "%{NAME} %{EPOCH} %{VERSION}-%{RELEASE} %{ARCH} %{LICENSE}\\n"
    options = [word for define in defines for word in ("--define", define)]
    return set(run(program("rpm"), "--dbpath", database, *options, "-qa", "--qf", form).splitlines())


def pip_install(target: Path, packages: Sequence[str]) -> None:
    """Install distributions below a directory, as an image does."""
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-compile",
        "--disable-pip-version-check",
        "--target",
        target,
        *packages,
    )


def npm_install(target: Path, packages: Sequence[str]) -> None:
    """Install packages into `target/node_modules`."""
    target.mkdir(parents=True)
    (target / "package.json").write_text('{"name": "app", "version": "1.0.0", "private": true}')
    run(program("npm"), "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *packages, cwd=target)
