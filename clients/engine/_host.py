"""Which Docker Engine is meant, as the `docker` command finds it: DOCKER_HOST, a context, or the usual socket."""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bundle.errors import EngineError
from bundle.formats import strict_json
from bundle.storage.files import read_small
from clients.http.tls import client_context

USUAL_SOCKET = "/var/run/docker.sock"
_PLAIN_PORT, _TLS_PORT = 2375, 2376
_HINT = "set DOCKER_HOST to unix:///PATH or tcp://HOST:PORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """How an Engine is trusted and shown who asks; `verify` is False where its context says so."""

    ca: Path | None
    certificate: Path | None
    key: Path | None
    verify: bool = True

    def context(self, subject: str) -> ssl.SSLContext:
        """Ready to connect; an EngineError for files that can't be used."""
        try:
            context = client_context(ca=self.ca, certificate=self.certificate, key=self.key)
        except OSError as err:  # ssl.SSLError is one too
            files = ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file)
            raise EngineError(
                f"{subject}: its certificates can't be used ({files}): {err.strerror or err}",
                hint="give PEM files ca.pem, cert.pem and an unencrypted key.pem in DOCKER_CERT_PATH",
            ) from err
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHost:
    """A Unix socket (`socket`), or `host` and `port` with or without TLS. `origin` says who named it."""

    socket: Path | None = None
    host: str = ""
    port: int = 0
    tls: TlsFiles | None = None
    origin: str

    def __str__(self) -> str:
        return f"unix://{self.socket}" if self.socket else f"tcp://{self.host}:{self.port}"


def find_engine(environment: Mapping[str, str]) -> EngineHost:
    """The Engine that `docker` would use with this environment.

    DOCKER_HOST goes first (with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH), then DOCKER_CONTEXT, then the current context
    of docker's config, then the usual socket, or that of a rootless Engine where only that one is there. An
    EngineError says what of it can't be used.
    """
    config = _config_directory(environment)
    if host := environment.get("DOCKER_HOST"):
        verify = bool(environment.get("DOCKER_TLS_VERIFY"))
        files = _tls_files(Path(environment.get("DOCKER_CERT_PATH") or config)) if verify else None
        return _parse(host, files, "DOCKER_HOST")
    name = environment.get("DOCKER_CONTEXT") or _current_context(config)
    if name and name != "default":
        return _context(name, config)
    rootless = Path(environment.get("XDG_RUNTIME_DIR") or "/nonexistent", "docker.sock")
    usual = Path(USUAL_SOCKET)
    return EngineHost(socket=rootless if rootless.exists() and not usual.exists() else usual, origin="the usual socket")


def _parse(text: str, tls: TlsFiles | None, origin: str) -> EngineHost:
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise EngineError(f"{origin}: {text!r} is not the address of a Docker Engine", hint=_HINT)
    match scheme:
        case "unix" if rest.startswith("/"):
            return EngineHost(socket=Path(rest), origin=origin)
        case "tcp" | "http" | "https":
            trusted = TlsFiles(ca=None, certificate=None, key=None) if scheme == "https" else None
            return _tcp(text, tls or trusted, origin)
        case "ssh":
            raise EngineError(
                f"{origin}: a Docker daemon behind ssh ({text}) is not talked to directly",
                hint=f"forward its socket: ssh -nNT -L /tmp/engine.sock:{USUAL_SOCKET} {rest.partition('/')[0]}, "
                "and set DOCKER_HOST=unix:///tmp/engine.sock",
            )
    raise EngineError(f"{origin}: {text!r} is not an address that can be used here", hint=_HINT)


def _tcp(text: str, tls: TlsFiles | None, origin: str) -> EngineHost:
    parts = urlsplit(text)
    try:
        port = parts.port or (_TLS_PORT if tls else _PLAIN_PORT)
    except ValueError as err:
        raise EngineError(f"{origin}: {text!r} has no valid port", hint=_HINT) from err
    name = parts.hostname or ""
    if not _is_name(name) or parts.path.strip("/") or parts.username:
        raise EngineError(f"{origin}: {text!r} is not HOST:PORT of a Docker Engine", hint=_HINT)
    return EngineHost(host=name, port=port, tls=tls, origin=origin)


def _is_name(text: str) -> bool:
    """Whether a resolver can be asked for it."""
    try:
        return bool(text.encode("idna")) and not any(letter.isspace() for letter in text)
    except UnicodeError:
        return False


def _config_directory(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/", ".docker"))


def _current_context(config: Path) -> str:
    try:
        data = strict_json.loads(read_small(config / "config.json") or b"{}")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not JSON"
        raise EngineError(
            f"docker's config {config / 'config.json'} can't be read: {reason}", hint="fix it, or set DOCKER_HOST"
        ) from err
    return str(data.get("currentContext") or "") if isinstance(data, dict) else ""


def _context(name: str, config: Path) -> EngineHost:
    """A context as `docker context create` stores it, below the digest of its name."""
    origin = f"docker context {name!r}"
    place = hashlib.sha256(name.encode()).hexdigest()
    file = config / "contexts" / "meta" / place / "meta.json"
    try:
        data: Any = strict_json.loads(read_small(file))
        endpoint = data["Endpoints"]["docker"]
        host, skip = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
    except FileNotFoundError as err:
        raise EngineError(f"{origin} does not exist", hint="see `docker context ls`, or set DOCKER_HOST") from err
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise EngineError(f"{origin} can't be read from {file}", hint="make it anew, or set DOCKER_HOST") from err
    certificates = config / "contexts" / "tls" / place / "docker"
    secured = skip or certificates.is_dir()
    return _parse(host, _tls_files(certificates, verify=not skip) if secured else None, origin)


def _tls_files(directory: Path, *, verify: bool = True) -> TlsFiles:
    """The files that are there under the names that docker gives them."""
    ca, certificate, key = (
        path if path.exists() else None for path in (directory / f"{name}.pem" for name in ("ca", "cert", "key"))
    )
    return TlsFiles(ca=ca, certificate=certificate, key=key, verify=verify)
