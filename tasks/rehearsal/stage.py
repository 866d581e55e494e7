"""The inner half of a rehearsal: without any network but loopback, the carried bundle is installed by its own program.

Runs as a process of its own, which gives up its network before anything else and can't take it back.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from bundle.errors import AirgapError, MissingToolError
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.storage.files import write_bytes
from clients.cluster.kubectl import Kubectl
from clients.programs.process import run
from clients.sandbox.cluster import OWN
from clients.sandbox.egress import OutsideWatch
from clients.sandbox.network import isolate
from clients.sandbox.registry import throwaway_registry
from tasks.rehearsal.base import stand_in
from tasks.rehearsal.borrowed import BorrowedCluster
from tasks.rehearsal.cluster import NEEDS_A_SITE, NO_CLUSTER, target_cluster
from tasks.rehearsal.environment import PATH, environment, tools
from tasks.rehearsal.images import compare_receipt, unpullable
from tasks.rehearsal.result import RehearsalResult, Scene, step_mark
from tasks.rehearsal.site import RehearsalSite, make_site
from tasks.rehearsal.verdict import judge_carried
from tasks.runtime.console import Console, LocalWork
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.site.receiver import Receiver

RESULT = "result.json"
_HOURS = 4 * 3600.0  # seconds; what one command inside may take


def main() -> int:
    """Rehearse what standard input describes; the result is a file, this ends with 0 whatever it is."""
    scene = Scene.from_dict(strict_json.loads(sys.stdin.read()))
    open_network = "the named cluster is reached over it" if scene.kubeconfig else isolate()
    try:
        stage = _Stage(scene, open_network)
    except AirgapError as err:  # a bundle that can't be read: the outer half tells it
        raise SystemExit(str(err)) from err
    stage.play()
    write_bytes(scene.place / RESULT, json.dumps(stage.result().to_dict()).encode(), mode=0o600)
    return 0


class _Stage:
    """One rehearsal as it goes on, and what it has found so far."""

    def __init__(self, scene: Scene, open_network: str) -> None:
        self.scene = scene
        self.console = Console()
        self.open_network = open_network
        self.target = ""
        self.cluster = NO_CLUSTER
        self.proven: list[str] = []
        self.not_proven: list[str] = []
        self.failures: list[str] = []
        self.outside: tuple[str, ...] = ()
        self.receiver = self._receiver(registry="127.0.0.1:1/rehearsal")
        self.releases = self.receiver.carried.spec.install.releases

    def result(self) -> RehearsalResult:
        bundle = self.receiver.carried.bundle
        manifest = bundle.manifest
        which = {"name": manifest.name, "version": manifest.version, "id": str(manifest.id)}
        return RehearsalResult(
            bundle={**which, "sums": str(bundle.sums_digest)},
            target=self.target,
            proven=tuple(self.proven),
            not_proven=tuple(self.not_proven),
            failures=tuple(self.failures),
            outside=self.outside,
        )

    def play(self) -> None:
        """All steps inside; what fails is noted, and the steps that need it are left out."""
        with ExitStack() as stack:
            try:
                host, kubeconfig = self._set_up(stack)
                site = self._site()
                self._judge()
                with self._watched():
                    if self._run("verify", site, ["verify", f"site={site.file}"]):
                        self.proven.append("its own program runs with nothing but Python here, and verifies it too")
                        self._install(site, host, kubeconfig)
            except AirgapError as err:
                self.failures.append(str(err))
        self._say_what_is_left_out()

    def say(self, step: str, text: str) -> None:
        self.console.line(f"{step_mark(step)} {text}")

    def _judge(self) -> None:
        verdict = judge_carried(self.receiver.carried, LocalWork(self.console))
        self.say("verify", str(verdict))
        self.proven += verdict.proven()
        self.not_proven += verdict.not_proven()

    # The target.

    def _set_up(self, stack: ExitStack) -> tuple[str, Path | None]:
        if self.open_network:
            self.say("target", f"the network is open: {self.open_network}")
            self.not_proven.append(f"that nothing outside is needed: {self.open_network}")
        else:
            self.say("target", "no network from here on but loopback")
        kind, host = stack.enter_context(throwaway_registry(self.scene.place / "registry"))
        starting = target_cluster(self.scene, self.receiver.carried.bundle.manifest, wanted=bool(self.releases))
        self.cluster = stack.enter_context(starting)
        self.target = f"{kind}, {self.cluster.name}"
        self.say("target", f"{kind} at {host}, {self.cluster}")
        return host, self.cluster.kubeconfig

    def _site(self) -> RehearsalSite:
        named = self.scene.kubeconfig is not None
        use = self.scene.use if named else None
        site = make_site(self.receiver, self.scene.place, directory=self.scene.directory, env=os.environ, use=use)
        if site.used:
            self.say("target", f"the pods of this rehearsal really connect to {', '.join(site.used)}")
        if site.missing:
            self.not_proven.append(
                f"real site facts: placeholders stood for {', '.join(site.missing)}; give them as to install"
            )
        if site.spared:
            self.not_proven.append(
                f"the site's own addresses: placeholders stood for {', '.join(site.spared)}, so that nothing real was "
                "touched; use=NAME,NAME uses them"
            )
        return site

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self.open_network:
            yield
            return
        try:
            watch = OutsideWatch(inside=OWN)
        except OSError as err:
            self.not_proven.append(f"that nothing reaches outside: the loopback can't be watched ({err.strerror})")
            yield
            return
        with watch:
            yield
        self.outside = watch.attempts
        if self.outside:
            self.failures.append(f"tried to reach outside: {', '.join(self.outside)}")
        else:
            self.proven.append("nothing outside was reached for: no name was looked up, no address called")

    # The crossing's far side.

    def _install(self, site: RehearsalSite, host: str, kubeconfig: Path | None) -> None:
        registry = f"{host}/rehearsal"
        extent = "cluster" if kubeconfig and self.releases else "images"
        words = ["install", f"rehearsal={extent}", f"registry=http://{registry}", f"site={site.file}"]
        if told := stand_in(self._receiver(registry=registry), self.scene.cache):
            self.say("target", told)
            self.not_proven.append(f"that the registry inside has them: {told}")
        receiver = self._receiver(registry=registry)
        borrowed = self._borrowed(site, registry) if self.scene.kubeconfig and extent == "cluster" else None
        if borrowed is None:
            self._come_up(site, words, kubeconfig, receiver)
            return
        with borrowed:
            borrowed.take(self.receiver.carried.spec.install)
            try:
                self._come_up(site, words, kubeconfig, receiver)
            finally:
                self.failures += [f"the cluster is not as it was: {text}" for text in borrowed.give_back()]

    def _come_up(self, site: RehearsalSite, words: Sequence[str], kubeconfig: Path | None, receiver: Receiver) -> None:
        installed = self._run("install", site, words, kubeconfig)
        ran = self.cluster.ran({release.namespace for release in self.releases})
        for each in ran:
            self.say("install", f"container {each} ran")
        if ran and installed:
            self.proven.append(f"the programs in the images run: {', '.join(ran)}")
        elif not installed and self.cluster.pods_run:
            self.failures.append(NEEDS_A_SITE)
        self._images(receiver, site)
        if installed:
            if kubeconfig and self.releases:
                names = ", ".join(release.name for release in self.releases)
                self.proven.append(f"secrets, values and releases come up in {self.target}: {names}")
            self._receipt(receiver)

    def _borrowed(self, site: RehearsalSite, registry: str) -> BorrowedCluster:
        """The named cluster, of which nothing is changed that is there already."""
        kubectl = Kubectl(self.receiver.cluster.programs.find("kubectl"), kubeconfig=self.scene.kubeconfig)
        away = ["uninstall", "--yes", "--secrets", f"registry=http://{registry}"]
        return BorrowedCluster(
            cluster=kubectl,
            id=token_hex(8),
            marks=self.scene.marks,
            remove=lambda: self._run("install", site, away, self.scene.kubeconfig),
            drop=lambda name: kubectl.delete("namespace", name),
            say=lambda text: self.say("target", text),
        )

    def _images(self, receiver: Receiver, site: RehearsalSite) -> None:
        """Every image that the charts render to can be pulled from the registry inside."""
        for release in self.releases:
            try:
                count, problems = unpullable(receiver, release, site.file)
            except MissingToolError:
                self.not_proven.append("that charts render and use only these images: helm is not here")
                return
            except AirgapError as err:
                problems, count = [str(err)], 0
            self.failures += problems
            if not problems:
                pulled = f"{counted(count, 'image')} of it can be pulled"
                self.say("install", f"release {release.name}: {pulled} from the registry")
                self.proven.append(f"release {release.name!r} renders, and {pulled}")

    def _receipt(self, receiver: Receiver) -> None:
        arrived, failures = compare_receipt(receiver, self.scene.place / "state" / "receipt.json")
        for text in arrived:
            self.say("receipt", text)
        self.failures += failures
        if not self.failures:
            count = counted(len(receiver.carried.bundle.manifest.images), "image")
            self.proven.append(f"{count} inside with the digest of the bundle, as receipt and registry say")

    def _say_what_is_left_out(self) -> None:
        install = self.receiver.carried.spec.install
        if self.releases and not self.cluster.kubeconfig:
            why = "set KUBEBUILDER_ASSETS (tools/build prints it), or name a throwaway cluster: kubeconfig=FILE"
            self.not_proven.append(f"that releases come up: no throwaway cluster is here; {why}")
        elif self.releases and self.cluster.simulated:
            why = f"simulated nodes only say so ({self.cluster.simulated})"
            self.not_proven.append(f"that the programs in the images run: {why}")
        carried = {file.name for file in self.receiver.carried.bundle.manifest.files if file.tool}
        if self.releases and (lacking := [name for name in ("helm", "kubectl") if name not in carried]):
            self.not_proven.append(f"that {' and '.join(lacking)} are there inside: the bundle does not carry them")
        if install.actions:
            self.not_proven.append(
                f"actions, which a rehearsal does not run: {', '.join(action.name for action in install.actions)}"
            )
        addresses = [item.url for release in self.releases for item in release.health]
        if addresses or install.checks:
            asked = [*addresses, *(f"{check.kind} {check.subject}" for check in install.checks)]
            self.not_proven.append(f"what only the site can answer: {', '.join(asked)}")

    # Programs.

    def _run(self, step: str, site: RehearsalSite, words: Sequence[str], kubeconfig: Path | None = None) -> bool:
        """A command of the carried program, as one types it inside; its lines are shown, its failures noted."""
        before, told = len(self.failures), False

        def line(text: str) -> None:
            nonlocal told
            self.say(step, text)
            if text.startswith(("FAILED ", "BROKEN ")):
                told = True
                self.failures.append(text.partition(" ")[2])
            elif told and text.startswith(" "):
                self.failures[-1] += f"\n{text}"
            else:
                told = False

        # -S: not even the packages of the Python that runs this may help.
        argv = [sys.executable, "-I", "-S", str(self.scene.program), *words]
        argv += [f"bundle={self.scene.carried}", f"state={self.scene.place / 'state'}", f"jobs={self.scene.jobs}"]
        done = run(
            argv,
            subject=f"{words[0]} inside",
            timeout=_HOURS,
            env=environment(self.scene, site, kubeconfig),
            cwd=self.scene.place / "inside",
            on_output=line,
            tied=True,
        )
        if done.code != 0 and len(self.failures) == before:
            said = " ".join((done.stderr or done.text).split()[-60:])
            self.failures.append(f"{words[0]} inside ended with exit code {done.code}: {said}")
        return done.code == 0

    def _receiver(self, *, registry: str) -> Receiver:
        """The carried bundle as the program inside sees it."""
        given: dict[str, Any] = {"bundle": str(self.scene.carried), "registry": f"http://{registry}", "engine": "none"}
        given |= {"site": str(self.scene.site)} if self.scene.site else {}
        given |= {"trust": str(self.scene.trust)} if self.scene.trust else {}
        options = Options.parse(
            {**given, "state": str(self.scene.place / "looked-at")},
            cwd=self.scene.directory,
            default_jobs=self.scene.jobs,
            user_state=self.scene.place,
        )
        path = os.pathsep.join([str(tools(self.scene)), os.environ.get("PATH", PATH)])
        return Receiver(Project(options, env={**os.environ, "PATH": path}, console=self.console))
