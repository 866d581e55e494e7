"""What files and chart repositories on the web have in common: logins, next steps, and how addresses are shown."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from bundle.errors import RegistryError, SourceError
from clients.http.auth import RepositoryAccess
from clients.registry.hints import login_command
from clients.registry.repository import Registries


def access_to(url: str, registries: Registries, *, subject: str) -> RepositoryAccess:
    """The user's login for the address's host, as for a registry there; sent only when the host asks for one.

    An address that carries a login itself is a SourceError: it would end up in the lock and the bundle.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise SourceError(
            f"{subject}: the address carries a user or password, which would get into the bundle",
            hint=f"write it without what stands before the @, and log in instead: {login_command(_host(url))}",
        )
    return registries.authenticator.access(parts.netloc, parts.path.strip("/"), subject=subject)


@contextmanager
def next_steps(url: str, hints: Mapping[int, str]) -> Iterator[None]:
    """Add the next step to a refusal that has none: by HTTP status from `hints`, or where to log in."""
    login = f"if it is private, log in: {login_command(_host(url))}; or fetch it yourself and name its path"
    try:
        yield
    except RegistryError as err:
        err.hint = err.hint or {401: login, 403: login, **hints}.get(err.status, "")
        raise


def shown(url: str) -> str:
    """An address as messages show it: without its query, which may hold a signature."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
