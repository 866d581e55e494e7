"""What the site demands of a bundle's origin: from its site file, or from `trust=FILE` on the command line."""

from collections.abc import Mapping
from pathlib import Path

from bundle.errors import MissingToolError, TrustError, storage_errors
from bundle.signing.signers import Signers
from bundle.signing.trust import SignedData, Trust
from schema.site.site import Site
from tasks.runtime.options import Options


def site_trust(options: Options, site: Site, bundle: Path, env: Mapping[str, str]) -> Trust | None:
    """The list of signers that counts; None where nobody names one. `trust=FILE` goes before the site file's.

    FormatError and StorageError for a list that can't be read, TrustError for one that lies in the bundle itself.
    """
    if options.trust:
        path, required = options.trust, True
    elif site.trust:
        path, required = site.trust.signers, site.trust.require
    else:
        return None
    if path.resolve().is_relative_to(bundle.resolve()):
        raise TrustError(
            f"the list of signers {str(path)!r} lies in the bundle, which can't vouch for itself",
            hint="keep it on this machine, as it came by a way of its own",
        )
    with storage_errors("read the list of signers", path):
        signers = Signers.parse(path.read_bytes(), label=str(path))
    return Trust(signers=signers, required=required, check=lambda data: _is_good(data, signers, env))


def _is_good(data: SignedData, signers: Signers, env: Mapping[str, str]) -> bool:
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
