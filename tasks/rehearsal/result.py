"""What a rehearsal found: written to `rehearsal.json` beside the state, shown as a table."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bundle.errors import FormatError

FORMAT_VERSION = 1
KEPT = "rehearsal.json"  # where it is kept, beside doit's state
STEPS = ("bundle", "carry", "target", "verify", "install", "receipt")


def step_mark(step: str) -> str:
    """Which step of the crossing a line is about: `[2/6 carry]`."""
    return f"[{STEPS.index(step) + 1}/{len(STEPS)} {step}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the inner half of a rehearsal is given, on its standard input: paths are absolute.

    `place` is its own directory, `carried` the bundle in it, `directory` where `${file.PATH}` begins, `assets` the
    programs of a throwaway cluster (None: there are none), whose pods run unless `real_pods` is false, `kubeconfig` a
    cluster that was named instead, `use` the site's addresses that are used there; `cache` holds the blobs that stand
    in for what a delta leaves out, `marks` the marks of rehearsals in named clusters.
    """

    place: Path
    carried: Path
    program: Path
    directory: Path
    cache: Path
    site: Path | None
    trust: Path | None
    assets: Path | None
    kubeconfig: Path | None
    marks: Path
    use: tuple[str, ...]
    jobs: int
    real_pods: bool = True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        others = {"jobs", "use", "real_pods"}
        paths = {key: Path(value) if value else None for key, value in data.items() if key not in others}
        return cls(**paths, use=tuple(data["use"]), jobs=data["jobs"], real_pods=data["real_pods"])  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalResult:
    """`bundle` has its name, version, id, and as `sums` the digest of its SHA256SUMS.

    `proven` and `not_proven` are sentences, `failures` messages; `outside` is what was tried to be reached there.
    """

    bundle: Mapping[str, str]
    target: str
    proven: tuple[str, ...]
    not_proven: tuple[str, ...]
    failures: tuple[str, ...]
    outside: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict; a FormatError for another format."""
        if data.get("format") != FORMAT_VERSION:
            raise FormatError(f"the rehearsal's result has format {data.get('format')!r}, expected {FORMAT_VERSION}")
        lists = {key: tuple(data[key]) for key in ("proven", "not_proven", "failures", "outside")}
        return cls(bundle=data["bundle"], target=data["target"], **lists)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        lists = {key: list(getattr(self, key)) for key in ("proven", "not_proven", "failures", "outside")}
        return {
            "format": FORMAT_VERSION,
            "passed": self.passed,
            "bundle": dict(self.bundle),
            "target": self.target,
            **lists,
        }

    def rows(self) -> Iterator[str]:
        """The table: what was proven, what was not, what failed."""
        yield from (f"  proven      {text}" for text in self.proven)
        yield from (f"  not proven  {text}" for text in self.not_proven)
        for text in self.failures:
            first, *rest = text.splitlines()
            yield f"  FAILED      {first}"
            yield from (f"              {line.strip()}" for line in rest)
