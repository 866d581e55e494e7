"""Names that everybody inside can resolve: full ones, in the DNS, without any search domain (RFC 1034, RFC 8375)."""

from bundle.errors import NetworkError
from clients.preflight._endpoints import is_address, is_host, lookup
from clients.preflight.findings import Finding, Findings, finding_of

# Endings under which a name of only two labels is taken for a full one, besides the countries' two letters: the old and
# the common generic domains, and those that private networks use.
_ENDINGS = frozenset(
    """
    com org net edu gov mil int info biz name pro arpa aero coop museum jobs mobi tel travel cat asia
    app blog cloud company dev digital email engineering group host io ltd media network one online page shop site
    software solutions space store studio systems tech technology tools top wiki work works world xyz zone
    internal local lan home corp intranet private test
    """.split()  # noqa: SIM905 - one word a line would hide the rest
)


def dns(host: str) -> Findings:
    """`host` (a full name) resolves, as an absolute name, in the DNS that this machine uses."""
    subject = f"dns {host}"
    if refused := _not_full(host, subject):
        return (refused,)
    try:
        lookup(f"{host.removesuffix('.')}.")
    except NetworkError as err:
        return (_known_otherwise(host, subject) or finding_of(err, subject),)
    return ()


def _known_otherwise(host: str, subject: str) -> Finding | None:
    """What it means that a name resolves only as this machine completes it; None when it doesn't do that either."""
    if host.endswith("."):
        return None
    try:
        _, canonical = lookup(host)
    except NetworkError:
        return None
    if canonical.lower().startswith(f"{host.lower()}."):
        return Finding(
            subject=subject,
            what=f"it resolves only by this machine's search domain, as {canonical}",
            hint=f"write {canonical} everywhere: browsers and pods have other search domains",
        )
    return Finding(
        subject=subject,
        what="only this machine's hosts file knows it, the DNS does not",
        hint=f"add {host} to the internal DNS: users and pods don't have this file",
        severity="warning",
    )


def _not_full(host: str, subject: str) -> Finding | None:
    """Why a name is no full one (FQDN); a dot at the end says that it is one."""
    name = host.removesuffix(".")
    labels = name.split(".")
    hint = "write the full name with its domain, for example zenml.internal.mycompany.com"
    if is_address(host):
        return Finding(subject=subject, what="it is an IP address, expected a name", hint=hint)
    if not is_host(host):
        return Finding(subject=subject, what=f"{host!r} is no name of a host", hint=hint)
    if len(labels) == 1:
        return Finding(subject=subject, what="it has no domain: only a search domain could complete it", hint=hint)
    if labels[-1].lower() == "svc":
        what = "it is a service's short name, which only pods can complete"
        return Finding(subject=subject, what=what, hint=f"write {name}.cluster.local, or the ingress's full name")
    ending = labels[-1].lower()
    if len(labels) == 2 and not host.endswith(".") and len(ending) != 2 and ending not in _ENDINGS:
        return Finding(
            subject=subject,
            what=f"it is not a full name: browsers know no domain {ending!r} and search for it instead",
            hint=f"{hint}; if it really is complete, end it with a dot: {name}.",
        )
    return None
