"""Whether a server's certificate will be trusted: chain, name and time, each fault by itself (RFC 5280, RFC 6125)."""

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import AirgapError, NetworkError, SourceError
from clients.preflight._endpoints import Endpoint, dial
from clients.preflight.findings import Finding, Findings, finding_of

_DAY = 86400.0  # seconds
_NO_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the ssl module does not name

# OpenSSL's verification results (x509_vfy.h).
_SELF_SIGNED = 18
_UNKNOWN_ROOT = 19
_MISSING_ISSUER = frozenset({2, 20, 21})


def tls(
    target: str, *, ca: Path | None = None, name: str = "", min_days: int = 0, now: Callable[[], float] = time.time
) -> Findings:
    """The certificate at `HOST[:PORT]` (443) is trusted, for `name` (default: the host), and valid for `min_days`.

    `ca` is trusted besides the system's CAs; `now` is in seconds since 1970.
    """
    subject = f"tls {target}"
    try:
        endpoint = Endpoint.parse(target, default_port=443)
        return certificate_findings(endpoint, subject=subject, ca=ca, name=name, min_days=min_days, now=now)
    except AirgapError as err:
        return (finding_of(err, subject),)


def certificate_findings(
    endpoint: Endpoint, *, subject: str, ca: Path | None = None, name: str = "", min_days: int = 0,
    now: Callable[[], float] = time.time,
) -> Findings:  # fmt: skip
    """What `tls` finds; a server that can't be reached or speaks no TLS is a NetworkError."""
    asked = _Asked(endpoint=endpoint, subject=subject, name=name or endpoint.host, ca=ca)
    try:
        details = asked.shake(trusting(ca))
    except ssl.SSLCertVerificationError as err:
        return tuple(asked.faults(err, now()))
    return tuple(asked.ending(details, min_days, now()))


def trusting(ca: Path | None) -> ssl.SSLContext:
    """Trusts the system's CAs and those in the file `ca`; a SourceError when it holds none."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except OSError as err:  # ssl.SSLError is one too
            reason = os.strerror(err.errno) if err.errno and not isinstance(err, ssl.SSLError) else "it is not PEM"
            raise SourceError(
                f"the CA file {ca} can't be used: {reason}", hint="give a file of PEM certificates"
            ) from err
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One server, asked as often as there are things to tell apart."""

    endpoint: Endpoint
    subject: str
    name: str
    ca: Path | None

    def shake(self, context: ssl.SSLContext, *, raw: bool = False) -> dict[str, Any]:
        """Shake hands; the certificate's details, or with `raw` only its DER under that name."""
        connection = dial(self.endpoint)
        try:
            with context.wrap_socket(connection, server_hostname=self.name) as secured:
                return {"raw": secured.getpeercert(binary_form=True)} if raw else dict(secured.getpeercert() or {})
        except ssl.SSLCertVerificationError:
            raise
        except OSError as err:  # ssl.SSLError is one too
            raise _no_handshake(err) from err
        finally:
            connection.close()

    def faults(self, err: ssl.SSLCertVerificationError, now: float) -> Iterator[Finding]:
        """All that is wrong with a certificate that was refused for `err`."""
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        leaf = self.shake(blind, raw=True)["raw"]
        details = self.shake(_only(leaf))
        found = [
            *self._chain(details),
            *self._name(leaf, details),
            *self.ending(details, 0, now),
        ]
        yield from found or [self._finding(f"its certificate is refused: {err.verify_message}", hint=_ISSUED_ANEW)]

    def ending(self, details: Mapping[str, Any], min_days: int, now: float) -> Iterator[Finding]:
        """Whether the certificate is valid now and for `min_days` more."""
        first, last = (ssl.cert_time_to_seconds(details[key]) for key in ("notBefore", "notAfter"))
        left = int((last - now) // _DAY)
        if now < first:
            yield self._finding(
                f"its certificate is not valid before {details['notBefore']}",
                hint="check this machine's clock, then the certificate",
            )
        elif now > last:
            yield self._finding(f"its certificate expired on {details['notAfter']}", hint=_ISSUED_ANEW)
        elif left < min_days:
            yield self._finding(
                f"its certificate ends on {details['notAfter']}",
                expected=f"at least {min_days} days left",
                observed=str(left),
                hint=_ISSUED_ANEW,
            )

    def _chain(self, details: Mapping[str, Any]) -> Iterator[Finding]:
        context = trusting(self.ca)
        context.check_hostname = False
        context.verify_flags |= _NO_TIME
        try:
            self.shake(context)
        except ssl.SSLCertVerificationError as err:
            yield self._untrusted(err, _common_name(details.get("issuer", ())))

    def _untrusted(self, err: ssl.SSLCertVerificationError, issuer: str) -> Finding:
        where = "name the CA in the check: ca: FILE" if self.ca is None else f"put the right CA into {self.ca}"
        by = f", signed by {issuer}" if issuer else ""
        if err.verify_code == _SELF_SIGNED:
            return self._finding(
                "its certificate is self-signed", hint="use one of the internal CA, or name it as its own CA: ca: FILE"
            )
        if err.verify_code == _UNKNOWN_ROOT:
            return self._finding(f"its certificate is from a CA that is not trusted here{by}", hint=where)
        if err.verify_code in _MISSING_ISSUER:
            return self._finding(
                f"its certificate's issuer is not known here{by}",
                hint=f"{where}; if that is there, the server must send the intermediate certificates too",
            )
        return self._finding(f"its certificate is not trusted: {err.verify_message}{by}", hint=where)

    def _name(self, leaf: bytes, details: Mapping[str, Any]) -> Iterator[Finding]:
        context = _only(leaf)
        context.check_hostname = True
        try:
            self.shake(context)
        except ssl.SSLCertVerificationError:
            names = ", ".join(value for _, value in details.get("subjectAltName", ()))
            yield self._finding(
                "its certificate is for other names",
                expected=self.name,
                observed=names or "no subject alternative name",
                hint=f"have it issued with {self.name} as subject alternative name, or use one of its names",
            )

    def _finding(self, what: str, *, hint: str, expected: str = "", observed: str = "") -> Finding:
        return Finding(subject=self.subject, what=what, expected=expected, observed=observed, hint=hint)


_ISSUED_ANEW = "have the certificate issued anew"


def _no_handshake(err: OSError) -> NetworkError:
    if not isinstance(err, ssl.SSLError) or isinstance(err, ssl.SSLEOFError):
        return NetworkError(
            "it takes connections, but gives no answer to the TLS handshake",
            hint="give its TLS port, or look at its log",
        )
    if err.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return NetworkError(
            "it takes connections, but does not speak TLS", hint="give its TLS port, or set TLS up there"
        )
    words = (err.reason or str(err)).replace("_", " ").lower()
    return NetworkError(f"the TLS handshake failed: {words}", hint="it must speak TLS 1.2 or later; look at its log")


def _only(leaf: bytes) -> ssl.SSLContext:
    """Trusts this one certificate, whoever signed it and whenever, so that its details can be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=leaf)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_TIME
    return context


def _common_name(names: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    fields = {key: value for part in names for key, value in part}
    return fields.get("commonName") or fields.get("organizationName", "")
