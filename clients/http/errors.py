"""What went wrong in an HTTP exchange, said for people: refusals with the server's own words, faults of the network."""

import re
import socket
import ssl
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import urllib3
from urllib3 import exceptions

from bundle.errors import NetworkError, RegistryError, SourceError
from bundle.formats import strict_json
from clients.http.pace import SlowError
from clients.http.retry import TransientError

MAX_MESSAGE = 300  # characters of a server's own words

Fault = (exceptions.HTTPError, HTTPException, OSError)
"""What urllib3, http.client and the socket below raise while sending and reading."""

_XML_FIELD = re.compile(r"<(Code|Message)>([^<]*)</\1>")


def server_words(body: bytes, content_type: str) -> tuple[str, str]:
    """The error code and message in a refusal's body; both empty when it says nothing fit to show (an HTML page).

    Reads the distribution-spec's `errors` list, token servers' and object stores' forms, and plain text.
    """
    text = body.decode("utf-8", errors="replace").strip()
    if text.startswith("{"):
        try:
            data = strict_json.loads(text)
        except ValueError:
            return "", ""
        return _json_words(data)
    if "<Error>" in text:
        fields = dict(_XML_FIELD.findall(text))
        return fields.get("Code", ""), _clean(fields.get("Message", ""))
    if "html" in content_type.lower() or text.startswith("<"):
        return "", ""
    return "", _clean(text)


def _json_words(data: dict[str, object]) -> tuple[str, str]:
    errors = data.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else data
    if not isinstance(first, dict):
        return "", _clean(str(first))
    code = first.get("code")
    words = next((first[k] for k in ("message", "details", "error_description", "error") if first.get(k)), "")
    return code if isinstance(code, str) else "", _clean(words) if isinstance(words, str) else ""


def _clean(text: str) -> str:
    """One line without control characters (a terminal would obey them), of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}..."


def refusal(response: urllib3.BaseHTTPResponse, body: bytes, *, subject: str, host: str) -> RegistryError:
    """The error for a response that is no success."""
    code, message = server_words(body, response.headers.get("Content-Type", ""))
    try:
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
    except ValueError:
        status = str(response.status)
    words = ": ".join(word for word in (code, message) if word)
    hint = ""
    if response.status == 400 and "HTTPS server" in message:
        hint = f"remove plain_http of {host} under registries in the spec"
    what = f"{subject}: {host} answered {status}" + (f" ({words})" if words else "")
    return RegistryError(what, status=response.status, code=code, hint=hint, host=host)


def network_fault(
    err: Exception, *, subject: str, host: str, ca: Path | None = None, resumed: bool = False
) -> SourceError | TransientError:
    """What a fault of the network means: a final SourceError, or a TransientError when trying again may help.

    `ca` is the file with authorities that is declared for the host; `resumed` where another attempt goes on with the
    rest, so that an answer that came too slowly is worth one.
    """
    cause = _root_cause(err)
    if final := _tls_fault(cause, subject, host, ca):
        return final
    if isinstance(cause, SlowError):
        hint = f"run again later; {host} or the way to it is too slow"
        slow = NetworkError(f"{subject}: {host}: {cause}", hint=hint)
        return TransientError(slow, reason=f"{host}: {cause}", slow=True) if resumed else slow
    reason = _reason(err, cause)
    if isinstance(err, exceptions.ProxyError):
        refused = re.search(r"tunnel connection failed: (4\d\d.*)", str(cause), re.IGNORECASE)
        why = f"it answers {refused[1]}" if refused else reason
        error = NetworkError(
            f"{subject}: {host} can't be reached through the proxy: {why}",
            hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        )
        return error if refused else TransientError(error, reason=f"proxy: {why}")
    if final := _unknown_host(cause, subject, host):
        return final
    hint = "check that the host can be reached from here; what is finished is kept, so run again"
    error = NetworkError(f"{subject}: {host}: {reason}", hint=hint)
    return TransientError(error, reason=f"{host}: {reason}")


def _tls_fault(cause: BaseException, subject: str, host: str, ca: Path | None) -> NetworkError | None:
    """The fault, where it is one of certificates or of no TLS at all, which stay as they are."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        told = f"{subject}: the certificate of {host} is not trusted: {cause.verify_message}"
        if ca:
            shown = f"openssl s_client -showcerts -connect {host if ':' in host else f'{host}:443'} shows who signed it"
            told += f" (its `ca` under registries is {ca}, besides the system's)"
            return NetworkError(told, hint=f"check that {ca.name} holds the CA that signed it; {shown}")
        return NetworkError(
            told,
            hint="trust the CA that signed it on this machine (update-ca-certificates, or SSL_CERT_FILE=FILE); "
            f"where the bundle is made, the spec can name it: registries: {{{host}: {{ca: FILE}}}}",
        )
    if not isinstance(cause, ssl.SSLError):
        return None
    if cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return NetworkError(
            f"{subject}: {host} does not speak TLS",
            hint=f"if plain HTTP is wanted, declare it under registries in the spec: {host}: {{plain_http: true}}",
        )
    if "CERTIFICATE" in (cause.reason or ""):
        return NetworkError(
            f"{subject}: {host}: TLS failed: {cause.reason}",
            hint=f"name a client certificate: {host}: {{client_cert: FILE, client_key: FILE}}",
        )
    return None


def _unknown_host(cause: BaseException, subject: str, host: str) -> NetworkError | None:
    if not isinstance(cause, socket.gaierror) or cause.errno == socket.EAI_AGAIN:
        return None
    return NetworkError(
        f"{subject}: host {host} is not known ({cause.strerror})",
        hint="check the host's name, the DNS, and HTTPS_PROXY if this network needs a proxy",
    )


def _root_cause(err: BaseException) -> BaseException:
    """The innermost exception: the socket's or TLS's own."""
    inner = getattr(err, "original_error", None) or err.__cause__ or err.__context__
    if inner is None and err.args and isinstance(err.args[-1], BaseException):
        inner = err.args[-1]
    return _root_cause(inner) if isinstance(inner, BaseException) and inner is not err else err


def _reason(err: Exception, cause: BaseException) -> str:
    if isinstance(cause, TimeoutError) and isinstance(err, exceptions.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(cause, TimeoutError):
        return "nothing came in time, the connection stalls"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason or cause}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[0].lower() + cause.strerror[1:]
    return "the connection was cut"
