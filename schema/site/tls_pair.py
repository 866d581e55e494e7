"""Whether a site's certificate and key will serve: long enough, each of the hosts, to whoever trusts the site's CA."""

import ssl
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from bundle.errors import FormatError
from bundle.formats.x509 import Certificate
from bundle.secret import Secret
from schema.values.rendered import private_directory, write_private

_TIME = "%Y-%m-%d %H:%M UTC"
_NO_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the ssl module does not name


def check_pair(
    subject: str,
    certificate: Secret,
    key: Secret,
    *,
    now: datetime,
    hosts: Iterable[str] = (),
    min_days: int = 0,
    ca: str = "",
) -> None:
    """Refuse a PEM chain (the server's own certificate first) and key that would not serve now for all of `hosts`.

    `ca` are the PEM certificates that clients trust; without them it is not asked whether they trust the chain. A
    FormatError lists all that is wrong.
    """
    try:
        own = Certificate.parse_pem(certificate.reveal())
    except FormatError as err:
        raise FormatError(f"{subject}: 'certificate': {err.what}", hint=err.hint) from err
    problems = [*_fit(certificate, key, ca), *_time(own, now, min_days)]
    if uncovered := [host for host in hosts if not own.covers(host)]:
        names = ", ".join((*own.dns_names, *own.addresses)) or "nothing"
        problems.append(f"the certificate does not cover {', '.join(uncovered)}; it is made out to {names}")
    if problems:
        raise FormatError(f"{subject}: {'; '.join(problems)}", hint="give the matching, current pair from your CA")


def _fit(certificate: Secret, key: Secret, ca: str) -> Iterator[str]:
    """Whether the key is that of the certificate, and then whether the chain leads to the CA."""
    if "ENCRYPTED" in key.reveal():
        yield "the key is encrypted, and Kubernetes takes plain ones only (openssl pkey -in KEY -out PLAIN)"
        return
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with private_directory() as place:
        chain, private = place / "tls.crt", place / "tls.key"
        write_private(chain, certificate.reveal())
        write_private(private, key.reveal())
        try:
            serving.load_cert_chain(chain, private)
        except ssl.SSLError as err:
            if err.reason == "KEY_VALUES_MISMATCH":
                yield "the key does not belong to the certificate (the server's own must be the first of the chain)"
            else:
                yield f"the certificate and key can't be used: {err.reason or 'no PEM in one of them'}"
            return
    if ca:
        yield from _trust(serving, ca)


def _trust(serving: ssl.SSLContext, ca: str) -> Iterator[str]:
    """What a client that trusts nothing but the CA says to this server, in a handshake that stays in memory."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False  # names and times are told by themselves
    asking.verify_flags |= _NO_TIME
    try:
        asking.load_verify_locations(cadata=ca)
    except ssl.SSLError:
        yield "'ca' holds no PEM certificate"
        return
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = asking.wrap_bio(to_client, to_server)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as err:
            yield (
                f"the certificate is not trusted by the CA of the site: {err.verify_message}; "
                "it must be signed by it, and the file must hold the CAs in between too"
            )
            return
        except ssl.SSLError as err:
            yield f"the certificate and key can't be used: {err.reason}"
            return


def _time(own: Certificate, now: datetime, min_days: int) -> Iterator[str]:
    if own.not_after <= now:
        yield f"the certificate expired on {own.not_after.strftime(_TIME)}"
    elif own.not_before > now:
        yield f"the certificate is not valid before {own.not_before.strftime(_TIME)}; is this machine's clock right?"
    elif own.not_after - now < timedelta(days=min_days):
        left = (own.not_after - now).days
        yield f"the certificate expires on {own.not_after.strftime(_TIME)}, in {left} days; expected {min_days}"
