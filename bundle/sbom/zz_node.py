"""Installed Node packages: the package.json of each directory in a node_modules."""

import json
import re
from typing import Any

from bundle.sbom._licences import named
from bundle.sbom.package import Package

PACKAGE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json")


def read_package(data: bytes, place: str) -> Package | None:
    """The package that a package.json tells of; None when it names none."""
    try:
        told = json.loads(data)
    except ValueError:
        return None
    name, version = (told.get("name"), told.get("version")) if isinstance(told, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        return None
    scope, _, base = name.rpartition("/")
    return Package(type="npm", namespace=scope, name=base, version=version, licences=_node_licences(told), places=(place,))


def _node_licences(told: dict[str, Any]) -> tuple[str, ...]:
    """`license` as text, or in its older forms: an object, or a list of them."""
    given = told.get("license") or told.get("licenses") or ()
    items = given if isinstance(given, list) else [given]
    return tuple(name for item in items for name in named(item.get("type") if isinstance(item, dict) else item))
