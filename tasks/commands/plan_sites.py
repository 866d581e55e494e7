"""`doit plan install site=all`: what an install would do at each of `sites/*.yaml`, each asked by this same program."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import doit

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from clients.programs.process import Completed, run
from tasks.runtime.options import Options

_SECONDS = 600.0  # for one site
_FLAGS = ("--json", "--exit-code")
_HEAD = ("SITE", "STEPS", "RELEASES", "TO SEND", "NOTE")


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """One site's plan as `--json` prints it, or in `problem` why there is none."""

    site: str
    plan: dict[str, Any] | None = None
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"site": self.site, "plan": self.plan, "problem": self.problem}

    @property
    def due(self) -> int:
        """How many steps would run."""
        return sum(step["run"] for step in self.plan["steps"]) if self.plan else 0

    @property
    def is_bad(self) -> bool:
        """Whether nothing is known, or install would refuse the bundle."""
        return self.plan is None or bool(self.plan["refused"])

    def row(self) -> Sequence[str]:
        """For people."""
        if self.plan is None:
            return self.site, "-", "-", "-", self.problem.partition("\n")[0]
        changes = [f"{each['change']} {each['release']}" for each in self.plan["releases"] if each["change"] != "leave"]
        size = human(self.plan["bytes_to_send"])
        return self.site, str(self.due), ", ".join(changes) or "none", size, "; ".join(self._notes())

    def _notes(self) -> Iterator[str]:
        plan = self.plan or {}
        if plan["refused"]:
            yield f"refused: {plan['refused']}"
        if left := [each["name"] for each in plan["left_over"]["releases"]]:
            yield f"no longer in the bundle: {', '.join(left)}"
        errors = sum(each["severity"] == "error" for each in plan["findings"])
        if errors:
            yield f"{errors} errors, see plan install site=sites/{self.site}.yaml"
        if plan["unknown"]:
            yield f"not known: {plan['unknown'][0].partition(chr(10))[0]}"


def plan_sites(
    options: Options, files: Sequence[Path], ask: Callable[[Path], Completed] | None = None
) -> list[SitePlan]:
    """The plan of each site, a few at a time."""
    look = ask or _asked
    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(lambda path: _plan(path, look), files))


def table(plans: Sequence[SitePlan]) -> Sequence[Sequence[str]]:
    """The rows for people, the heads first."""
    return [_HEAD, *(each.row() for each in plans)]


def _plan(path: Path, ask: Callable[[Path], Completed]) -> SitePlan:
    try:
        done = ask(path)
    except AirgapError as err:
        return SitePlan(site=path.stem, problem=err.what)
    try:
        return SitePlan(site=path.stem, plan=json.loads(done.text))
    except ValueError:
        said = done.stderr.strip().removeprefix("ERROR: ").removeprefix("FAILED plan: ")
        return SitePlan(site=path.stem, problem=said or f"the plan ended with exit code {done.code}")


def _asked(path: Path) -> Completed:
    here = Path(doit.get_initial_workdir() or os.curdir)
    return run(site_command(sys.orig_argv, path), subject=f"the plan of site {path.stem!r}", timeout=_SECONDS, cwd=here)


def site_command(argv: Sequence[str], site: Path) -> list[str]:
    """This very command, for one site and as JSON."""
    words = [f"site={site}" if word == "site=all" else word for word in argv[1:] if word not in _FLAGS]
    return [sys.executable, *words, "--json"]
