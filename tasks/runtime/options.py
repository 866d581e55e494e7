"""The command line's variables, in doit's style: `doit bundle spec=FILE out=DIR`."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import AirgapError, FormatError
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference, check_prefix, looks_like_host
from schema.site.rehearsal import Extent
from schema.spec.spec import EngineKind

VARIABLES = {
    "spec": "the spec (default: airgap.yaml)",
    "out": "where bundles go (default: dist)",
    "state": "where the cache and doit's state lie (default: .airgap beside the spec, else the user's state directory)",
    "bundle": "a bundle directory, an archive, a part of one, or the directory with these (default: the spec's bundle)",
    "since": "a receipt.json from inside, or an earlier bundle's manifest.json: the bundle leaves out what is there; "
    "for report also an earlier bundle itself: what it compares with",
    "site": "the site's facts, a YAML file, for install",
    "trust": "who may sign bundles, a list in ssh-keygen's allowed signers format; others are refused",
    "downgrade": "allow: install an older bundle than the last one",
    "to": "where publish puts the bundle: oci://HOST/REPOSITORY[:TAG] (default: the bundle's version)",
    "from": "what fetch brings here: oci://HOST/REPOSITORY:TAG, or @DIGEST",
    "registry": "another place for the images than the spec's registry.prefix, for install (on loopback also http://)",
    "engine": "docker or none: whether images move through a Docker Engine, on this side (default: as the spec says)",
    "rehearsal": "images or cluster: leave out what a throwaway target can't show; only with a registry on loopback",
    "kubeconfig": "a cluster for rehearse to install into",
    "key": "the certificate of whoever may read a backup, for backup",
    "jobs": "how many transfers run at once",
}

_HTTP = "http://"


class OptionError(AirgapError):
    """A wrong variable on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The variables with their defaults; paths are absolute, taken from the working directory.

    `since` is what a bundle is made or checked against; for `doit report` it is `compared`, and may be a whole bundle.
    `plain_http` says that `registry`, a loopback one, speaks no TLS, `plain_hosts` that those of `to` and
    `source` (what is fetched) don't. `receiving` is the half that a bundle carries: it
    makes no bundle, and reads no spec that happens to lie where it is run.
    `words` are all words of the command line: a check that is asked for by its name is made, however fresh the last is.
    """

    spec: Path
    out: Path
    state: Path
    bundle: Path | None
    site: Path | None
    registry: str
    jobs: int
    engine: EngineKind | None = None
    plain_http: bool = False
    rehearsal: Extent = ""
    kubeconfig: Path | None = None
    key: Path | None = None
    since: Path | None = None
    trust: Path | None = None
    downgrade: bool = False
    compared: Path | None = None
    to: Reference | None = None
    source: Reference | None = None
    plain_hosts: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    receiving: bool = False

    @classmethod
    def parse(
        cls, given: Mapping[str, str], *, cwd: Path, default_jobs: int, user_state: Path, carried: Path | None = None,
        words: Sequence[str] = (),
    ) -> Self:  # fmt: skip
        """Read what the command line gave; an unknown name or a wrong value is an OptionError.

        `carried` is the bundle that this program lies in, when it runs from there; `user_state` is where state goes
        where there is no spec to lie beside; `words` is the command line.
        """
        for name in given:
            if name not in VARIABLES:
                close = difflib.get_close_matches(name, VARIABLES, 1)
                known = "; ".join(f"{key}: {text}" for key, text in VARIABLES.items())
                hint = f"did you mean {close[0]}=?" if close else f"known are: {known}"
                raise OptionError(f"unknown variable {name!r} on the command line", hint=hint)
        spec = cwd / given.get("spec", "airgap.yaml")
        bundle = _bundle(cwd / given["bundle"] if "bundle" in given else carried)
        at_home = not carried and (spec.exists() or not bundle)
        beside = spec.parent / ".airgap" if at_home else user_state
        since = cwd / given["since"] if "since" in given else None
        reporting = next((word for word in words if "=" not in word and not word.startswith("-")), "") == "report"
        return cls(
            spec=spec,
            out=cwd / given.get("out", "dist"),
            state=cwd / given["state"] if "state" in given else beside,
            bundle=bundle,
            site=_site(cwd / given["site"]) if given.get("site") else None,
            registry=_registry(given.get("registry", "")),
            jobs=_jobs(given.get("jobs", str(default_jobs))),
            engine=_engine(given.get("engine")),
            plain_http=_plain_http(given.get("registry", "")),
            rehearsal=_extent(given.get("rehearsal", ""), given.get("registry", "")),
            kubeconfig=cwd / given["kubeconfig"] if "kubeconfig" in given else None,
            key=cwd / given["key"] if "key" in given else None,
            since=None if reporting else since,
            compared=since if reporting else None,
            trust=_list_of_signers(cwd / given["trust"]) if "trust" in given else None,
            downgrade=_downgrade(given.get("downgrade", "")),
            to=_artifact(given, "to"),
            source=_artifact(given, "from"),
            plain_hosts=frozenset(_host(given[key]) for key in ("to", "from") if given.get(key, "").startswith(_HTTP)),
            words=tuple(words),
            receiving=carried is not None,
        )

    @property
    def hosts(self) -> Mapping[str, HostSettings]:
        """How the registry named here is reached, where the spec can't know it."""
        plain = {*self.plain_hosts, *([_host(self.registry)] if self.plain_http else [])}
        return {host: HostSettings(plain_http=True) for host in plain}

    @property
    def full(self) -> str:
        """The command that makes the bundle whole: this one without `since`."""
        words = [word for word in self.words if not word.startswith("since=")]
        return " ".join(["doit", *(words or ["bundle"])])


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise OptionError(f"jobs={text} is not a number of transfers", hint="give a whole number from 1 to 64")
    return int(text)


def _bundle(path: Path | None) -> Path | None:
    if path is None:
        return None
    from bundle.archive.parts import named_bundle

    try:
        return named_bundle(path)
    except AirgapError as err:
        raise OptionError(f"bundle={err.what}", hint=err.hint) from err


def _site(path: Path) -> Path:
    if not path.is_file():
        raise OptionError(f"site={path}: there is no such file", hint="name the YAML file with the facts of this site")
    return path


def _registry(text: str) -> str:
    place = text.removeprefix(_HTTP)
    if place:
        try:
            check_prefix(place)
        except FormatError as err:
            raise OptionError(f"registry={text}: {err.what}", hint=err.hint) from err
    return place


def _list_of_signers(path: Path) -> Path:
    if not path.is_file():
        raise OptionError(f"trust={path}: there is no such file", hint="name a list of allowed signers of this site")
    return path


def _downgrade(text: str) -> bool:
    if text not in ("", "allow"):
        raise OptionError(f"downgrade={text} means nothing", hint="write downgrade=allow, or leave it out")
    return text == "allow"


def _artifact(given: Mapping[str, str], key: str) -> Reference | None:
    """A place in a registry; on loopback also one without TLS."""
    if key not in given:
        return None
    text, hint = given[key], "write oci://HOST/REPOSITORY:TAG"
    if text.startswith(_HTTP) and not _is_loopback(text):
        raise OptionError(f"{key}={text}: only a registry on loopback may be named with http://", hint=hint)
    if not text.startswith(("oci://", _HTTP)):
        raise OptionError(f"{key}={text} is no place in a registry", hint=hint)
    rest = text.partition("://")[2]
    try:
        reference = Reference.parse(rest)
    except FormatError as err:
        raise OptionError(f"{key}={text}: {err.what}", hint=hint) from err
    if key == "to" and reference.digest:
        raise OptionError(f"to={text}: what is published gets its digest then", hint="leave the digest out")
    if not looks_like_host(_host(text)) or (key == "from" and not (reference.tag or reference.digest)):
        raise OptionError(f"{key}={text} is no whole name of a published bundle", hint=hint)
    return reference


def _host(text: str) -> str:
    return text.partition("://")[2].partition("/")[0] if "://" in text else text.partition("/")[0]


def _engine(text: str | None) -> EngineKind | None:
    match text:
        case None | "docker" | "none":
            return text
    raise OptionError(f"engine={text} is no kind of engine", hint="write docker or none")


def _plain_http(registry: str) -> bool:
    if registry.startswith(_HTTP) and not _is_loopback(registry):
        hint = "declare it: registries: {HOST: {plain_http: true}}; or leave http:// out and use TLS"
        raise OptionError(f"registry={registry}: only a registry on loopback may be named with http://", hint=hint)
    return registry.startswith(_HTTP)


def _is_loopback(registry: str) -> bool:
    host = registry.removeprefix(_HTTP).partition("/")[0]
    name = host.rpartition(":")[0] or host
    return name == "localhost" or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None


def _extent(text: str, registry: str) -> Extent:
    match text:
        case "":
            return ""
        case "images" | "cluster" if _is_loopback(registry):
            return text
        case "images" | "cluster":
            hint = "doit rehearse gives both; leave rehearsal= out of a real install"
            raise OptionError(f"rehearsal={text} goes with a registry on loopback only: registry={registry}", hint=hint)
    raise OptionError(f"rehearsal={text} is no extent of a rehearsal", hint="write images or cluster")
