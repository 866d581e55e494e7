"""Connections to hosts as the spec's `registries` declares them: TLS, plain HTTP, proxies, kept alive in pools."""

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import urllib3
from urllib3.exceptions import ProxySchemeUnknown
from urllib3.util import Url, make_headers, parse_url

from bundle.errors import SourceError
from bundle.oci.locations import HostSettings
from clients.http._proxies import Proxies
from clients.http.pace import Pace, keep_pace
from clients.http.tls import client_context

_HOSTS = 64  # hosts whose connections are kept
_DEFAULT_PORTS = {"https": 443, "http": 80}

_Key = tuple[Path | None, Path | None, Path | None, str, bool]


class Connections:
    """Pools of connections, shared by all threads; hosts with the same certificates and proxy share one manager."""

    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        *,
        pool_size: int,
        timeout: urllib3.Timeout,
        pace: Pace,
        environment: Mapping[str, str],
    ) -> None:
        self._pool_size = pool_size
        self._hosts = {host.lower(): settings for host, settings in hosts.items()}
        self._timeout = timeout
        self._pace = pace
        self._proxies = Proxies.from_environment(environment)
        self._managers: dict[_Key, urllib3.PoolManager] = {}
        self._guard = threading.Lock()

    def settings(self, host: str) -> HostSettings:
        """What is declared for `host[:port]`; a default port may be written or left out."""
        host = host.lower()
        name, _, port = host.rpartition(":")
        names = (host, name) if port in ("443", "80") else (host, f"{host}:443", f"{host}:80")
        return next((self._hosts[name] for name in names if name in self._hosts), HostSettings())

    def pool(self, url: Url, *, subject: str) -> urllib3.PoolManager:
        """What sends a request to this address; plain HTTP that nobody declared is a SourceError."""
        host, port = url.host or "", url.port or _DEFAULT_PORTS.get(url.scheme or "", 0)
        if not host or url.scheme not in _DEFAULT_PORTS:
            raise SourceError(
                f"{subject}: {url.scheme}://{host} is not an address of the web", hint="write https://HOST/PATH"
            )
        named = f"{host}:{url.port}" if url.port else host
        settings = self.settings(named)
        if url.scheme == "http" and not settings.plain_http:
            raise SourceError(
                f"{subject}: {named} would be reached over plain HTTP, without TLS",
                hint=f"if that is wanted, declare it under registries in the spec: {named}: {{plain_http: true}}",
            )
        proxy = self._proxies.choose(url.scheme, host, port)
        encrypted = url.scheme == "https" or proxy.startswith("https:")
        key = (settings.ca, settings.client_cert, settings.client_key, proxy, encrypted)
        with self._guard:
            if key not in self._managers:
                # To read the system's authorities takes as long as many small requests.
                context = _tls(settings, subject=subject, host=named) if encrypted else None
                self._managers[key] = self._manager(proxy, context, subject=subject)
                keep_pace(self._managers[key], self._pace)
            return self._managers[key]

    def close(self) -> None:
        """Close all idle connections."""
        with self._guard:
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()

    def _manager(self, proxy: str, context: ssl.SSLContext | None, *, subject: str) -> urllib3.PoolManager:
        if not proxy:
            return urllib3.PoolManager(_HOSTS, maxsize=self._pool_size, timeout=self._timeout, ssl_context=context)
        user = parse_url(proxy).auth
        try:
            return urllib3.ProxyManager(
                proxy, _HOSTS, maxsize=self._pool_size, timeout=self._timeout, ssl_context=context,
                proxy_headers=make_headers(proxy_basic_auth=user) if user else None,
            )  # fmt: skip
        except ProxySchemeUnknown as err:
            raise SourceError(
                f"{subject}: the proxy that the environment names is neither http nor https",
                hint="set HTTPS_PROXY to http://HOST:PORT, or name the host in NO_PROXY",
            ) from err


def _tls(settings: HostSettings, *, subject: str, host: str) -> ssl.SSLContext:
    """The system's CAs and the declared one, and the client certificate if there is one."""
    try:
        context = client_context(ca=settings.ca, certificate=settings.client_cert, key=settings.client_key)
    except OSError as err:  # ssl.SSLError is one too
        files = ", ".join(str(file) for file in (settings.ca, settings.client_cert, settings.client_key) if file)
        raise SourceError(
            f"{subject}: the certificates declared for {host} can't be used ({files}): {err.strerror or err}",
            hint="give PEM files: ca, and client_cert with its unencrypted client_key",
        ) from err
    return context
