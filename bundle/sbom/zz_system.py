"""Which distribution an image is of (os-release(5))."""

import shlex
from dataclasses import dataclass
from typing import Self

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
