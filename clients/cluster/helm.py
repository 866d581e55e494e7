"""Releases through the helm command (3.8 or later, and 4): charts and values from files, nothing from networks."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, ProgramError, ReleaseError, SignatureError
from bundle.formats import strict_json
from bundle.formats.versions import Version
from bundle.storage.scratch import scratch_directory
from clients.charts.documents import documents
from clients.cluster._helm_errors import NOT_FOUND, helm_error
from clients.cluster.manifests import name_of
from clients.cluster.release import Release, last_good, read_release
from clients.programs.offline import offline_prefix
from clients.programs.process import Completed, Runner, masked, run

OLDEST = Version(major=3, minor=8)
_BEYOND = Version(major=5, minor=0)
_SERVER_DRY_RUN = Version(major=3, minor=13)
_SKIPS_SCHEMA = Version(major=3, minor=16)
_MOST = 10_000  # releases or revisions; helm's own limit is 256
_QUICK = 120.0  # seconds for what only reads
_GRACE = 60.0  # seconds for helm to note that it was stopped
# Pre-install hooks, the release and post-install hooks each have helm's timeout; a fourth one is for what goes wrong.
_PHASES = 4
# HELM_KUBECONTEXT and the like would lead helm to another cluster than kubectl, plugins to other programs.
_KEPT = ("HELM_DRIVER", "HELM_DRIVER_SQL_CONNECTION_STRING", "HELM_BURST_LIMIT", "HELM_QPS")


class Helm:
    """One cluster. Failures are ReleaseErrors that name the release, ClusterErrors or ProgramErrors.

    Nothing of the user's helm (plugins, repositories, caches, HELM_ variables) takes part, and nothing is left behind.
    Without `kubeconfig` and `context`, what KUBECONFIG or ~/.kube/config say. `secrets` are masked in what helm said.
    """

    def __init__(
        self,
        program: Path | str,
        *,
        kubeconfig: Path | None = None,
        context: str = "",
        runner: Runner = run,
        secrets: Iterable[str] = (),
    ) -> None:
        self._program = str(program)
        self._cluster = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        self._cluster += [f"--kube-context={context}"] if context else []
        self._runner = runner
        self._secrets = secrets
        self._version: Version | None = None

    def version(self) -> Version:
        """Helm's version, asked once; one that is too old or not known yet is a ProgramError."""
        if self._version is None:
            done = self._run(["version", "--template={{.Version}}"], subject="helm", timeout=_QUICK)
            try:
                found = Version.parse(done.text if done.code == 0 else "")
            except FormatError as err:
                raise ProgramError(
                    f"{self._program} is no helm: it answers {(done.text or done.stderr)[:80]!r}, expected a version",
                    hint=f"install helm {OLDEST} or later, or carry it in the bundle: files: with tool: true",
                ) from err
            if not OLDEST <= found < _BEYOND:
                raise ProgramError(
                    f"{self._program} is helm {found}, expected {OLDEST} or later, or 4",
                    hint="install such a helm, or carry it in the bundle: files: with tool: true",
                )
            self._version = found
        return self._version

    def upgrade_install(
        self,
        release: str,
        chart: Path,
        *,
        namespace: str,
        values: Path,
        timeout: float,
        dry_run: bool = False,
        description: str = "",
        skip_schema: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Release:
        """Install or upgrade from a packaged chart and wait until all is ready; the answer has the manifest.

        One that fails is left as it is, also when `cancelled` becomes true: whoever watches it takes it back, for helm
        would wait for that in silence. `timeout` in seconds, for each phase as helm has them. `dry_run` asks the
        cluster and changes nothing.
        """
        subject = f"release {release!r}"
        argv = ["upgrade", release, str(chart.resolve()), "--install", f"--values={values}", "--output=json"]
        argv += [f"--namespace={namespace}", *self._dry_run(dry_run)]
        argv += [] if dry_run else ["--wait", "--wait-for-jobs", f"--timeout={timeout:.0f}s"]
        argv += [f"--description={description}"] if description else []
        argv += self._schema_skipped(skip_schema)
        done = self._run(argv, subject=subject, timeout=_PHASES * timeout + _QUICK, cancelled=cancelled, grace=_GRACE)
        return read_release(Release.upgraded, _object(self._ok(done, subject), subject), subject)

    def template(
        self, release: str, chart: Path, *, namespace: str, values: Path, kube_version: str = "",
        api_versions: Sequence[str] = (), skip_schema: bool = False,
    ) -> str:  # fmt: skip
        """What a chart makes of these values, as YAML documents, hooks and tests among them; the cluster is not asked.

        `lookup` finds nothing there, and capabilities are those of helm itself, but for `kube_version` and further
        `api_versions`. It runs without a network where this machine can do that: what needs one fails, as it would on
        the air-gapped side.
        """
        subject = f"the chart of release {release!r}"
        argv = ["template", release, str(chart.resolve()), f"--namespace={namespace}", f"--values={values}"]
        argv += [f"--kube-version={kube_version}"] if kube_version else []
        argv += [f"--api-versions={each}" for each in api_versions]
        argv += self._schema_skipped(skip_schema)
        done = self._run([*argv, "--include-crds"], subject=subject, timeout=_QUICK, before=offline_prefix())
        return self._ok(done, subject).text

    def verify(self, chart: Path, keyring: Path, *, subject: str) -> None:
        """Check a packaged chart, with its .prov file beside it, against GPG public keys; a SignatureError says no."""
        done = self._run(["verify", str(chart), f"--keyring={keyring}"], subject=subject, timeout=_QUICK)
        if done.code != 0:
            said = done.stderr.strip().removeprefix("Error: ") or f"helm verify ended with {done.code}"
            raise SignatureError(
                f"{subject} is not signed as verify.keyring wants ({keyring.name}): {said}",
                hint="check the keyring against what the publisher announces (`gpg --show-keys FILE`), "
                "in binary form for helm 3 (`gpg --export KEY > FILE`); if it is right, do not use this chart",
            )

    def list(self, namespaces: Sequence[str]) -> tuple[Release, ...]:
        """The releases in these namespaces, whatever their status, but no uninstalled ones."""
        found = []
        for namespace in dict.fromkeys(namespaces):
            subject = f"the releases in namespace {namespace!r}"
            argv = ["list", "--deployed", "--failed", "--pending", "--uninstalling", f"--max={_MOST}", "--output=json"]
            done = self._run([*argv, f"--namespace={namespace}"], subject=subject, timeout=_QUICK)
            found += [read_release(Release.listed, each, subject) for each in _array(self._ok(done, subject), subject)]
        return tuple(found)

    def history(self, release: str, *, namespace: str) -> tuple[Release, ...]:
        """The revisions that helm keeps, oldest first, with descriptions; none when there is no such release."""
        subject = f"the history of release {release!r}"
        argv = ["history", release, f"--max={_MOST}", "--output=json", f"--namespace={namespace}"]
        done = self._run(argv, subject=subject, timeout=_QUICK)
        if _is_missing(done):
            return ()
        read = partial(Release.past, name=release, namespace=namespace)
        found = [read_release(read, each, subject) for each in _array(self._ok(done, subject), subject)]
        return tuple(sorted(found, key=lambda each: each.revision))

    def status(self, release: str, *, namespace: str) -> Release | None:
        """The newest revision, with its description; None when there is no such release."""
        history = self.history(release, namespace=namespace)
        return history[-1] if history else None

    def get_values(self, release: str, *, namespace: str) -> dict[str, Any]:
        """The values that the newest revision was given (with secrets), without the chart's own."""
        return _object(self._get("values", release, namespace, "--output=json"), f"the values of release {release!r}")

    def hook_jobs(self, release: str, *, namespace: str) -> frozenset[str] | None:
        """The names of the jobs that the newest revision has as hooks; None when there is no such release."""
        done = self._run(["get", "hooks", release, f"--namespace={namespace}"], subject="its hooks", timeout=_QUICK)
        if _is_missing(done):
            return None
        text = self._ok(done, f"the hooks of release {release!r}").text
        try:
            found = [each for each in documents(text) if isinstance(each, dict)]
        except FormatError as err:
            raise ReleaseError(
                f"release {release!r}: helm gives hooks that are no YAML", hint="helm get hooks"
            ) from err
        return frozenset(name_of(each) for each in found if each.get("kind") == "Job")

    def rollback(self, release: str, revision: int, *, namespace: str, timeout: float, wait: bool = True) -> None:
        """Make a new revision like an old one; `wait` until it is ready, at most `timeout` seconds."""
        subject = f"release {release!r}, back to revision {revision}"
        argv = ["rollback", release, str(revision), f"--namespace={namespace}", f"--timeout={timeout:.0f}s"]
        argv += ["--wait", "--wait-for-jobs"] if wait else []
        done = self._run(argv, subject=subject, timeout=_PHASES * timeout + _QUICK, grace=timeout)
        self._ok(done, subject)

    def uninstall(self, release: str, *, namespace: str, timeout: float) -> bool:
        """Remove a release and its history, and wait until its objects are gone; False when there was none."""
        subject = f"release {release!r}"
        argv = ["uninstall", release, f"--namespace={namespace}", "--wait", f"--timeout={timeout:.0f}s"]
        done = self._run(argv, subject=subject, timeout=_PHASES * timeout + _QUICK, grace=timeout)
        if _is_missing(done):
            return False
        self._ok(done, subject)
        return True

    def recover(self, release: str, *, namespace: str, timeout: float) -> str:
        """Free a release that a killed helm left pending, and tell what was done; empty when nothing had to be.

        Back to the revision that was deployed last, without waiting for it; a release that never was is removed.
        Call it only where no other helm works on the release.
        """
        history = self.history(release, namespace=namespace)
        if not history or not history[-1].is_pending:
            return ""
        stuck = history[-1]
        good = None if stuck.status == "uninstalling" else last_good(history)
        command = f"helm rollback {release} {good.revision}" if good else f"helm uninstall {release}"
        found = f"found release {release!r} {stuck.status} at revision {stuck.revision}, left by an interrupted helm"
        try:
            if good is None:
                self.uninstall(release, namespace=namespace, timeout=timeout)
                return f"{found}: removed it"
            self.rollback(release, good.revision, namespace=namespace, timeout=timeout, wait=False)
        except (ReleaseError, ProgramError) as err:
            hint = f"remove what stands in the way, then run the install again, or: {command} --namespace {namespace}"
            raise ReleaseError(f"{found}, could not be freed: {err.what}", hint=hint) from err
        return f"{found}: went back to revision {good.revision} ({good.chart})"

    def _schema_skipped(self, wanted: bool) -> Sequence[str]:
        if not wanted:
            return []
        if self.version() < _SKIPS_SCHEMA:
            what = f"helm {self.version()} can't leave out a chart's schema, which skip_schema_validation asks for"
            raise ProgramError(what, hint=f"install helm {_SKIPS_SCHEMA} or later, or carry it in the bundle")
        return ["--skip-schema-validation"]

    def _dry_run(self, wanted: bool) -> Sequence[str]:
        if not wanted:
            return []
        return ["--dry-run=server"] if self.version() >= _SERVER_DRY_RUN else ["--dry-run"]

    def _get(self, part: str, release: str, namespace: str, *options: str) -> Completed:
        subject = f"the {part} of release {release!r}"
        argv = ["get", part, release, f"--namespace={namespace}", *options]
        return self._ok(self._run(argv, subject=subject, timeout=_QUICK), subject)

    def _run(
        self,
        argv: Sequence[str],
        *,
        subject: str,
        timeout: float,
        cancelled: Callable[[], bool] | None = None,
        grace: float = 10.0,
        before: Sequence[str] = (),
    ) -> Completed:
        with scratch_directory(Path(tempfile.gettempdir()), "airgap-helm-") as home:
            return self._runner(
                [*before, self._program, *argv, *self._cluster],
                subject=subject,
                timeout=timeout,
                env=_environment(os.environ, str(home)),
                cancelled=cancelled,
                grace=grace,
                tied=True,
            )

    def _ok(self, done: Completed, subject: str) -> Completed:
        if done.code != 0:
            raise helm_error(masked(done.stderr, self._secrets), subject=subject, ending=_ending(done.code))
        return done


def _environment(ours: Mapping[str, str], home: str) -> dict[str, str]:
    """Our environment with everything of helm's in one private directory."""
    kept = {name: value for name, value in ours.items() if not name.startswith("HELM_") or name in _KEPT}
    places = {f"HELM_{name}_HOME": f"{home}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
    return {**kept, **places, "HELM_PLUGINS": f"{home}/plugins"}


def _ending(code: int) -> str:
    """How a program ended that says nothing: its exit code, or the signal that ended it."""
    if code >= 0:
        return f"exit code {code}"
    return f"ended by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"ended by signal {-code}"


def _is_missing(done: Completed) -> bool:
    return done.code != 0 and NOT_FOUND in done.stderr


def _json(done: Completed, subject: str) -> Any:
    try:
        return strict_json.loads(done.stdout)
    except ValueError as err:
        raise ReleaseError(f"{subject}: helm gave an answer that is no JSON", hint="try the same by hand") from err


def _object(done: Completed, subject: str) -> dict[str, Any]:
    data = _json(done, subject)
    return data if isinstance(data, dict) else {}


def _array(done: Completed, subject: str) -> Sequence[Mapping[str, Any]]:
    data = _json(done, subject)
    return data if isinstance(data, list) else []
