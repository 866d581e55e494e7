"""`doit outdated`: newer versions at the sources, beside what is pinned; it changes nothing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.errors import AirgapError
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from tasks.cli.command import FlagsAnywhere
from tasks.cli.commands import COMMANDS
from tasks.collect.newer import Offer, looks
from tasks.commands.lock import selected
from tasks.runtime.project import Project

_JSON = {"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print what was found as JSON"}
_EXIT_CODE = {
    "name": "exit_code",
    "long": "exit-code",
    "type": bool,
    "default": False,
    "help": "exit with 1 when something is outdated",
}
_FORMAT_VERSION = 1
_HEAD = ("NAME", "PINNED", "SAME LINE", "NEWEST", "NOTE")


class Outdated(FlagsAnywhere, DoitCmdBase):  # type: ignore[misc]
    """Compares the pins with the sources."""

    name = "outdated"
    doc_purpose = COMMANDS["outdated"].purpose
    doc_usage = "[NAME ...] [--json] [--exit-code]"
    doc_description = (
        "Versions are compared within the scheme of the pinned one: 1.27 with 1.28, 16-alpine with 17-alpine, 2024.1 "
        "with 2024.2; a release is not compared with pre-releases. SAME LINE is the newest with the same first number. "
        "A source that does not answer is a failure, and the others are listed all the same."
    )
    cmd_options = (_JSON, _EXIT_CODE)

    def _execute(self, as_json: bool, exit_code: bool, pos_args: list[str]) -> int:
        project: Project = self.loader.namespace["PROJECT"]
        if not project.has_spec:
            raise InvalidCommand("there is no spec to compare; name it with spec=FILE")
        offers, problems = _asked(project, selected(looks(project), pos_args))
        console = project.console
        if as_json:
            data = {"version": _FORMAT_VERSION, "checked": [each.to_dict() for each in offers]}
            data["failed"] = [str(problem) for problem in problems]
            console.text(strict_json.readable(data).decode().rstrip())
        else:
            for line in _lines(offers, len(problems)):
                console.line(line)
        for problem in problems:
            console.problem(f"FAILED outdated: {problem}")
        return 1 if problems or (exit_code and any(each.is_outdated for each in offers)) else 0


def _asked(project: Project, asked: Sequence[Callable[[], Offer]]) -> tuple[list[Offer], list[AirgapError]]:
    """Ask all sources at once; what each has, and what went wrong, in the order of the spec."""
    project.console.open()
    try:
        with ThreadPoolExecutor(project.options.jobs) as pool:
            futures = [pool.submit(look) for look in asked]
    finally:
        project.console.close()
    offers, problems = list[Offer](), list[AirgapError]()
    for future in futures:
        error = future.exception()
        if error is None:
            offers.append(future.result())
        elif isinstance(error, AirgapError):
            problems.append(error)
        else:
            raise error
    return offers, problems


def _lines(offers: Sequence[Offer], failed: int) -> Iterator[str]:
    """The table, what is outdated first, and what it comes to."""
    ordered = sorted(offers, key=lambda offer: not offer.is_outdated)
    rows = [_HEAD, *((each.name, _pinned(each), each.nearest, each.newest, _note(each)) for each in ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for name, url in (ordered[number - 1].links if number else {}).items():
            yield f"  {name}: {url}"
    newer, moved = sum(bool(each.newer) for each in offers), sum(bool(each.moved) for each in offers)
    told = f"{len(offers)} checked: {counted(newer, 'newer version')}, {counted(moved, 'digest')} changed"
    yield f"{told}, {failed} failed" if failed else told
    if newer:
        yield "next: write the version that you want into the spec, then doit lock"
    elif moved:
        yield "next: doit lock"


def _pinned(offer: Offer) -> str:
    return offer.version or offer.pinned.removeprefix("sha256:")[:12]


def _note(offer: Offer) -> str:
    notes = [f"now {offer.moved}, pinned {offer.pinned}"] if offer.moved else []
    notes += ["security updates"] if offer.is_security else []
    notes += [offer.note] if offer.note else []
    if not notes and not offer.is_outdated:
        notes = ["up to date" if offer.pinned else "up to date, not pinned yet"]
    return "; ".join(notes)
