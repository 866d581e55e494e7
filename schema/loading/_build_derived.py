"""From a valid document to the images that are made at install."""

from collections.abc import Mapping
from pathlib import Path

from bundle.errors import FormatError, storage_errors
from bundle.formats.x509 import parse_authorities
from bundle.oci.reference import Reference
from schema.loading._build import Reader, text
from schema.spec.contents import DerivedImageSpec, ImageSpec
from schema.syntax import template
from schema.syntax.document import Node
from schema.syntax.problems import did_you_mean, listed

_KEYS = ("name", "base", "add_ca", "target")
_SPACES = ("site", "file", "env")


def build_derived(
    reader: Reader, node: Node, prefix: str, images: Mapping[str, ImageSpec], known: Mapping[str, Node]
) -> DerivedImageSpec | None:
    """Read one of `images` that has a `base`; `images` are those of the bundle, `known` all that have a name."""
    name, base, add_ca, target = text(node.get("name")), node.members()["base"], node.get("add_ca"), node.get("target")
    subject = f"image {name!r}"
    for key, member in node.members().items():
        if key not in _KEYS:
            reader.problems.add(member.key or member.place, f"{subject} has a 'base', and so no {key!r}")
    if add_ca is None:
        reader.problems.add(node.place, f"{subject} has a 'base', but nothing to add", expected="'add_ca'")
        return None
    made_of = images.get(text(base))
    if made_of is None:
        _tell_base(reader, base, images, known)
    _check_certificates(reader, add_ca, subject)
    if made_of is None:
        return None
    written = text(target) or f"{name.lower()}:{made_of.target.tag}"
    inside = reader.parse(target or node.members()["name"], subject, lambda _: _target(prefix, written, made_of))
    if inside is None:
        return None
    return DerivedImageSpec(name=name, base=made_of.name, add_ca=text(add_ca), target=inside)


def _tell_base(reader: Reader, base: Node, images: Mapping[str, ImageSpec], known: Mapping[str, Node]) -> None:
    name = text(base)
    if name not in known:
        hint = did_you_mean(name, images)
        reader.problems.add(base.place, f"no image is called {name!r}", expected=listed(images), hint=hint)
    elif known[name].get("base"):
        what = f"image {name!r} is itself made at install"
        reader.problems.add(base.place, what, hint="name the image that it is made of")


def _target(prefix: str, written: str, base: ImageSpec) -> Reference:
    if "@" in written:
        raise FormatError(f"target {written!r} has a digest", hint="write PATH[:TAG]; the digest is the image's own")
    inside = Reference.parse(f"{prefix}/{written}")
    return inside if inside.tag else Reference.parse(f"{prefix}/{written}:{base.target.tag}")


def _check_certificates(reader: Reader, node: Node, subject: str) -> None:
    """Note a file that is not there or holds no certificate, and names that are not known before the first change."""
    if reader.problems.settled(node.place):
        return
    pieces = template.parse(text(node))
    for name in template.names(pieces):
        if name.space not in _SPACES:
            known = listed(f"${{{space}...}}" for space in _SPACES)
            reader.problems.add(node.place, f"{subject}: {name} has no value here", expected=known)
    if template.names(pieces):
        return
    path = reader.file(node, subject)
    if path and path.is_file():
        _parse(reader, node, subject, path)


def _parse(reader: Reader, node: Node, subject: str, path: Path) -> None:
    with storage_errors(f"read {subject}: 'add_ca'", path):
        held = path.read_text("latin-1")
    try:
        parse_authorities(held)
    except FormatError as err:
        reader.problems.add(node.place, f"{subject}: {path}: {err.what}", hint=err.hint)
