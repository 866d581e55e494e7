"""A spec in the making: entries with free names and targets, and what has no counterpart in it, with the reason."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bundle.errors import FormatError
from bundle.oci.reference import Reference
from schema.edit import NewChart, NewImage

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_VERSION = re.compile(r"v?\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]+)?")
_SHA256 = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file to add; one from the web without `sha256` is to be fetched once and summed."""

    name: str
    source: str
    sha256: str = ""

    @property
    def unsummed(self) -> bool:
        """Whether it needs a checksum."""
        return not self.sha256 and self.source.startswith(("http://", "https://"))

    def to_dict(self) -> dict[str, str]:
        """As the spec has it."""
        return {key: text for key in ("name", "source", "sha256") if (text := getattr(self, key))}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelease:
    """A release to add, of a chart of the same spec."""

    name: str
    chart: str
    namespace: str
    values: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, str | list[str]]:
        """As the spec has it."""
        data: dict[str, str | list[str]] = {"name": self.name, "chart": self.chart, "namespace": self.namespace}
        return {**data, "values": list(self.values)} if self.values else data


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something of the source that the spec has no place for, and why, or what to do about it."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(slots=True, kw_only=True)
class Draft:
    """The entries in the order in which they came; `values` are files to write beside the spec, by path.

    `prefix` is where the images go inside, as far as the source tells.
    """

    name: str
    version: str = "0.1.0"
    prefix: str = ""
    images: list[NewImage] = field(default_factory=list)
    charts: list[NewChart] = field(default_factory=list)
    files: list[NewFile] = field(default_factory=list)
    releases: list[NewRelease] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def add_image(self, text: str) -> None:
        """An image by its reference, once; what is no reference is left out."""
        try:
            reference = Reference.parse(text)
        except FormatError as err:
            self.leave_out(f"image {text}", err.what)
            return
        source = f"{reference.repository}{_version_of(reference)}"
        if source in {image.source for image in self.images}:
            return
        name = _free(reference.name, reference.path.replace("/", "-"), {image.name for image in self.images})
        tag = reference.tag or (f"digest-{reference.digest.hex[:12]}" if reference.digest else "latest")
        usual, longer = f"{reference.name}:{tag}", f"{reference.path}:{tag}"
        taken = {image.target or _usual(image.source) for image in self.images}
        target = "" if usual not in taken and not (reference.tag and reference.digest) else usual
        if usual in taken:
            target = longer if longer not in taken else f"{reference.host.replace(':', '-')}/{longer}"
        self.images.append(NewImage(name=name, source=source, target=target))

    def add_chart(self, name: str, source: str, version: str) -> str:
        """A chart from a registry, a repository or a path, once; returns its name here, empty for one left out."""
        if source.startswith("oci://") and not source.rstrip("/").endswith(f"/{name}"):
            source = f"{source.rstrip('/')}/{name}"
        if source.startswith(("oci://", "http")) and not _VERSION.fullmatch(version):
            said = f"its version is {version!r}" if version else "it names no version"
            self.leave_out(f"chart {name}", f"{said}; add it to the spec with an exact one")
            return ""
        known = {chart.name: chart for chart in self.charts}
        if name not in known:
            self.charts.append(NewChart(name=name, source=source, version=version))
        elif (known[name].source, known[name].version) != (source, version):
            self.leave_out(f"chart {name} {version}", f"the spec has {name} {known[name].version} already")
            return ""
        return name

    def add_file(self, name: str, source: str, sha256: str = "") -> None:
        """A file by its name in the bundle."""
        if not source.startswith(("http://", "https://")) and "://" in source:
            self.leave_out(f"file {source}", "files come from http(s) addresses or from paths")
            return
        if sha256 and not _SHA256.fullmatch(sha256):
            self.leave_out(f"checksum of {source}", f"{sha256!r} is no sha256; it is summed anew")
            sha256 = ""
        free = _free(tidy(name), tidy(name), {each.name for each in self.files})
        self.files.append(NewFile(name=free, source=source, sha256=sha256))

    def add_release(self, name: str, chart: str, namespace: str, values: Sequence[str] = ()) -> None:
        """A release of a chart that was added."""
        free = _free(name, f"{namespace}-{name}", {each.name for each in self.releases})
        self.releases.append(NewRelease(name=free, chart=chart, namespace=namespace, values=tuple(values)))

    @property
    def plain_hosts(self) -> Sequence[str]:
        """The hosts that the source names with http://."""
        sources = (*(chart.source for chart in self.charts), *(file.source for file in self.files))
        return sorted({urlsplit(source).netloc for source in sources if source.startswith("http://")})

    def leave_out(self, what: str, reason: str) -> None:
        """Note what has no counterpart, once."""
        item = LeftOut(what=what, reason=reason)
        if item not in self.left_out:
            self.left_out.append(item)

    def text(self, schema: str) -> str:
        """The spec, one entry a line; `schema` is where editors find the JSON Schema."""
        return "\n".join([*self._lines(schema), ""])

    def _lines(self, schema: str) -> Iterator[str]:
        yield f"# yaml-language-server: $schema={schema}"
        yield "version: 1"
        yield f"bundle: {_flow({'name': tidy(self.name), 'version': self.version})}"
        prefix = self.prefix or f"registry.internal.example.com/{tidy(self.name).lower()}"
        yield f"registry: {_flow({'prefix': prefix})}  # where the images go, as the cluster names it: write yours"
        if self.plain_hosts:
            yield "registries:"
            yield from (f"  {json.dumps(host)}: {{plain_http: true}}" for host in self.plain_hosts)
        sections = (("images", self.images), ("charts", self.charts), ("files", self.files))
        for title, entries in sections:
            if entries:
                yield f"{title}:"
                yield from (f"  - {_flow(each.to_dict())}" for each in entries)
        if self.releases:
            yield "install:"
            yield "  releases:"
            yield from (f"    - {_flow(each.to_dict())}" for each in self.releases)
        if self.left_out:
            yield ""
            yield "# Without a counterpart here:"
            yield from (f"# - {' '.join(str(each).split())}" for each in self.left_out)


def tidy(text: str) -> str:
    """A text as a name of a spec."""
    return _NOT_IN_NAMES.sub("-", text).strip("-._")[:100] or "app"


def _flow(entry: Mapping[str, object]) -> str:
    return f"{{{', '.join(f'{key}: {_scalar(value)}' for key, value in entry.items() if value != '')}}}"


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*", str(value)) and str(value).lower() not in _WORDS
    return str(value) if plain else json.dumps(str(value))


_WORDS = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")  # YAML 1.1 takes them for something else


def _version_of(reference: Reference) -> str:
    return f"@{reference.digest}" if reference.digest else f":{reference.tag or 'latest'}"


def _usual(source: str) -> str:
    """The target that an image has where the spec names none."""
    reference = Reference.parse(source)
    tag = f"digest-{reference.digest.hex[:12]}" if reference.digest else reference.tag
    return f"{reference.name}:{tag}"


def _free(name: str, longer: str, taken: set[str]) -> str:
    """A name that nothing has yet."""
    lower = {each.lower() for each in taken}
    candidates = (name, longer, *(f"{longer}-{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in candidates if each.lower() not in lower)
