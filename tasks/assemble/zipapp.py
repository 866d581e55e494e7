"""`airgap.pyz`: the receiving half as one file that any Python 3.11 or later runs, without a package index.

It holds this program and the pure-Python packages that the far side needs. The same sources give the same bytes.
"""

import importlib.util
import io
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from bundle.metadata.names import ZIPAPP
from bundle.storage.files import write_bytes
from tasks.assemble import packages
from tasks.runtime import version
from tasks.runtime.installation import CHECKOUT
from tasks.runtime.project import Project
from tasks.runtime.step import Step
from tasks.runtime.version import VERSION

OUR_PACKAGES = ("bundle", "clients", "schema", "tasks")
THEIR_PACKAGES = {
    "charset_normalizer": "charset-normalizer",
    "docker": "docker",
    "doit": "doit",
    "idna": "idna",
    "requests": "requests",
    "squarify": "squarify",
    "urllib3": "urllib3",
    "yaml": "PyYAML",
}
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold

# Old Pythons must be able to read this far, to say that they are too old.
_MAIN = b"""\
import sys
if sys.version_info < (3, 11):
    sys.stderr.write("airgap.pyz needs Python 3.11 or later, this is %d.%d\\n" % sys.version_info[:2])
    sys.exit(3)
from tasks.cli.receive import main
sys.exit(main())
"""

# requests has a module for who packages it. Its own answer there is certifi's file, which is unpacked into TMPDIR
# whenever requests is imported out of a zip; nobody asks for it here, where connections and their TLS are ours.
_CERTS = "requests/certs.py"
_SYSTEM_CERTS = b"""\
# Changed in airgap.pyz: where the system keeps its CAs, instead of those of the package certifi.
import ssl


def where():
    return ssl.get_default_verify_paths().cafile or ""
"""


def build(*, small: bool = False) -> bytes:
    """The bytes of the zipapp, from the sources and packages of this very program.

    A `small` one is deflated: its bytes depend on this machine's zlib too.
    """
    buffer = io.BytesIO()
    buffer.write(_SHEBANG)
    compression = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "a", compression, compresslevel=9 if small else None) as archive:
        for name, data in sorted(_members()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = compression
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def sources() -> list[Path]:
    """The files that the zipapp is made of."""
    root = Path(__file__).parents[2]
    directories = [*(root / package for package in OUR_PACKAGES), *(_location(package) for package in THEIR_PACKAGES)]
    return [root / "dodo.py", *(path for directory in directories for path in directory.rglob("*.py"))]


def _members() -> Iterator[tuple[str, bytes]]:
    root = Path(__file__).parents[2]
    yield "__main__.py", _MAIN
    yield "dodo.py", (root / "dodo.py").read_bytes()
    for package in OUR_PACKAGES:
        yield from _sources(root / package, package)
    for package, distribution in THEIR_PACKAGES.items():
        yield from _sources(_location(package), package)
        yield from _licences(distribution)


def _sources(directory: Path, package: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(directory.rglob("*.py")):
        name = f"{package}/{path.relative_to(directory).as_posix()}"
        if name == version.FILE:
            yield name, version.stated(VERSION)
        else:
            yield name, _SYSTEM_CERTS if name == _CERTS else path.read_bytes()


def _location(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if not spec or not spec.origin:
        raise AirgapError(f"package {package!r} is not installed", hint="pip install -e . in the checkout")
    return Path(spec.origin).parent


def _licences(distribution: str) -> Iterator[tuple[str, bytes]]:
    """The licence texts of a package, which must travel with it."""
    for file in metadata.files(distribution) or ():
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")):
            yield f"licenses/{distribution}/{file.name}", Path(str(file.locate())).read_bytes()


def zipapp_steps(project: Project) -> Iterator[Step]:
    """`zipapp`: the receiving half of this program, as one file that needs nothing but Python."""
    yield Step(
        base="zipapp",
        doc=f"write {ZIPAPP}, the receiving half of this program",
        action=partial(_write_zipapp, project),
        inputs=lambda: {"version": VERSION, "tree": str(project.tree)},
        outputs=lambda: (project.tree / ZIPAPP,),
        local=[*sources(), CHECKOUT / "pyproject.toml"],
    )


def _write_zipapp(project: Project) -> None:
    project.claim()
    versions = packages.installed(THEIR_PACKAGES.values())
    packages.require_floors(versions)
    data = build(small=project.base is not None)
    write_bytes(project.tree / ZIPAPP, data, mode=0o755)
    differing = packages.unlocked(versions)
    aside = f"; not as {packages.LOCK} has it: {', '.join(differing)}" if differing else ""
    project.note("zipapp", f"{ZIPAPP}, {human(len(data))}{aside}")
