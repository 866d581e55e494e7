"""How doit gets its project: from the command line's variables and the environment."""

import gc
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import doit
from doit import doit_cmd
from doit.exceptions import InvalidDodoFile

from bundle.errors import AirgapError
from bundle.storage.private import require_private
from tasks.cli.commands import COMMANDS
from tasks.cli.reporter import Reporter
from tasks.cli.suggest import unknown
from tasks.runtime.groups import GROUPS
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.runtime.state import JournalPlaces, StatChecker
from tasks.runtime.variables import AIR_GAPPED, OptionError
from tasks.site.receiver import Receiver

# The best default by measurement (benchmarks/README.md): more transfers only take turns on the processors' hashing,
# fewer leave a distant registry's latency unused.
DEFAULT_JOBS = 4
_FOR_ALL_SITES = ("plan", "status")


def open_project(env: Mapping[str, str] | None = None) -> Project:
    """The project that the command line names. What is wrong with it becomes doit's own error, exit code 3."""
    given: Mapping[str, str] = doit_cmd._CMDLINE_VARS or {}  # doit has no call that lists them
    try:
        cwd = Path(doit.get_initial_workdir() or os.curdir).resolve()
        env = os.environ if env is None else env
        options = Options.parse(
            given,
            cwd=cwd,
            default_jobs=DEFAULT_JOBS,
            user_state=_user_state(env),
            carried=_carried(),
            words=sys.argv[1:],
            comparing=_is_comparing(sys.argv[1:]),
        )
        if options.all_sites and _command(sys.argv[1:]) not in _FOR_ALL_SITES:
            hint = f"name one: site=sites/NAME.yaml; {' and '.join(_FOR_ALL_SITES)} take all"
            raise OptionError("site=all is not for a command that changes something", hint=hint)
        if options.bundle:
            require_private(options.state)  # which says what is verified, and what is installed
        project = Project(options, env=env)
        project.console.watch(_command(sys.argv[1:]) or "bundle")
        project.check()
    except AirgapError as err:
        raise InvalidDodoFile(_unnamed(sys.argv[1:], given) or str(err)) from err
    gc.freeze()  # what is loaded by now stays to the end: the collector need not go through it again, nor at the exit
    return project


def _is_comparing(words: Sequence[str]) -> bool:
    """Whether the command that a command line names is one that compares."""
    named = _command(words)
    return named in COMMANDS and COMMANDS[named].comparing


def _unnamed(words: Sequence[str], given: Mapping[str, str]) -> str:
    """What is to be said of a command line before its spec or bundle: a word that is none, a bundle that it needs."""
    word = _command(words)
    base = word.partition(":")[0]
    is_known = base in COMMANDS or base in GROUPS
    is_named = bool({"bundle", "spec"} & given.keys()) or _carried() is not None or Path("airgap.yaml").is_file()
    needs_bundle = base in GROUPS and GROUPS[base].sides == AIR_GAPPED and not is_named
    return unknown(word, ()) if word and (needs_bundle or not is_known) else ""


def _command(words: Sequence[str]) -> str:
    """The first word of a command line that is neither a variable nor an option."""
    return next((word for word in words if "=" not in word and not word.startswith("-")), "")


def _user_state(env: Mapping[str, str]) -> Path:
    """The user's state directory (XDG Base Directory Specification)."""
    home = env.get("XDG_STATE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state") / "airgap"


def _carried() -> Path | None:
    """The bundle that this program lies in, when it is run as its airgap.pyz."""
    program = Path(__file__).parents[2]
    return program.parent if program.is_file() else None


def doit_config(receiver: Receiver) -> dict[str, Any]:
    """doit's settings: state beside the spec, threads, our checker and reporter, every failure in one run."""
    project = receiver.project
    return {
        "dep_file": _journals(receiver),
        "check_file_uptodate": StatChecker,
        "reporter": Reporter(project, receiver),
        "default_tasks": ["bundle"] if project.has_spec else ["verify"],
        "num_process": max(4, 2 * project.options.jobs),
        "par_type": "thread",
        "continue": True,
        "verbosity": 0,
        "sort": "definition",
    }


def _journals(receiver: Receiver) -> JournalPlaces:
    """A journal for what is made of this spec, and one for this application on this target.

    Deltas have journals of their own: making one leaves the full bundle up to date.
    """
    options = receiver.options
    kind = "delta" if options.since else "doit"
    built = options.state / f"{kind}{_mark(options.spec, options.state)}.journal"

    def installed() -> Path:
        try:
            return receiver.state / f"{kind}.journal"
        except AirgapError:  # what the target is can't be told: the steps meet it again, and report it
            return built

    received = frozenset(each.name for each in GROUPS.values() if "air-gapped" in each.sides)
    return JournalPlaces(built, installed, received)


def _mark(spec: Path, state: Path) -> str:
    """What tells the specs apart that share a state; nothing for the usual one, which the state lies beside."""
    place = os.path.relpath(spec, state)
    if place == os.path.join(os.pardir, "airgap.yaml"):
        return ""
    return f"-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}"
