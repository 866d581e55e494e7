"""Many sites: each of `sites/*.yaml`, and what their receipts tell where a site can't be reached."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bundle.errors import AirgapError, SpecError
from bundle.metadata.receipt import LeftOver
from bundle.metadata.received import RECEIPTS, receipts_of
from tasks.commands.installed.condition import Condition, condition, of_receipt
from tasks.runtime.options import Options
from tasks.runtime.project import Project
from tasks.site.receiver import Receiver

SITES = "sites"
_EXAMPLE = "example"  # the template that `init` makes, and those that are copied from bundles


def site_files(options: Options) -> tuple[Path, ...]:
    """The site files beside the spec, or inside, of the working directory; a SpecError where there are none."""
    place = options.spec.parent / SITES
    found = (path for path in (*place.glob("*.yaml"), *place.glob("*.yml")) if not path.stem.endswith(_EXAMPLE))
    if files := tuple(sorted(found)):
        return files
    raise SpecError(f"there is no site file {str(place / '*.yaml')!r}", [], hint="make one for each site, or name one")


def conditions(receiver: Receiver) -> Iterator[Condition]:
    """The application at each site, and after it what the site's receipts tell of others."""
    for path in site_files(receiver.options):
        there = _at(receiver, path)
        received = {each.name: each for _, each in receipts_of(path.parent.parent / RECEIPTS, path.stem)}
        found = _condition(there, path.stem)
        brought = received.pop(found.application, None)
        if found.unreached and brought and (found.receipt is None or found.receipt.installed < brought.installed):
            found = of_receipt(found, brought, unreached=found.unreached)
        yield found
        for other in received.values():
            about = replace(found, application=other.name, backup_hours=None)
            yield of_receipt(about, other, unreached="only its receipt is here")


def _at(receiver: Receiver, site: Path) -> Receiver:
    """The same installation at another site."""
    options = replace(receiver.options, site=site, all_sites=False)
    return Receiver(Project(options, env=receiver.project.env, console=receiver.project.console))


def _condition(there: Receiver, site: str) -> Condition:
    try:
        return condition(there, site)
    except AirgapError as err:  # the site's settings are wrong, or it does not take this bundle
        name = there.carried.plan.bundle.name if there.carried.has_plan else ""
        return Condition(
            site=site, application=name, cluster="", registry="", receipt=None, left_over=LeftOver(),
            unreached=err.what.splitlines()[0],
        )  # fmt: skip
