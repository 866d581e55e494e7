"""The command line's variables, in doit's style: `doit bundle spec=FILE out=DIR`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from schema.site.stand_ins.rehearsal import Extent
from schema.spec.spec import EngineKind
from tasks.runtime.variables import ALL_SITES, NamedRegistry, OptionError, host_of, is_loopback, read_variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The variables with their defaults; paths are absolute, taken from the working directory.

    `since` is what a bundle is made or checked against; for `doit report` it is `compared`, and may be a whole bundle.
    `plain_http` says that `registry`, a loopback one, speaks no TLS, `plain_hosts` that those of `to` and
    `source` (what is fetched) don't. `receiving` is the half that a bundle carries: it
    makes no bundle, and reads no spec that happens to lie where it is run.
    `all_sites` stands for each of `sites/*.yaml`, and there is no one `site` then.
    `words` are all words of the command line: a check that is asked for by its name is made, however fresh the last is.
    """

    spec: Path
    out: Path
    state: Path
    bundle: Path | None
    site: Path | None
    all_sites: bool = False
    registry: str
    jobs: int
    engine: EngineKind | None = None
    plain_http: bool = False
    rehearsal: Extent = ""
    kubeconfig: Path | None = None
    use: tuple[str, ...] = ()
    real_pods: bool = True
    key: Path | None = None
    archive: Path | None = None
    keep: int | None = None
    keep_days: int | None = None
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
        words: Sequence[str] = (), comparing: bool = False,
    ) -> Self:  # fmt: skip
        """Read what the command line gave; an unknown name or a wrong value is an OptionError.

        `carried` is the bundle that this program lies in, when it runs from there; `user_state` is where state goes
        where there is no spec to lie beside; `words` is the command line; `comparing` says that its command takes
        `since` for what it compares with.
        """
        values = read_variables(given if carried is None else {"bundle": str(carried), **given}, cwd)
        spec, bundle, since = values.get("spec", cwd / "airgap.yaml"), values.get("bundle"), values.get("since")
        at_home = not carried and (spec.exists() or not bundle)
        registry = values.get("registry", NamedRegistry("", plain_http=False))
        artifacts = {name: values[name] for name in ("to", "from") if name in values}
        return cls(
            spec=spec,
            out=values.get("out", cwd / "dist"),
            state=values.get("state", spec.parent / ".airgap" if at_home else user_state),
            bundle=bundle,
            site=None if values.get("site") == ALL_SITES else values.get("site"),
            all_sites=values.get("site") == ALL_SITES,
            registry=registry.place,
            jobs=values.get("jobs", default_jobs),
            engine=values.get("engine"),
            plain_http=registry.plain_http,
            rehearsal=_on_loopback(values.get("rehearsal", ""), given.get("registry", "")),
            kubeconfig=values.get("kubeconfig"),
            use=values.get("use", ()),
            real_pods=values.get("pods", True),
            key=values.get("key"),
            archive=values.get("archive"),
            keep=values.get("keep"),
            keep_days=values.get("keep_days"),
            since=None if comparing else since,
            compared=since if comparing else None,
            trust=values.get("trust"),
            downgrade=values.get("downgrade", False),
            to=artifacts["to"].reference if "to" in artifacts else None,
            source=artifacts["from"].reference if "from" in artifacts else None,
            plain_hosts=frozenset(host_of(given[name]) for name, each in artifacts.items() if each.plain_http),
            words=tuple(words),
            receiving=carried is not None,
        )

    @property
    def hosts(self) -> Mapping[str, HostSettings]:
        """How the registry named here is reached, where the spec can't know it."""
        plain = {*self.plain_hosts, *([host_of(self.registry)] if self.plain_http else [])}
        return {host: HostSettings(plain_http=True) for host in plain}

    @property
    def full(self) -> str:
        """The command that makes the bundle whole: this one without `since`."""
        words = [word for word in self.words if not word.startswith("since=")]
        return " ".join(["doit", *(words or ["bundle"])])


def _on_loopback(extent: Extent, registry: str) -> Extent:
    if extent and not is_loopback(registry):
        hint = "doit rehearse gives both; leave rehearsal= out of a real install"
        raise OptionError(f"rehearsal={extent} goes with a registry on loopback only: registry={registry}", hint=hint)
    return extent
