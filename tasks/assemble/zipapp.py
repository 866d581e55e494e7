"""`airgap.pyz`: the receiving half as one file that any Python 3.11 or later runs, without a package index.

It holds this program and the pure-Python packages that the far side needs. The same sources give the same bytes, on the
same minor version of Python.
"""

import io
import stat
import sys
import zipfile
from collections.abc import Collection, Iterator
from functools import partial
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from bundle.metadata.names import ZIPAPP
from bundle.storage.files import write_bytes
from tasks.assemble import packages
from tasks.assemble.compiled import compiled
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
    "sh": "sh",
    "squarify": "squarify",
    "urllib3": "urllib3",
    "yaml": "PyYAML",
}
_COMPILED = (*OUR_PACKAGES, "doit", "urllib3", "yaml")  # what nearly every command imports
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold

# Old Pythons must be able to read this far, to say that they are too old. Ctrl-C while all is imported ends it at once,
# without a traceback; from then on the program itself answers signals.
_MAIN = b"""\
import sys
if sys.version_info < (3, 11):
    sys.stderr.write("airgap.pyz needs Python 3.11 or later, this is %d.%d\\n" % sys.version_info[:2])
    sys.exit(3)
import signal
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
from tasks.cli.entry import main
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

    A `small` one is deflated, so that its bytes depend on this machine's zlib too, and holds no compiled code.
    """
    buffer = io.BytesIO()
    buffer.write(_SHEBANG)
    compression = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "a", compression, compresslevel=9 if small else None) as archive:
        for name, data in sorted(_members(compile_too=() if small else _COMPILED)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = compression
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def sources() -> list[Path]:
    """The files that the zipapp is made of."""
    return [path for _, path in _files()]


def _members(*, compile_too: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """What belongs into the zipapp, with its name there; beside modules of some packages what they compile to."""
    yield "__main__.py", _MAIN
    replaced = {_CERTS: _SYSTEM_CERTS, version.FILE: version.stated(VERSION)}
    for name, path in _files():
        other = replaced.get(name)
        source = other or path.read_bytes()
        yield name, source
        if name.partition("/")[0] in compile_too and (code := compiled(name, source, None if other else path)):
            yield f"{name}c", code
    for distribution in THEIR_PACKAGES.values():
        yield from _licences(distribution)


def _files() -> Iterator[tuple[str, Path]]:
    """The Python files, each with its name in the zipapp."""
    root = Path(__file__).parents[2]
    yield "dodo.py", root / "dodo.py"
    for place in (*(root / package for package in OUR_PACKAGES), *(_location(package) for package in THEIR_PACKAGES)):
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield path.relative_to(place.parent).as_posix(), path


def _location(package: str) -> Path:
    """The directory of a package, or the file of a module that is one file."""
    # Not importlib.util.find_spec: it fails for `sh`, which puts an object in place of its module when it is loaded.
    spec = PathFinder.find_spec(package)
    if not spec or not spec.origin:
        raise AirgapError(f"package {package!r} is not installed", hint="pip install -e . in the checkout")
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


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
        inputs=lambda: {"version": VERSION, "tree": str(project.tree), "python": sys.implementation.cache_tag},
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
