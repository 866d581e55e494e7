"""Installed Python distributions (PyPA core metadata): `*.dist-info/METADATA`, `*.egg-info`, and in eggs."""

import re
from email.message import Message
from email.parser import HeaderParser
from typing import Any

from bundle.formats import strict_json
from bundle.sbom._licences import from_classifiers, named
from bundle.sbom.package import Package

METADATA = re.compile(r"(?:.*/)?(?:[^/]+(?:\.dist-info/METADATA|\.egg-info(?:/PKG-INFO)?)|EGG-INFO/PKG-INFO)")


def read_metadata(data: bytes, place: str) -> Package | None:
    """The distribution that a metadata file tells of; None when it names none."""
    head = re.split(rb"\r?\n\r?\n", data.lstrip(), maxsplit=1)[0]
    fields = HeaderParser().parsestr(head.decode(errors="replace"))
    name, version = _field(fields, "Name"), _field(fields, "Version")
    if not name or not version:
        return None
    return Package(type="pypi", name=name, version=version, licences=_licences(fields), places=(place,))


def _licences(fields: Message) -> tuple[str, ...]:
    """The most exact of what is told: an SPDX expression, classifiers, or the free text of `License`."""
    expression = named(_field(fields, "License-Expression"))
    classifiers = from_classifiers(str(each) for each in fields.get_all("Classifier", ()))
    return expression or classifiers or named(_line(fields, "License"))


def _field(fields: Message, name: str) -> str:
    return str(fields.get(name, "")).strip()


def _line(fields: Message, name: str) -> str:
    """A field of one line; one of several holds the licence's text."""
    text = _field(fields, name)
    return "" if "\n" in text else text


PACKAGE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json")


def read_package(data: bytes, place: str) -> Package | None:
    """The package that a package.json tells of; None when it names none."""
    try:
        told = strict_json.loads(data)
    except ValueError:
        return None
    name, version = (told.get("name"), told.get("version")) if isinstance(told, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        return None
    scope, _, base = name.rpartition("/")
    return Package(
        type="npm", namespace=scope, name=base, version=version, licences=_node_licences(told), places=(place,)
    )


def _node_licences(told: dict[str, Any]) -> tuple[str, ...]:
    """`license` as text, or in its older forms: an object, or a list of them."""
    given = told.get("license") or told.get("licenses") or ()
    items = given if isinstance(given, list) else [given]
    return tuple(name for item in items for name in named(item.get("type") if isinstance(item, dict) else item))
