"""Licences in the words of Debian and Python, told in those of SPDX where that is certain."""

import re
from collections.abc import Iterable, Iterator

_LONGEST_NAME = 200  # characters; what is longer is a licence's text, not its name
# Debian's machine-readable names (DEP 5, "License specification"); a trailing + means "or later".
_DEBIAN_FAMILIES = ("GPL", "LGPL", "AGPL", "GFDL")
_DEBIAN_FAMILY = re.compile(rf"({'|'.join(_DEBIAN_FAMILIES)})-(\d+(?:\.\d+)?)(\+?)", re.IGNORECASE)
_DEBIAN_NAMES = {
    "artistic": "Artistic-1.0-Perl",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "isc": "ISC",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "x11": "X11",
    "zlib": "Zlib",
}
# Trove classifiers (https://pypi.org/classifiers/) that mean one SPDX licence; "BSD License" and the like do not.
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.+)")
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9+])")


def named(text: object) -> tuple[str, ...]:
    """A licence field of one line as a licence; nothing for an empty one, and for one that holds the licence's text."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    said = 0 < len(words) <= _LONGEST_NAME and words.upper() not in ("UNKNOWN", "NONE", "NOASSERTION")
    return (words,) if said else ()


def from_classifiers(classifiers: Iterable[str]) -> tuple[str, ...]:
    """The licences among Python's trove classifiers."""
    found = [match[1] for each in classifiers if (match := _CLASSIFIER.fullmatch(each)) and match[1] != "OSI Approved"]
    return tuple(dict.fromkeys(_CLASSIFIERS.get(each) or each for each in found))


def from_copyright(text: str) -> tuple[str, ...]:
    """The licences of a Debian copyright file, sorted.

    One that is machine-readable names them itself. Of any other, those count whose text it refers to in
    /usr/share/common-licenses: whether later versions are allowed too is not known then.
    """
    if _is_machine_readable(text):
        found = [_from_debian(name) for paragraph in _paragraphs(text) for name in _licence_of(paragraph)]
    else:
        found = [_referred(match[1]) for match in _COMMON.finditer(text)]
    return tuple(sorted({licence for licence in found if licence}))


def _referred(name: str) -> str:
    """A licence by the name of its text; the name of a GNU licence does not tell whether later versions are meant."""
    return f"{name} (as referred to)" if name.partition("-")[0] in _DEBIAN_FAMILIES else name


def _is_machine_readable(text: str) -> bool:
    head = text.lstrip("\ufeff\n").partition("\n")[0].lower()
    return head.startswith(("format:", "format-specification:"))


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The first lines of the fields of each paragraph, by the field's name in lower case."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.splitlines() if line[:1] not in (" ", "\t", "#") and ":" in line]
        yield {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _licence_of(paragraph: dict[str, str]) -> tuple[str, ...]:
    """The licence that a paragraph puts files or the whole package under; those that only give a text put none."""
    states = paragraph.keys() & {"files", "format", "format-specification"}
    return named(paragraph.get("license", "")) if states else ()


def _from_debian(name: str) -> str:
    """A short name, or several with `or` and `and`, each in SPDX's words where it has some."""
    words = name.replace(",", " ").split()
    return " ".join(word.upper() if word in ("or", "and") else _from_debian_word(word) for word in words)


def _from_debian_word(word: str) -> str:
    family = _DEBIAN_FAMILY.fullmatch(word)
    if not family:
        return _DEBIAN_NAMES.get(word.lower(), word)
    version = family[2] if "." in family[2] else f"{family[2]}.0"
    return f"{family[1].upper()}-{version}-{'or-later' if family[3] else 'only'}"
