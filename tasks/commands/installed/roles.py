"""`doit roles`: the roles that an account needs for the install, for whoever may make them."""

from collections.abc import Mapping
from typing import Any

from bundle.errors import FormatError, ProblemsError
from clients.preflight.rights import Rights
from clients.preflight.roles import as_yaml, role_objects, subject
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.install.charts.rendered import render_releases
from tasks.install.checks import cluster_needs
from tasks.site.receiver import Receiver


def _option(name: str, what: str) -> dict[str, Any]:
    return {"name": name.replace("-", "_"), "long": name, "type": str, "default": "", "help": what}


class Roles(ReceiverCommand):
    """Prints Kubernetes roles."""

    name = "roles"
    doc_purpose = COMMANDS["roles"].purpose
    doc_usage = "[--user NAME] [--group NAME] [--service-account NAMESPACE/NAME]"
    doc_description = (
        "What is printed is for kubectl apply -f -, by an administrator: the namespaces that are missing, a Role for "
        "each, and a ClusterRole; with an account's name also the bindings. The charts are rendered with the site's "
        "settings for the cluster that is there, and nothing is changed in it."
    )
    cmd_options = (
        _option("user", "bind the roles to this user"),
        _option("group", "bind the roles to this group"),
        _option("service-account", "bind the roles to this service account, NAMESPACE/NAME"),
    )

    def _execute(self, user: str, group: str, service_account: str) -> int:
        given = {"User": user, "Group": group, "ServiceAccount": service_account}
        return self._told(lambda receiver: _print(receiver, {kind: name for kind, name in given.items() if name}))


def _print(receiver: Receiver, accounts: Mapping[str, str]) -> None:
    named = accounts.get("ServiceAccount", "a/b")
    if not all(named.partition("/")):
        raise FormatError(f"--service-account {named}: expected NAMESPACE/NAME", hint="name its namespace too")
    rendered, findings = render_releases(receiver)
    if findings or len(rendered) < len(receiver.carried.spec.install.releases):
        raise ProblemsError(
            "not every release can be rendered, so the rights are not known:",
            [str(each) for each in findings],
            hint="fix what doit preflight says of settings and charts, and run it again",
        )
    needs, rights = cluster_needs(receiver, rendered), Rights(receiver.cluster.kubectl)
    subjects = [subject(kind, account) for kind, account in accounts.items()]
    name = f"{receiver.carried.bundle.manifest.name}-install"
    objects = role_objects(rights.wanted(needs), name=name, subjects=subjects, absent=rights.absent(needs))
    receiver.project.console.text(as_yaml(objects))
