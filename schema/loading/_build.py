"""From a structurally valid document to the typed spec: what is carried (`bundle` to `files`), and how it is looked at.

Every function takes the node it reads, notes what is wrong with it, and returns None (or leaves the item out) then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from bundle.errors import FormatError
from bundle.formats.json_path import ImageField, JsonPath
from bundle.oci.digest import Digest
from bundle.oci.locations import (
    HostSettings,
    LocalChart,
    LocalImage,
    parse_chart,
    parse_image,
)
from bundle.oci.platform import Choice, Platform, parse_choice
from bundle.oci.reference import check_prefix
from schema.loading._targets import internal_name
from schema.spec.contents import REQUIRE, ChartSpec, FileSpec, ImageSpec, parse_file_source
from schema.spec.spec import ARCHIVE_ONLY, CHARTS, BundleSpec, DiscoverySpec, Layout, RegistrySpec, SignSpec
from schema.syntax.document import Node
from schema.syntax.notation import parse_size
from schema.syntax.problems import Problems
from schema.syntax.secrecy import has_login

_T = TypeVar("_T")
_DEFAULT_PLATFORM = Platform(os="linux", architecture="amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads values of one spec: paths are relative to `base`, findings go to `problems`."""

    base: Path
    problems: Problems

    def parse(self, node: Node, subject: str, parser: Callable[[str], _T]) -> _T | None:
        """The parsed text; None when the parser refuses it, it carries a login, or it was found wrong before."""
        self.no_login(node, subject)
        if self.problems.settled(node.place):
            return None
        try:
            return parser(str(node.value))
        except FormatError as err:
            self.problems.add_error(node.place, subject, err)
            return None

    def file(self, node: Node | None, subject: str) -> Path | None:
        """The path of a file that must exist; None without a node."""
        if node is None:
            return None
        path = self.base / text(node)
        if not path.is_file():
            self.missing(node, subject, "file", path)
        return path

    def missing(self, node: Node, subject: str, kind: str, path: Path) -> None:
        """Note a local path that is not there, or is something else."""
        if self.problems.settled(node.place):
            return
        found = "is something else" if path.exists() else "does not exist"
        hint = f"paths are relative to {self.problems.file}'s directory"
        self.problems.add(node.place, f"{subject}: {path} {found}", expected=f"a {kind}", hint=hint)

    def no_login(self, node: Node, subject: str) -> None:
        """Note an address that carries a user or password, without showing it."""
        if has_login(text(node)) and not self.problems.settled(node.place):
            hint = "leave it out: it would travel in the bundle; logins come from docker's config and its helpers"
            self.problems.add(node.place, f"{subject}: the address carries a user or password", hint=hint)
            self.problems.settle(node.place)


def text(node: Node | None, default: str = "") -> str:
    """A text member's value; `default` without a node."""
    return default if node is None else str(node.value)


def flag(node: Node | None, *, default: bool = False) -> bool:
    """A boolean member's value; `default` without a node."""
    return default if node is None else node.value is True


def texts(node: Node | None) -> tuple[str, ...]:
    """The entries of a list of texts; none without a node."""
    return tuple(text(item) for item in node.items()) if node else ()


def mapping(node: Node | None) -> dict[str, str]:
    """The members of a mapping of texts; none without a node."""
    return {name: text(item) for name, item in node.members().items()} if node else {}


def build_bundle(reader: Reader, node: Node) -> BundleSpec:
    """Read `bundle`."""
    split, archive = node.get("split"), node.get("archive")
    only = text(archive) == ARCHIVE_ONLY
    if split and archive and not flag(archive) and not only:
        reader.problems.add(archive.place, "'archive' is false, but 'split' asks for one", hint="leave one of them out")
    return BundleSpec(
        name=text(node.get("name")),
        version=text(node.get("version")),
        layout=cast("Layout", text(node.get("layout"), "oci")),
        platform=_platform(reader, node.get("platform"), "'platform'", _DEFAULT_PLATFORM),
        archive=flag(archive) or only or split is not None,
        directory=not only,
        split=reader.parse(split, "'split'", parse_size) if split else None,
        require_proof=flag(node.get("require_proof")),
        sign=SignSpec.from_dict({"key": text(sign.get("key"))}, reader.base) if (sign := node.get("sign")) else None,
        sbom=flag(node.get("sbom"), default=True),
        report=flag(node.get("report"), default=True),
    )


def build_registry(reader: Reader, node: Node) -> RegistrySpec:
    """Read `registry`; `push` is `prefix` where it is not given."""
    prefix, push = node.get("prefix"), node.get("push")
    for member, name in ((prefix, "'prefix'"), (push, "'push'")):
        if member:
            reader.parse(member, name, check_prefix)
    place = text(prefix)
    if prefix and reader.problems.settled(prefix.place):
        place = "registry.invalid"  # noted already: the names of images can still be checked
    return RegistrySpec(prefix=place, push=text(push) if push else place, charts=_charts_path(node.get("charts")))


def _charts_path(node: Node | None) -> str:
    """Where charts are pushed, below the prefix: `charts` for `true`; empty where they are not."""
    if node is None or isinstance(node.value, bool):
        return CHARTS if flag(node) else ""
    return text(node)


def build_hosts(reader: Reader, node: Node | None) -> Mapping[str, HostSettings]:
    """Read `registries`."""
    hosts = {}
    for host, settings in node.members().items() if node else ():
        cert, key, mirror = (settings.get(name) for name in ("client_cert", "client_key", "mirror"))
        if (cert is None) != (key is None):
            given = cert or key or settings
            reader.problems.add(given.place, f"{host!r} has only one of client_cert and client_key", expected="both")
        if mirror:
            reader.parse(mirror, "'mirror'", check_prefix)
        hosts[host] = HostSettings(
            ca=reader.file(settings.get("ca"), "'ca'"),
            client_cert=reader.file(cert, "'client_cert'"),
            client_key=reader.file(key, "'client_key'"),
            plain_http=flag(settings.get("plain_http")),
            mirror=text(mirror),
        )
    return hosts


def build_image(reader: Reader, node: Node, prefix: str, platform: Choice) -> ImageSpec | None:
    """Read one of `images`; `platform` is the bundle's."""
    name, source, target = text(node.get("name")), node.members()["source"], node.get("target")
    subject = f"image {name!r}"
    location = reader.parse(source, subject, lambda value: parse_image(value, reader.base))
    chosen = _platform(reader, node.get("platform"), subject, platform)
    if location is None:
        return None
    if isinstance(location, LocalImage):
        _check_local_image(reader, source, subject, location)
    wanted = target or source
    keep = node.get("keep_path")
    if keep and flag(keep) and target:
        reader.problems.add(keep.place, f"{subject} has both 'target' and 'keep_path'", hint="leave one of them out")
    inside = reader.parse(
        wanted, subject, lambda _: internal_name(prefix, text(target), name, location, keep=flag(keep))
    )
    if inside is None:
        return None
    return ImageSpec(
        name=name,
        source=location,
        source_text=text(source),
        target=inside,
        platform=chosen,
        referrers=text(node.get("referrers")) == REQUIRE or flag(node.get("referrers"), default=True),
        require_referrers=text(node.get("referrers")) == REQUIRE,
        cosign_key=_verified_with(reader, node, "cosign_key"),
    )


def build_chart(reader: Reader, node: Node) -> ChartSpec | None:
    """Read one of `charts`."""
    name, source, version = text(node.get("name")), node.members()["source"], node.get("version")
    subject = f"chart {name!r}"
    location = reader.parse(source, subject, lambda value: parse_chart(value, reader.base))
    if location is None:
        return None
    if isinstance(location, LocalChart):
        if not (location.path / "Chart.yaml").is_file() and not location.path.is_file():
            reader.missing(source, subject, "chart directory with Chart.yaml, or .tgz", location.path)
    elif version is None:
        reader.problems.add(node.place, f"{subject} is missing 'version'", expected="an exact version such as 1.2.3")
    return ChartSpec(
        name=name,
        source=location,
        source_text=text(source),
        version=text(version),
        chart=text(node.get("chart")),
        images=texts(node.get("images")),
        keyring=_verified_with(reader, node, "keyring"),
    )


def build_file(reader: Reader, node: Node) -> FileSpec | None:
    """Read one of `files`."""
    name, source, sha256 = text(node.get("name")), node.members()["source"], node.get("sha256")
    subject = f"file {name!r}"
    location = reader.parse(source, subject, lambda value: parse_file_source(value, reader.base))
    if isinstance(location, str) and sha256 is None:
        hint = "take it from the publisher's checksum file, not from a first download"
        reader.problems.add(node.place, f"{subject} is remote and is missing 'sha256'", hint=hint)
    if isinstance(location, Path) and not location.is_file():
        reader.missing(source, subject, "file", location)
    digest = Digest.parse(f"sha256:{text(sha256).removeprefix('sha256:')}") if sha256 else None
    if location is None:
        return None
    return FileSpec(name=name, source=location, source_text=text(source), sha256=digest, tool=flag(node.get("tool")))


def build_discovery(reader: Reader, node: Node | None) -> DiscoverySpec:
    """Read `discovery`."""
    listed = node.get("fields") if node else None
    found = []
    for item in listed.items() if listed else ():
        kind = text(item.get("kind"))
        path = reader.parse(item.members()["path"], f"field of kind {kind!r}", JsonPath.parse)
        if path:
            found.append(ImageField(group=text(item.get("group")), kind=kind, path=path))
    return DiscoverySpec(fields=tuple(found))


def _platform(reader: Reader, node: Node | None, subject: str, default: Choice) -> Choice:
    if node is None:
        return default
    if not node.items():
        return reader.parse(node, subject, parse_choice)
    found = [reader.parse(item, subject, parse_choice) for item in node.items()]
    return parse_choice(",".join(str(each) for each in found if each)) if any(found) else default


def _verified_with(reader: Reader, node: Node, key: str) -> Path | None:
    """The file with the public key or keys that something must be signed with, where `verify` names one."""
    verify = node.get("verify")
    return reader.file(verify.get(key), f"{key!r}") if verify else None


def _check_local_image(reader: Reader, node: Node, subject: str, location: LocalImage) -> None:
    if location.transport == "oci":
        if not (location.path / "index.json").is_file():
            reader.missing(node, subject, "directory with an OCI image layout (index.json)", location.path)
    elif not location.path.is_file():
        reader.missing(node, subject, "file", location.path)
