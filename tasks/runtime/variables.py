"""The variables of the command line, one table: how each is read, what it is for, and on which side."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bundle.errors import AirgapError, FormatError
from bundle.formats.numbers import number
from bundle.oci.reference import Reference, check_prefix, looks_like_host

if TYPE_CHECKING:  # the commands' table is read where not even YAML may be installed
    from schema.site.stand_ins.rehearsal import Extent
    from schema.spec.spec import EngineKind

Side = Literal["connected", "air-gapped"]

CONNECTED: frozenset[Side] = frozenset({"connected"})
AIR_GAPPED: frozenset[Side] = frozenset({"air-gapped"})
BOTH = CONNECTED | AIR_GAPPED
ALL_SITES = Path("all")  # what `site=all` stands for; any other site is an absolute path
_HTTP = "http://"
_MOST_KEPT = 36_500  # backups, or days: a hundred years
_ARTIFACT = "write oci://HOST/REPOSITORY:TAG"


class OptionError(AirgapError):
    """A wrong variable on the command line."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`NAME=TEXT` on the command line; `read` gives its value, paths as from a directory, or an OptionError.

    `values` are the words that it may be, for the completions; `is_path` says that it is a file or a directory.
    """

    name: str
    read: Callable[[str, Path], Any]
    sides: frozenset[Side]
    help: str
    values: tuple[str, ...] = ()

    @property
    def is_path(self) -> bool:
        """Whether it names a file or a directory."""
        return self.read in (_path, _bundle, _site, _list_of_signers)


def read_variables(given: Mapping[str, str], directory: Path) -> Mapping[str, Any]:
    """The values of what was given; an unknown name or a wrong value is an OptionError."""
    for name in given:
        if name not in VARIABLES:
            close = difflib.get_close_matches(name, VARIABLES, 1)
            known = "; ".join(f"{each.name}: {each.help}" for each in VARIABLES.values())
            hint = f"did you mean {close[0]}=?" if close else f"known are: {known}"
            raise OptionError(f"unknown variable {name!r} on the command line", hint=hint)
    return {name: VARIABLES[name].read(text, directory) for name, text in given.items()}


def _jobs(text: str, _: Path) -> int:
    jobs = number(text)
    if jobs is None or not 1 <= jobs <= 64:
        raise OptionError(f"jobs={text} is not a number of transfers", hint="give a whole number from 1 to 64")
    return jobs


def _bundle(text: str, directory: Path) -> Path:
    from bundle.archive.parts import named_bundle

    try:
        return named_bundle(directory / text)
    except AirgapError as err:
        raise OptionError(f"bundle={err.what}", hint=err.hint) from err


def _site(text: str, directory: Path) -> Path | None:
    if not text:
        return None
    if text == ALL_SITES.name:
        return ALL_SITES
    path = directory / text
    if not path.is_file():
        raise OptionError(
            f"site={path}: there is no such file", hint="name the YAML file with the settings of this site"
        )
    return path


@dataclass(frozen=True, slots=True)
class NamedRegistry:
    """A place for images: HOST[:PORT][/PATH], and whether it, a loopback one, was named with http://."""

    place: str
    plain_http: bool


def _registry(text: str, _: Path) -> NamedRegistry:
    place = text.removeprefix(_HTTP)
    if place:
        try:
            check_prefix(place)
        except FormatError as err:
            raise OptionError(f"registry={text}: {err.what}", hint=err.hint) from err
    if place != text and not is_loopback(text):
        hint = "declare it: registries: {HOST: {plain_http: true}}; or leave http:// out and use TLS"
        raise OptionError(f"registry={text}: only a registry on loopback may be named with http://", hint=hint)
    return NamedRegistry(place, place != text)


def _list_of_signers(text: str, directory: Path) -> Path:
    path = directory / text
    if not path.is_file():
        raise OptionError(f"trust={path}: there is no such file", hint="name a list of allowed signers of this site")
    return path


def _pods(text: str, _: Path) -> bool:
    if text != "simulated":
        raise OptionError(
            f"expected pods=simulated, found {text!r}", hint="leave it out to let them run where they can"
        )
    return False


def _downgrade(text: str, _: Path) -> bool:
    if text not in ("", "allow"):
        raise OptionError(f"downgrade={text} means nothing", hint="write downgrade=allow, or leave it out")
    return text == "allow"


@dataclass(frozen=True, slots=True)
class NamedArtifact:
    """A place of a published bundle, and whether it, on loopback, was named with http://."""

    reference: Reference
    plain_http: bool


def _target(text: str, _: Path) -> NamedArtifact:
    found = _artifact("to", text)
    if found.reference.digest:
        raise OptionError(f"to={text}: what is published gets its digest then", hint="leave the digest out")
    return _whole("to", text, found, enough=True)


def _source(text: str, _: Path) -> NamedArtifact:
    found = _artifact("from", text)
    return _whole("from", text, found, enough=bool(found.reference.tag or found.reference.digest))


def _artifact(key: str, text: str) -> NamedArtifact:
    """A place in a registry; on loopback also one without TLS."""
    if text.startswith(_HTTP) and not is_loopback(text):
        raise OptionError(f"{key}={text}: only a registry on loopback may be named with http://", hint=_ARTIFACT)
    if not text.startswith(("oci://", _HTTP)):
        raise OptionError(f"{key}={text} is no place in a registry", hint=_ARTIFACT)
    try:
        return NamedArtifact(Reference.parse(text.partition("://")[2]), text.startswith(_HTTP))
    except FormatError as err:
        raise OptionError(f"{key}={text}: {err.what}", hint=_ARTIFACT) from err


def _whole(key: str, text: str, found: NamedArtifact, *, enough: bool) -> NamedArtifact:
    is_named = "/" in text.partition("://")[2] and looks_like_host(
        host_of(text)
    )  # HOST:PORT alone is no REPOSITORY:TAG
    if not enough or not is_named:
        raise OptionError(f"{key}={text} is no whole name of a published bundle", hint=_ARTIFACT)
    return found


def host_of(text: str) -> str:
    """The HOST[:PORT] of a place in a registry, with or without a scheme."""
    return text.rpartition("://")[2].partition("/")[0]


def _engine(text: str, _: Path) -> "EngineKind":
    match text:
        case "docker" | "none":
            return text
    raise OptionError(f"unsupported engine={text}", hint="write docker or none")


def is_loopback(registry: str) -> bool:
    """Whether a place in a registry is on this machine."""
    host = registry.removeprefix(_HTTP).partition("/")[0]
    name = host.rpartition(":")[0] or host
    return name == "localhost" or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None


def _extent(text: str, _: Path) -> "Extent":
    match text:
        case "" | "images" | "cluster":
            return text
    raise OptionError(f"rehearsal={text} is no extent of a rehearsal", hint="write images or cluster")


def _path(text: str, directory: Path) -> Path:
    return directory / text


def _limit(text: str, _: Path) -> int:
    limit = number(text)
    if limit is None or not 1 <= limit <= _MOST_KEPT:
        hint = f"give a whole number from 1 to {_MOST_KEPT}"
        raise OptionError(f"{text!r} is not a number of backups or days", hint=hint)
    return limit


def _names(text: str, _: Path) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


VARIABLES: Mapping[str, Variable] = {
    each.name: each
    for each in (
        Variable("spec", _path, CONNECTED, "the spec (default: airgap.yaml)"),
        Variable("out", _path, BOTH, "where bundles go (default: dist)"),
        Variable(
            "state",
            _path,
            BOTH,
            "where the cache and doit's state lie (default: .airgap beside the spec, else the user's state directory)",
        ),
        Variable(
            "bundle",
            _bundle,
            BOTH,
            "a bundle directory, an archive, a part of one, or the directory with these (default: the spec's bundle)",
        ),
        Variable(
            "since",
            _path,
            BOTH,
            "a receipt.json of the air-gapped side, the name of a site with one below receipts/, or an earlier "
            "bundle's manifest.json or archive: the bundle leaves out what is there; for report also an earlier "
            "bundle's directory: what it compares with",
        ),
        Variable(
            "site",
            _site,
            BOTH,
            "the site settings, a YAML file, for install; all: each of sites/*.yaml, for plan and status",
        ),
        Variable(
            "trust",
            _list_of_signers,
            BOTH,
            "who may sign bundles, a list in ssh-keygen's allowed signers format; others are refused",
        ),
        Variable(
            "downgrade", _downgrade, AIR_GAPPED, "allow: install an older bundle than the last one", values=("allow",)
        ),
        Variable(
            "to",
            _target,
            BOTH,
            "where publish puts the bundle: oci://HOST/REPOSITORY[:TAG] (default: the bundle's version)",
        ),
        Variable("from", _source, BOTH, "what fetch brings here: oci://HOST/REPOSITORY:TAG, or @DIGEST"),
        Variable(
            "registry",
            _registry,
            BOTH,
            "another place for the images than the spec's registry.prefix, for install (on loopback also http://)",
        ),
        Variable(
            "engine",
            _engine,
            BOTH,
            "docker or none: whether images move through the Docker daemon, on this side (default: as the spec says)",
            values=("docker", "none"),
        ),
        Variable(
            "use",
            _names,
            CONNECTED,
            "the site settings with addresses, NAME,NAME, that a rehearsal in a named cluster uses for real",
        ),
        Variable("pods", _pods, CONNECTED, "simulated: a rehearsal runs no program of the images here"),
        Variable(
            "rehearsal",
            _extent,
            AIR_GAPPED,
            "images or cluster: leave out what a throwaway target can't show; only with a registry on loopback",
            values=("images", "cluster"),
        ),
        Variable("kubeconfig", _path, CONNECTED, "a cluster for rehearse to install into"),
        Variable("key", _path, BOTH, "a certificate (backup), its private key (restore-test), your SSH key (approve)"),
        Variable("archive", _path, BOTH, "for restore-test, the archive that backup made"),
        Variable("keep", _limit, BOTH, "how many of the newest backups of this installation stay in out="),
        Variable("keep_days", _limit, BOTH, "how many days backups stay; with keep=, one beyond both is removed"),
        Variable("jobs", _jobs, BOTH, "how many transfers run at once"),
    )
}
