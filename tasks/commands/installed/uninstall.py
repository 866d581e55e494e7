"""`doit uninstall`: away with what an installation made, or with what an earlier bundle left over."""

import contextlib
import sys
from collections.abc import Iterator, Sequence

from bundle.errors import AirgapError, ProblemsError
from clients.cluster.pods.watch import Watch
from clients.cluster.rollout import remove_release
from schema.site.actions import record_name
from schema.spec.install import DEFAULT_TIMEOUT
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.install.deploy import saying, watch
from tasks.install.receipt import renew_releases
from tasks.runtime.console import Console
from tasks.site.receiver import Receiver
from tasks.site.records.history import recorded
from tasks.site.records.left_over import left_over, told

_YES = {"name": "yes", "short": "y", "long": "yes", "type": bool, "default": False, "help": "do not ask first"}
_SECRETS = {
    "name": "secrets",
    "long": "secrets",
    "type": bool,
    "default": False,
    "help": "remove generated secrets too; what was encrypted with them is lost",
}
_LEFT_OVER = {
    "name": "left",
    "long": "left-over",
    "type": bool,
    "default": False,
    "help": "remove what an earlier bundle brought and this one no longer names, and nothing else",
}


class Uninstall(ReceiverCommand):
    """Removes what install made."""

    name = "uninstall"
    doc_purpose = COMMANDS["uninstall"].purpose
    doc_usage = "[--yes] [--secrets] [--left-over]"
    doc_description = (
        "Generated secrets stay unless --secrets says otherwise. Namespaces, volumes and the registry's images stay. "
        "What an earlier bundle brought and this one no longer names is listed, and removed by --left-over alone."
    )
    cmd_options = (_YES, _SECRETS, _LEFT_OVER)

    def _execute(self, yes: bool, secrets: bool, left: bool = False) -> int:
        return self._told(lambda receiver: _uninstall(receiver, yes=yes, secrets=secrets, left=left))


def _uninstall(receiver: Receiver, *, yes: bool, secrets: bool, left: bool) -> None:
    console, over = receiver.project.console, left_over(receiver)
    if left:
        releases = [(Watch(each.name, namespace=each.namespace, cluster=receiver.cluster.kubectl), DEFAULT_TIMEOUT)
                    for each in over.releases]  # fmt: skip
        doomed = [(each.name, each.namespace) for each in over.secrets if secrets or not each.generated]
    else:
        for line in told(over):
            console.line(line)
        named = [each for each in reversed(receiver.carried.spec.install.releases) if receiver.cluster.release(each)]
        releases = [(watch(receiver, each), each.timeout) for each in named]
        doomed = list(_secrets(receiver, generated=secrets))
    if not releases and not doomed:
        console.line("nothing to remove")
        return
    for watching, _ in releases:
        console.line(f"release {watching.release} in namespace {watching.namespace}")
    for name, namespace in doomed:
        console.line(f"secret {name} in namespace {namespace}")
    if not yes and not _confirmed(receiver.project.console):
        raise ProblemsError("nothing was removed", [], hint="say yes when asked, or give --yes")
    receiver.claim()
    with recorded(receiver, "uninstall"):
        try:
            _remove(receiver, releases, doomed)
        finally:
            receiver.cluster.changed_releases()
            with contextlib.suppress(AirgapError):  # what went wrong before it is of more use
                renew_releases(receiver)


def _remove(receiver: Receiver, releases: Sequence[tuple[Watch, int]], doomed: Sequence[tuple[str, str]]) -> None:
    console = receiver.project.console
    for watching, timeout in releases:
        with saying(receiver, f"release {watching.release}") as say:
            left = remove_release(receiver.cluster.helm, watching, timeout=timeout, say=say)
        for each in left:
            console.line(f"{each} has not ended yet: kubectl get pods --namespace {watching.namespace}")
    for name, namespace in doomed:
        receiver.cluster.kubectl.delete("secret", name, namespace=namespace)
    console.line(f"removed {len(releases)} releases and {len(doomed)} secrets")


def _secrets(receiver: Receiver, *, generated: bool) -> Iterator[tuple[str, str]]:
    """The secrets of the spec that are there, and the records of its actions."""
    install = receiver.carried.spec.install
    names = [(s.name, n) for s in install.secrets if generated or not s.generate for n in s.namespaces]
    names += [(record_name(action.name), receiver.cluster.record_namespace(action)) for action in install.actions]
    return ((name, namespace) for name, namespace in names if receiver.cluster.secret(name, namespace) is not None)


def _confirmed(console: Console) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    with console.asking():
        return input("remove all of this? type yes: ") == "yes"
