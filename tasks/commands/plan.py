"""`doit plan`: what a run would do and why, without changing anything; for a bundle without asking anybody."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doit.cmd_base import DoitCmdBase
from doit.control import TaskControl
from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from bundle.oci.digest import Digest
from tasks.cli.command import FlagsAnywhere
from tasks.cli.commands import COMMANDS
from tasks.collect.delta import Carried, carried
from tasks.collect.images import missing, pin_of
from tasks.commands.plan_install import InstallPlan, plan_install
from tasks.runtime.project import Project
from tasks.runtime.step import NOT_KNOWN, GroupUpToDate, UpToDate

_JSON = {"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print the plan as JSON"}
_EXIT_CODE = {
    "name": "exit_code",
    "long": "exit-code",
    "type": bool,
    "default": False,
    "help": "exit with 1 when something would run",
}
_FEW = 3  # steps that are named one by one where they would run for the same reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchEstimate:
    """The bytes that pulls would fetch: `certain` are known to be missing, `most` is the most that pinned images whose
    manifest is not in the cache can need, `unknown` names images that are not pinned yet.
    """

    certain: int
    most: int
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For `doit plan --json`."""
        return {"bytes_to_fetch": self.certain, "bytes_at_most": self.most, "unknown": list(self.unknown)}

    def lines(self) -> Iterator[str]:
        """For people; nothing when nothing is to be fetched."""
        if not (self.most or self.unknown):
            return
        known = human(self.certain) if self.certain == self.most else f"{human(self.certain)} to {human(self.most)}"
        more = f", and {', '.join(self.unknown)}, whose size is not known before it is pinned" if self.unknown else ""
        yield f"to fetch: {known}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step and why it would run; the reason is empty when it would not."""

    name: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"step": self.name, "run": bool(self.reason), "reason": self.reason}


class Plan(FlagsAnywhere, DoitCmdBase):  # type: ignore[misc]
    """Shows what would run."""

    name = "plan"
    doc_purpose = COMMANDS["plan"].purpose
    doc_usage = "bundle|install [--json] [--exit-code]"
    doc_description = (
        "For a bundle it touches no network and writes nothing; for an install it asks registry and cluster, and "
        "changes nothing there. It exits with 1 when install would refuse the bundle as older than what is installed, "
        "and with --exit-code when something would run. site=all plans the install at each of sites/*.yaml."
    )
    cmd_options = (_JSON, _EXIT_CODE)

    def _execute(self, as_json: bool, exit_code: bool, pos_args: list[str]) -> int:
        names = {task.name for task in self.task_list}
        selected = pos_args or ["bundle" if "bundle" in names else "install"]
        unknown = [name for name in selected if name not in names]
        if unknown:
            raise InvalidCommand(not_found=unknown[0])
        console = self.loader.namespace["PROJECT"].console
        if self.loader.namespace["PROJECT"].options.all_sites:
            return self._sites(selected, as_json=as_json, exit_code=exit_code)
        planned = tuple(self._steps(selected))
        due = [step for step in planned if step.reason]
        try:
            details = list(self._details(selected, {step.name: step.reason for step in due}))
        except AirgapError as err:  # a bundle that can't be read, or that nobody vouches for
            console.problem(f"FAILED {self.name}: {err}")
            return 1
        if as_json:
            data: dict[str, Any] = {"format": 1, "steps": [step.to_dict() for step in planned]}
            for detail in details:
                data |= detail.to_dict()
            console.text(json.dumps(data, indent=2))
        else:
            installs = [detail for detail in details if isinstance(detail, InstallPlan)]
            for line in _by_reason(due, *installs):
                console.line(line)
            console.line(f"{len(due)} of {len(planned)} steps would run, {len(planned) - len(due)} are up to date")
            for line in (line for detail in details for line in detail.lines()):
                console.line(line)
        refused = any(isinstance(detail, InstallPlan) and detail.refused for detail in details)
        return 1 if refused or (due and exit_code) else 0

    def _sites(self, selected: list[str], *, as_json: bool, exit_code: bool) -> int:
        """The plans of all sites."""
        if selected != ["install"]:
            raise InvalidCommand("site=all is for plan install")
        from tasks.commands.installed.sites import site_files
        from tasks.commands.plan_sites import plan_sites, table

        project = self.loader.namespace["PROJECT"]
        plans = plan_sites(project.options, site_files(project.options))
        if as_json:
            project.console.text(json.dumps({"format": 1, "sites": [each.to_dict() for each in plans]}, indent=2))
        else:
            project.console.table(table(plans))
        return 1 if any(each.is_bad or (exit_code and each.due) for each in plans) else 0

    def _details(self, selected: list[str], due: Mapping[str, str]) -> Iterator[FetchEstimate | Carried | InstallPlan]:
        """What is known of the bytes, and of the releases."""
        if "install" in selected:
            yield plan_install(self.loader.namespace["RECEIVER"], due)
        else:
            pulls = [name.removeprefix("pull:") for name in due if name.startswith("pull:")]
            project = self.loader.namespace["PROJECT"]
            yield fetch_estimate(project, pulls)
            if found := carried(project):
                yield found

    def _steps(self, selected: list[str]) -> Iterator[Planned]:
        """The steps in the order of a run."""
        control = TaskControl(self.task_list)
        control.process(selected)
        dispatcher = control.task_dispatcher()
        by_name = {task.name: task for task in self.task_list}  # as doit's status checks want them
        due: set[str] = set()
        node = None
        while True:
            try:
                node = dispatcher.generator.send(node)
            except StopIteration:
                return
            task = node.task
            node.run_status = "up-to-date"
            if not task.actions:
                continue
            reason = self._reason(task, due, by_name)
            if reason:
                due.add(task.name)
            yield Planned(name=task.name, reason=reason)

    def _reason(self, task: Any, due: set[str], by_name: dict[str, Any]) -> str:
        follows = [name for name in (task.meta or {}).get("follows", ()) if name in due]
        if follows:
            return f"after {', '.join(follows)}"
        status = self.dep_manager.get_status(task, by_name, get_log=True)
        if status.status == "up-to-date":
            return ""
        for checker, _, _ in task.uptodate:
            if isinstance(checker, UpToDate | GroupUpToDate) and checker.reason:
                return checker.reason
        for kind in ("added", "removed", "changed"):
            if files := status.reasons.get(f"{kind}_file_dep"):
                return f"{', '.join(sorted(files))} {'was ' * (kind != 'changed')}{kind}"
        return status.error_reason or "always runs"


def _by_reason(due: Sequence[Planned], *installs: InstallPlan) -> Iterator[str]:
    """Each reason once, with the steps that it is for; not those of the releases, which are told with them."""
    told = {name for install in installs for release in install.releases for name in release.steps}
    unknown = {reason for install in installs for reason in install.unknown}
    groups: dict[str, list[str]] = {}
    for step in due:
        if step.name not in told:
            groups.setdefault(NOT_KNOWN if step.reason in unknown else step.reason, []).append(step.name)
    for reason, names in groups.items():
        yield f"{_named(names):<28} {reason}"


def _named(names: Sequence[str]) -> str:
    """A few steps by their names, many by how many there are of each kind."""
    if len(names) <= _FEW:
        return ", ".join(names)
    kinds = Counter(name.partition(":")[0] for name in names)
    alone = {name.partition(":")[0]: name for name in names}
    return ", ".join(alone[kind] if count == 1 else f"{kind} ({count})" for kind, count in kinds.items())


def fetch_estimate(project: Project, names: Collection[str]) -> FetchEstimate:
    """What pulling the named images would fetch, each shared blob counted once."""
    parts: dict[Digest, int] = {}
    most, unknown = 0, []
    for image in project.spec.images:
        if image.name not in names:
            continue
        pin, lacking = pin_of(project, image), missing(project, image)
        if lacking is not None:
            parts.update({part.digest: part.size for part in lacking})
        elif pin:
            most += pin.size
        else:
            unknown.append(image.name)
    certain = sum(parts.values())
    return FetchEstimate(certain=certain, most=certain + most, unknown=tuple(unknown))
