"""Modules as this Python compiles them, so that `airgap.pyz` need not compile them anew each time it starts."""

import importlib.util
import marshal
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

from bundle.metadata.names import ZIPAPP

_CHECKED = 0b11  # a hash of the source decides whether it holds, and not the source's time
_PLAIN = 2  # the last version of the format whose bytes don't depend on what else is in memory


def compiled(name: str, source: bytes, path: Path | None = None) -> bytes | None:
    """What belongs into `<name>c` beside the module `name`: for this minor version of Python, and ignored by others.

    `path` is where this very source lies: what Python keeps of it in `__pycache__` is taken. The same source gives the
    same bytes. None where this Python can't write it in that format. Source: PEP 552.
    """
    code = _kept(path) or compile(source, name, "exec", dont_inherit=True, optimize=0)
    try:
        data = marshal.dumps(_placed(code, f"{ZIPAPP}/{name}"), _PLAIN)
    except ValueError:  # from 3.14 on: constants that it does not know
        return None
    flags = _CHECKED.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + data


def _kept(path: Path | None) -> CodeType | None:
    if path is None or sys.flags.optimize:
        return None
    return SourceFileLoader(path.stem, str(path)).get_code(path.stem)


def _placed(code: CodeType, file: str) -> CodeType:
    """The same code, which says that it is of this file: not where it was on the machine that made the bundle."""
    constants = tuple(_placed(each, file) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=file, co_consts=constants)
