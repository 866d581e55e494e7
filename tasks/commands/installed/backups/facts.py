"""What the names in the commands of a backup stand for, on this site and now."""

from collections.abc import Collection
from pathlib import Path

from schema.site.lookup import Facts
from schema.site.secrets import single_value
from schema.site.uses import Use, gather
from schema.syntax import template
from tasks.runtime.live import reader
from tasks.site.receiver import Receiver


def facts_of(receiver: Receiver, used: Collection[Use]) -> Facts:
    """The values of these names; a SpecError lists all that is missing. The cluster is asked for secrets only."""
    project = receiver.project
    env = gather(used, site=receiver.site, env=project.env, directory=Path.cwd(), ask=reader(project.console.asking))
    wanted = {each.name.rest for each in used if each.name.space == "secret"}
    secrets = {}
    for secret in receiver.carried.spec.install.secrets:
        stored = receiver.cluster.secret(secret.name, secret.namespaces[0]) if secret.name in wanted else None
        if stored and (value := single_value(secret, stored)):
            secrets[secret.name] = value
    names, here = receiver.images, Path.cwd()
    return Facts(images=names, site=receiver.site, env=env, directory=here, known=receiver.known, secrets=secrets)


def filled(text: str, facts: Facts) -> str:
    """A template with its values."""
    return template.in_text(template.render(template.parse(text), facts))
