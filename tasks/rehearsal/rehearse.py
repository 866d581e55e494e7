"""`doit rehearse`: the whole crossing on this machine, from the finished bundle to the receipt, without a network."""

import fcntl
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import doit
from doit.cmd_base import DoitCmdBase
from doit.exceptions import InvalidCommand

from bundle.archive.parts import find_archive, sums_path
from bundle.archive.reader import open_bundle
from bundle.errors import AirgapError, ProblemsError, ProgramError, storage_errors
from bundle.formats import strict_json
from bundle.metadata.names import ZIPAPP
from bundle.storage.files import locked, place, write_bytes
from bundle.storage.private import make_private, require_private
from bundle.storage.tree import walk_files
from clients.programs.process import run
from clients.sandbox.cluster import lacking
from schema.site.site import Site
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.cli.run import interruptible
from tasks.rehearsal.result import KEPT, RehearsalResult, Scene, step_mark
from tasks.rehearsal.stage import RESULT
from tasks.runtime.project import Project
from tasks.runtime.version import VERSION
from tasks.site.trust import refuse_other_bundle, site_trust

_ROOT = Path(__file__).parents[2]
_KUBECONFIG = "AIRGAP_REHEARSAL_KUBECONFIG"
_ASSETS = "KUBEBUILDER_ASSETS"
_HOURS = 8 * 3600.0  # seconds
_PROGRAM = "import sys; sys.path.insert(0, {root!r}); from tasks.{module} import main; sys.exit(main())"


class Rehearse(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """Rehearses the crossing."""

    name = "rehearse"
    doc_purpose = COMMANDS["rehearse"].purpose
    doc_usage = "[bundle=PATH] [site=FILE] [pods=simulated] [kubeconfig=FILE [use=NAME,NAME]]"
    doc_description = (
        "A named bundle is taken as it is. The target is a registry on loopback, and when KUBEBUILDER_ASSETS names "
        "its programs a Kubernetes whose pods run, or with simulated nodes where that can't be. It ends with what "
        "was proven and what was not; exit code 1 when anything failed. The spec's actions, checks and addresses are "
        "left out. A cluster named by kubeconfig= must hold none of the spec's releases, secrets and namespaces; "
        "what the rehearsal made is removed again, and the site's addresses are used there only as far as use= names "
        "them."
    )

    def _execute(self) -> int:
        project: Project = self.loader.namespace["PROJECT"]
        bundle = project.options.bundle
        if not project.has_spec and not (bundle and bundle.exists()):
            raise InvalidCommand("there is no bundle to rehearse; name it with bundle=PATH")
        try:
            with interruptible():
                result = _rehearse(project)
        except AirgapError as err:
            project.console.problem(f"FAILED {self.name}: {err}")
            return 1
        except KeyboardInterrupt as err:
            project.console.problem(f"stopped by {err}; nothing is left behind")
            return 128 + getattr(err, "number", signal.SIGINT)
        return 0 if result.passed else 1


def _rehearse(project: Project) -> RehearsalResult:
    console = project.console
    bundle = project.options.bundle or _make(project)
    with _throwaway(project.options.state / "rehearsal") as here:
        carried = _carry(bundle, here / "carried")
        console.line(f"{step_mark('carry')} {bundle.name} as it would be on the disk: nothing else comes along")
        result = _play(project, _scene(project, here, bundle, carried))
    kept = _keep(project, result)
    console.line()
    name = f"{result.bundle['name']} {result.bundle['version']}"
    ending = "passed" if result.passed else f"{len(result.failures)} found"
    console.line(f"rehearsal of {name}: {ending}, in {console.seconds:.0f} s")
    for row in result.rows():
        console.line(row)
    console.line(f"  result      {os.path.relpath(kept)}")
    return result


def _keep(project: Project, result: RehearsalResult) -> Path:
    kept = project.options.state / KEPT
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    told = {**result.to_dict(), "tool": VERSION, "rehearsed": now}
    write_bytes(kept, (json.dumps(told, indent=2) + "\n").encode(), mode=0o600)
    return kept


def _make(project: Project) -> Path:
    """Bring the spec's bundle up to date; whatever stands in the way was shown."""
    options = project.options
    words = ["bundle", f"spec={options.spec}", f"out={options.out}", f"state={options.state}", f"jobs={options.jobs}"]
    words += [f"since={options.since}"] if options.since else []
    done = run(
        [sys.executable, "-c", _program("cli.entry"), *words],
        subject="bundle",
        timeout=_HOURS,
        env=project.env,
        on_output=lambda line: project.console.line(f"{step_mark('bundle')} {line}"),
        tied=True,
    )
    if done.code != 0:
        raise ProblemsError(f"there is no bundle to rehearse: doit bundle ended with exit code {done.code}", [])
    return project.finished


def _carry(bundle: Path, target: Path) -> Path:
    """Bring the bundle's files to `target`, by links where the file system can; the path that names it there."""
    with storage_errors(f"carry bundle {str(bundle)!r}", bundle):
        if bundle.is_dir():
            for name, _ in walk_files(bundle):
                place(bundle / name, target / bundle.name / name)
            return target / bundle.name
        files = find_archive(bundle)
        paths = [*map(files.path, (*files.names, *files.extra)), sums_path(files.archive)]
        for path in filter(Path.is_file, paths):
            place(path, target / path.name)
        return target / (files.names[0] if files.names else bundle.name)


def _scene(project: Project, here: Path, bundle: Path, carried: Path) -> Scene:
    program = here / ZIPAPP
    site = Site.load(project.options.site) if project.options.site else Site()
    trust = site_trust(project.options, site, bundle, project.env)
    opened = open_bundle(carried, vouch=trust.by_one if trust else None)  # it is approved afterwards
    refuse_other_bundle(site, opened.manifest.name)
    opened.extract(ZIPAPP, program)  # the one that the list names, wherever it lies
    assets = Path(project.env[_ASSETS]) if project.env.get(_ASSETS) else None
    if assets and (absent := lacking(assets)):
        hint = "tools/build makes all of them and prints where; unset it to rehearse without a cluster"
        raise ProblemsError(f"{_ASSETS} ({assets}) is missing {', '.join(absent)}", [], hint=hint)
    named = project.env.get(_KUBECONFIG)
    return Scene(
        place=here,
        carried=carried,
        program=program,
        directory=Path(doit.get_initial_workdir() or os.curdir).resolve(),
        cache=project.store.root,
        site=project.options.site,
        trust=project.options.trust,
        assets=assets,
        marks=project.options.state / "rehearsal-marks",
        use=project.options.use,
        real_pods=project.options.real_pods,
        kubeconfig=project.options.kubeconfig or (Path(named).absolute() if named else None),
        jobs=project.options.jobs,
    )


def _play(project: Project, scene: Scene) -> RehearsalResult:
    """Run the inner half and return what it found."""
    done = run(
        [sys.executable, "-c", _program("rehearsal.stage")],
        subject="rehearsal",
        timeout=_HOURS,
        stdin=json.dumps(scene.to_dict()).encode(),
        env=project.env,
        cwd=scene.directory,
        on_output=project.console.line,
        tied=True,
    )
    result = scene.place / RESULT
    if not result.is_file():
        raise ProgramError(f"the rehearsal broke off: {done.stderr.strip() or f'exit code {done.code}'}")
    return RehearsalResult.from_dict(strict_json.loads(result.read_bytes()))


def _program(module: str) -> str:
    return _PROGRAM.format(root=str(_ROOT), module=module)


@contextmanager
def _throwaway(root: Path) -> Iterator[Path]:
    """A directory of this rehearsal's own, gone afterwards; those of killed rehearsals go first."""
    with storage_errors("make a place for the rehearsal", root), ExitStack() as stack:
        make_private(root.parent)
        require_private(root.parent)
        with locked(root.with_name("rehearsal.lock")):
            make_private(root)
            for left in root.iterdir():
                if _is_abandoned(left):
                    shutil.rmtree(left, ignore_errors=True)
            here = root / f"{os.getpid()}"
            here.mkdir(mode=0o700)
            stack.callback(shutil.rmtree, here, ignore_errors=True)
            lock = stack.enter_context((here / "lock").open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield here.resolve()


def _is_abandoned(place: Path) -> bool:
    """Whether nobody holds a rehearsal's directory any more."""
    try:
        with (place / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
