"""Whom the site trusts: who may sign its bundles, which bundles it takes, and where its list of signers may lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import MissingToolError, TrustError, existing_place, storage_errors
from schema.site.site import Site
from tasks.runtime.options import Options

if TYPE_CHECKING:
    from bundle.signing.signers import Signers
    from bundle.signing.trust import SignedData, Trust


def site_trust(options: Options, site: Site, bundle: Path, env: Mapping[str, str]) -> "Trust | None":
    """The list of signers that counts for the bundle there; None where nobody names one. `trust=FILE` goes before the
    site file's.

    FormatError and StorageError for a list that can't be read, TrustError for one that may have come with the bundle.
    """
    if options.trust:
        path, required = options.trust, True
    elif site.trust and site.trust.signers:
        path, required = site.trust.signers, site.trust.require
    else:
        return None
    from bundle.signing.approvals import read_approvals
    from bundle.signing.signers import Signers  # a site that asks nobody's signature needs none of this
    from bundle.signing.trust import Trust

    if where := _came_along(path.resolve(), bundle.resolve(), options.state):
        raise TrustError(
            f"the list of signers {str(path)!r} lies {where}, which can't vouch for itself",
            hint=f"keep it on this machine, as it came by a way of its own: beside {str(options.state)!r}, for example",
        )
    with storage_errors("read the list of signers", path):
        signers = Signers.parse(path.read_bytes(), label=str(path))
    return Trust(
        signers=signers,
        required=required,
        check=lambda data: _is_good(data, signers, env),
        needed=site.trust.needed if site.trust else 1,
        approvals=read_approvals(bundle),
    )


def refuse_other_bundle(site: Site, name: str) -> None:
    """Raise a TrustError where the site names the bundles that it takes, and this is none of them."""
    taken = site.trust.bundles if site.trust else ()
    if taken and name not in taken:
        raise TrustError(
            f"this is bundle {name!r}, expected {' or '.join(map(repr, taken))}, which `trust: bundles` of "
            f"{site.label} names",
            hint=f"name the right bundle with bundle=PATH; a site that is to take this one too adds {name!r} there",
        )


def _came_along(signers: Path, bundle: Path, state: Path) -> str:
    """Where a list of signers is that whoever carried the bundle may have put there too; empty for elsewhere."""
    if signers.is_relative_to(bundle):
        return "in the bundle"
    if not bundle.is_dir() and signers.parent == bundle.parent:
        return "beside the bundle"
    with storage_errors("look for the list of signers", signers):
        medium = bundle.stat().st_dev if bundle.exists() else None
        if medium not in (None, existing_place(state).stat().st_dev) and signers.stat().st_dev == medium:
            return "on the medium of the bundle"
    return ""


def _is_good(data: "SignedData", signers: "Signers", env: Mapping[str, str]) -> bool:
    """By ssh-keygen; where there is none, in Python, which knows Ed25519 only."""
    from clients.programs.ssh_keygen import SshKeygen  # only where a list of signers is named

    try:
        return SshKeygen(env).accepts(data, signers)
    except MissingToolError as err:
        if data.signature.is_ed25519:
            return data.signature.verify(data.message)
        raise TrustError(
            f"a signature by {data.signature.key} can't be checked here: {err.what}",
            hint=f"{err.hint}; without it only Ed25519 signatures can be checked",
        ) from err
