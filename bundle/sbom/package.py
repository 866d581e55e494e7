"""One package as package managers name it, and its purl (package-url specification, PURL-SPECIFICATION.rst)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
