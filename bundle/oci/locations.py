"""Where images, charts and files come from, as the spec writes it (transport names as in containers/image)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.errors import FormatError
from bundle.oci.reference import Reference, looks_like_host

_AT_DIGEST = re.compile(r"(.+?):?(@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))")
_CHART_HINT = "write oci://HOST/PATH, https://REPOSITORY or a path, and the version in `version`"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryImage:
    """An image in a registry: `[HOST/]PATH[:TAG][@DIGEST]`; without both, the tag is `latest`."""

    reference: Reference

    def __str__(self) -> str:
        return str(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image in an OCI layout, an archive of one, or a `docker save` archive; `ref` chooses where there are several.

    For `oci` the ref is the annotation org.opencontainers.image.ref.name, for `docker-archive` the repository tag. An
    image without a name is `@` and its digest, or its place in the list.
    """

    transport: Literal["oci", "oci-archive", "docker-archive"]
    path: Path
    ref: str = ""

    def __str__(self) -> str:
        return f"{self.transport}:{self.path}:{self.ref}" if self.ref else f"{self.transport}:{self.path}"

    @property
    def reference(self) -> Reference | None:
        """The image that its name there stands for; None for a bare tag, a digest, or no name at all."""
        if not {"/", ":"} & set(self.ref) or self.ref.startswith("@"):
            return None
        try:
            return Reference.parse(self.ref)
        except FormatError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonImage:
    """An image in the local Docker Engine: `docker-daemon:NAME[:TAG]`."""

    name: str

    def __str__(self) -> str:
        return f"docker-daemon:{self.name}"


ImageLocation = RegistryImage | LocalImage | DaemonImage


@dataclass(frozen=True, slots=True, kw_only=True)
class OciChart:
    """A chart in a registry; the repository's last path component is the chart's name."""

    reference: Reference

    def __str__(self) -> str:
        return f"oci://{self.reference.repository}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryChart:
    """A chart in an HTTP repository (`index.yaml`), by the repository's address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChart:
    """A chart in a directory or a packaged .tgz."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


ChartLocation = OciChart | RepositoryChart | LocalChart


def parse_image(text: str, base: Path) -> ImageLocation:
    """Read an image's `source`; paths are relative to `base`. A FormatError says what is wrong."""
    transport, colon, rest = text.partition(":")
    if colon and transport in ("oci", "oci-archive", "docker-archive") and not rest.startswith("//"):
        path, ref = _path_and_ref(rest, base)
        if not path:
            raise FormatError(f"{text!r} names no path", hint=f"write {transport}:PATH[:REF]")
        return LocalImage(transport=transport, path=base / path, ref=ref)  # type: ignore[arg-type]
    if colon and transport == "docker-daemon":
        if not rest:
            raise FormatError(f"{text!r} names no image", hint="write docker-daemon:NAME[:TAG]")
        return DaemonImage(name=rest)
    if "://" in text:
        scheme = text.partition("://")[0]
        raise FormatError(
            f"{text!r} is not an image source",
            hint=f"leave out {scheme}:// and write HOST/PATH:TAG, or docker.io/PATH:TAG",
        )
    return RegistryImage(reference=Reference.parse(text))


def _path_and_ref(text: str, base: Path) -> tuple[str, str]:
    """PATH[:REF], where a path may have colons: the longest part that is there is the path, else the shortest."""
    by_digest = _AT_DIGEST.fullmatch(text)
    whole, at = (by_digest[1], by_digest[2]) if by_digest else (text, "")
    parts = whole.split(":")
    for count in range(len(parts), 1, -1):
        path = ":".join(parts[:count])
        if path and os.path.exists(base / path):
            return path, ":".join(parts[count:]) + at
    return parts[0], ":".join(parts[1:]) + at


def parse_chart(text: str, base: Path) -> ChartLocation:
    """Read a chart's `source`; paths are relative to `base`. A FormatError says what is wrong."""
    if text.startswith("oci://"):
        rest = text.removeprefix("oci://")
        host, slash, _ = rest.partition("/")
        if not slash or not looks_like_host(host):
            raise FormatError(f"{text!r} has no registry host and path", hint=_CHART_HINT)
        reference = Reference.parse(rest)
        if reference.tag or reference.digest:
            raise FormatError(f"{text!r} carries a tag or digest", hint="give the version in `version`")
        return OciChart(reference=reference)
    if text.startswith(("https://", "http://")):
        return RepositoryChart(url=text.rstrip("/"))
    if "://" in text:
        raise FormatError(f"{text!r} is not a chart source", hint=_CHART_HINT)
    return LocalChart(path=base / text)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What the spec's `registries` says of one host.

    `mirror` is `host[:port][/path]`, asked first instead of the host; `plain_http` allows HTTP without TLS.
    """

    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    plain_http: bool = False
    mirror: str = ""
