"""Whether a certificate and its key can serve: they belong together, the time is right, the hosts are covered."""

import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta

from bundle.errors import FormatError
from bundle.formats.x509 import Certificate
from bundle.secret import Secret
from schema.values.rendered import private_directory, write_private

_TIME = "%Y-%m-%d %H:%M UTC"


def check_pair(
    subject: str, certificate: Secret, key: Secret, *, now: datetime, hosts: Iterable[str] = (), min_days: int = 0
) -> None:
    """Refuse a PEM chain (the server's own certificate first) and key that would not work now for all of `hosts`.

    A FormatError lists all that is wrong. Whether clients trust the chain is not asked.
    """
    try:
        own = Certificate.parse_pem(certificate.reveal())
    except FormatError as err:
        raise FormatError(f"{subject}: 'certificate': {err.what}", hint=err.hint) from err
    problems = [_fit(certificate, key), *_time(own, now, min_days)]
    if uncovered := [host for host in hosts if not own.covers(host)]:
        names = ", ".join((*own.dns_names, *own.addresses)) or "nothing"
        problems.append(f"the certificate does not cover {', '.join(uncovered)}; it is made out to {names}")
    if found := [problem for problem in problems if problem]:
        raise FormatError(f"{subject}: {'; '.join(found)}", hint="give the matching, current pair from your CA")


def _fit(certificate: Secret, key: Secret) -> str:
    if "ENCRYPTED" in key.reveal():
        return "the key is encrypted, and Kubernetes takes plain ones only (openssl pkey -in KEY -out PLAIN)"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with private_directory() as place:
        chain, private = place / "tls.crt", place / "tls.key"
        write_private(chain, certificate.reveal())
        write_private(private, key.reveal())
        try:
            context.load_cert_chain(chain, private)
        except ssl.SSLError as err:
            if err.reason == "KEY_VALUES_MISMATCH":
                return "the key does not belong to the certificate (the server's own must be the first of the chain)"
            return f"the certificate and key can't be used: {err.reason or 'no PEM in one of them'}"
    return ""


def _time(own: Certificate, now: datetime, min_days: int) -> list[str]:
    if own.not_after <= now:
        return [f"the certificate expired on {own.not_after.strftime(_TIME)}"]
    if own.not_before > now:
        return [f"the certificate is not valid before {own.not_before.strftime(_TIME)}; is this machine's clock right?"]
    if own.not_after - now < timedelta(days=min_days):
        left = (own.not_after - now).days
        return [f"the certificate expires on {own.not_after.strftime(_TIME)}, in {left} days; expected {min_days}"]
    return []
