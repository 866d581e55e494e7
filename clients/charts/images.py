"""The images that rendered objects use: a walk over YAML as YAML, never over its text.

Certain are the containers and image volumes of pod templates wherever they stand, the fields of custom resources that
are known to name images (_image_fields, the spec), and well-known settings of operators (_operator_settings). Whatever
else may name one is only suspected.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from bundle.errors import FormatError
from bundle.formats.json_path import ImageField, KeyPath, members, place_text
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from clients.charts._image_fields import fields_of, image_text
from clients.charts._image_hints import is_image, names_an_image, suspects
from clients.charts._operator_settings import is_argument, is_variable
from clients.charts.documents import documents

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_WORDS = ("command", "args")
# The schema in the definition of a custom resource describes fields; it uses no image.
_SCHEMA = "openAPIV3Schema"
_LATEST = "latest"  # what the kubelet pulls where no tag is given


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Every scalar stays the text it is (`tag: 1.10`), but null is nothing; merge keys merge."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """One use of an image: `text` as rendered, `object` as `Kind/name`, `field` where in it.

    `evidence` says why an image is suspected; it is empty for one that is certain.
    """

    text: str
    object: str
    field: str
    evidence: str = ""

    @property
    def certain(self) -> bool:
        """Whether a pod will be made of it, as far as the manifests tell."""
        return not self.evidence

    @property
    def reference(self) -> Reference | None:
        """The image as registry, repository, tag and digest; None for a text that is no reference."""
        try:
            return Reference.parse(self.text)
        except FormatError:
            return None


def find_images(rendered: str, *, fields: Sequence[ImageField], subject: str) -> tuple[FoundImage, ...]:
    """Every use of an image in the YAML documents that `helm template` printed, in their order, the certain ones first.

    `fields` are those of the spec, besides the well-known ones. A FormatError tells what is no YAML.
    """
    found: dict[FoundImage, None] = {}
    for item in _objects(_documents(rendered, subject)):
        walk = _Walk(name=f"{item.get('kind')}/{_name(item)}", fields=tuple(fields))
        walk.object(item)
        found |= dict.fromkeys(walk.found)
    return tuple(sorted(found, key=lambda each: not each.certain))


def pulls(wanted: Reference, image: Reference, digest: Digest | None) -> bool:
    """Whether pulling `wanted` gives the image: by its digest where it names one, as the kubelet does, else by tag."""
    if wanted.repository != image.repository:
        return False
    if wanted.digest:
        return wanted.digest == digest
    return (wanted.tag or _LATEST) == (image.tag or _LATEST) and not (image.digest and not image.tag)


def is_about(reference: Reference, ignored: str) -> bool:
    """Whether an entry of ignore_images is about this image.

    One without a slash is the last component of any repository; a tag or digest in it must agree.
    """
    wanted = Reference.parse(ignored)
    path = ignored.partition("@")[0]
    same = reference.name == wanted.name if "/" not in path else reference.repository == wanted.repository
    tags = not wanted.tag or wanted.tag == (reference.tag or _LATEST)
    return same and tags and (not wanted.digest or wanted.digest == reference.digest)


def ignored(found: FoundImage, names: Iterable[str]) -> bool:
    """Whether one of these entries of ignore_images is about an image."""
    reference = found.reference
    return found.text in names if reference is None else any(is_about(reference, name) for name in names)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One object, looked at from the top to the bottom; what is certain is not suspected once more."""

    name: str
    fields: tuple[ImageField, ...]
    found: list[FoundImage] = field(default_factory=list)
    settled: set[KeyPath] = field(default_factory=set)

    def object(self, item: dict[str, Any]) -> None:
        """Find everything in one object."""
        group = str(item.get("apiVersion") or "").rpartition("/")[0]
        custom = "." in group and not group.endswith(".k8s.io")
        for known in fields_of(group=group, kind=str(item.get("kind")), more=self.fields):
            for path, value in known.path.select(item):
                if image := image_text(value):
                    self._certain(path, image)
        self._pods(item, (), built_in=not custom)
        if item.get("kind") == "ConfigMap":
            self._config(item)
        elif custom:
            self._guess(item, (), "custom resource", key="")

    def _pods(self, value: Any, at: KeyPath, *, built_in: bool) -> None:
        """Containers and image volumes, wherever a pod's template stands."""
        for key, member in members(value):
            path = (*at, key)
            if key in _CONTAINERS and isinstance(member, list):
                self._containers(member, path, built_in=built_in)
            if key == "volumes" and isinstance(member, list):
                self._volumes(member, path)
            if key != _SCHEMA:
                self._pods(member, path, built_in=built_in)

    def _containers(self, containers: list[Any], at: KeyPath, *, built_in: bool) -> None:
        for index, container in enumerate(containers):
            image = container.get("image") if isinstance(container, dict) else None
            if not isinstance(image, str):
                continue
            if image or built_in:  # an operator has its own idea of what an empty image means
                self._certain((*at, index, "image"), image)
            for place, entry in enumerate(container.get("env") or ()):
                if isinstance(entry, dict) and isinstance(entry.get("value"), str):
                    name, path = str(entry.get("name")), (*at, index, "env", place)
                    if is_variable(name) and is_image(entry["value"]):
                        self._certain(path, entry["value"].strip())
                    self._suspect(path, entry["value"], f"environment variable {name}", key=name)
            for words in _WORDS:
                self._words(container.get(words), (*at, index, words))

    def _words(self, words: Any, at: KeyPath) -> None:
        """The words of a command; an option is followed by its value, or `=` and the value."""
        before = ""
        for index, word in enumerate(words if isinstance(words, list) else ()):
            option, sign, value = str(word).partition("=")
            given = value if sign else str(word)
            if is_argument(option if sign else before) and is_image(given):
                self._certain((*at, index), given.strip())
            if option.startswith("-") and sign:
                self._suspect((*at, index), value, f"argument {option}", key=option)
            else:
                self._suspect((*at, index), str(word), f"argument {before}".rstrip(), key=before)
            before = str(word) if str(word).startswith("-") else ""

    def _volumes(self, volumes: list[Any], at: KeyPath) -> None:
        for index, volume in enumerate(volumes):
            image = volume.get("image") if isinstance(volume, dict) else None
            if isinstance(image, dict) and isinstance(image.get("reference"), str):
                self._certain((*at, index, "image", "reference"), image["reference"])

    def _config(self, item: dict[str, Any]) -> None:
        """What a ConfigMap holds: texts, many of them YAML themselves."""
        for key, value in members(item.get("data")):
            path = ("data", key)
            inner = _inner(value) if isinstance(value, str) and "\n" in value.strip() else None
            if inner is None:
                self._suspect(path, str(value or ""), f"ConfigMap key {key}", key=str(key))
            for document in inner or ():
                self._guess(document, path, f"ConfigMap key {key}", key="")

    def _guess(self, value: Any, at: KeyPath, source: str, *, key: str) -> None:
        """Look for images in data whose meaning is not known."""
        if isinstance(value, dict) and "repository" in value and (image := image_text(value)):
            self._suspect(at, image, f"{source}: registry, repository and tag", key="image")
        elif isinstance(value, dict | list):
            for name, member in members(value):
                if name not in (_SCHEMA, "managedFields"):
                    self._guess(member, (*at, name), source, key=name if isinstance(name, str) else key)
        elif isinstance(value, str):
            said = f"{source}: field {key}" if names_an_image(key) else f"{source}: text"
            self._suspect(at, value, said, key=key)

    def _certain(self, path: KeyPath, text: str) -> None:
        self.settled.add(path)
        self.found.append(FoundImage(text=text, object=self.name, field=place_text(path)))

    def _suspect(self, path: KeyPath, text: str, evidence: str, *, key: str) -> None:
        if any(path[:end] in self.settled for end in range(1, len(path) + 1)):
            return
        for image in suspects(text, key=key):
            self.found.append(FoundImage(text=image, object=self.name, field=place_text(path), evidence=evidence))


def _documents(rendered: str, subject: str) -> list[Any]:
    try:
        return documents(rendered, loader=_Loader)
    except FormatError as err:
        raise FormatError(f"{subject}: what it renders is {err.what}", hint="fix the chart or its values") from err


def _inner(text: str) -> list[Any] | None:
    """The YAML that a text holds; None for a text that is none, or is only one text."""
    try:
        found = [each for each in documents(text, loader=_Loader) if each is not None]
    except FormatError:
        return None
    return found if found and all(isinstance(each, dict | list) for each in found) else None


def _objects(documents: list[Any]) -> Iterator[dict[str, Any]]:
    """The objects of a stream, also those in Lists."""
    for each in documents:
        if not isinstance(each, dict):
            continue
        if str(each.get("kind") or "").endswith("List") and isinstance(each.get("items"), list):
            yield from _objects(each["items"])
        elif each.get("kind"):
            yield each


def _name(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    return str(found.get("name") or found.get("generateName") or "")
