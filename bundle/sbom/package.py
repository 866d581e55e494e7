"""One package as package managers name it, and its purl (package-url specification, PURL-SPECIFICATION.rst)."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of one version.

    `type` is the purl's (`deb`, `apk`, `rpm`, `pypi`, `npm`); `qualifiers` (architecture, distribution, ...) are those
    of the purl. `licences` are SPDX identifiers or expressions, or whatever the package calls its licence; all of them
    apply. `places` are the files of the image that tell of it.
    """

    type: str
    name: str
    version: str
    namespace: str = ""
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """The package-url, in its canonical form."""
        name, namespace = self.name, self.namespace
        if self.type in ("apk", "deb", "pypi"):
            name, namespace = name.lower(), namespace.lower()
        if self.type == "pypi":
            name = name.replace("_", "-")
        path = "/".join(_encoded(part) for part in (*namespace.split("/"), name) if part)
        version = f"@{_encoded(self.version)}" if self.version else ""
        qualifiers = "&".join(f"{key}={_encoded(value)}" for key, value in sorted(self.qualifiers.items()) if value)
        return f"pkg:{self.type}/{path}{version}{'?' if qualifiers else ''}{qualifiers}"


def _encoded(text: str) -> str:
    return quote(text, safe=":")


PLACES = ("etc/os-release", "usr/lib/os-release")
_VENDORS = {"rhel": "redhat", "amzn": "amazon", "ol": "oracle"}  # as vulnerability databases call them


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A distribution: `id` and `version` as os-release has them, `title` for people. All may be empty."""

    id: str = ""
    version: str = ""
    title: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an os-release file; lines that are no assignments are passed over."""
        values = {}
        for line in data.decode(errors="replace").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                values[name] = _unquoted(value)
        version = values.get("VERSION_ID", "")
        title = values.get("PRETTY_NAME") or f"{values.get('ID', '')} {version}".strip()
        return cls(id=values.get("ID", ""), version=version, title=title)

    def vendor(self, default: str) -> str:
        """The namespace of purls."""
        return _VENDORS.get(self.id, self.id) or default

    @property
    def distro(self) -> str:
        """The `distro` qualifier of purls, for example debian-12."""
        return "-".join(part for part in (self.id, self.version) if part)


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return value.strip("\"'")
