"""Whether this machine has the space, and the registries the readiness, for what will be brought to them."""

import contextlib
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from bundle.errors import (
    AirgapError,
    NetworkError,
    RegistryError,
    SourceError,
    existing_place,
    free_space,
    storage_errors,
)
from bundle.formats.sizes import human
from bundle.meter import Meter
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import DOCKER_HUB, Reference
from clients.http.addresses import address, origin
from clients.http.auth import Authenticator, RepositoryAccess
from clients.http.credentials import Credential, Credentials
from clients.http.messages import Response
from clients.http.retry import RetryPolicy, TransientError
from clients.http.transport import Transport
from clients.preflight._endpoints import TIMEOUT
from clients.preflight.findings import Finding, Findings, finding_of
from clients.registry.hints import has_projects, login_command, next_push_step

_MAX_ANSWER = 64 * 1024  # bytes
_PATIENCE = 10.0  # seconds
_PATIENT = RetryPolicy(attempts=6, base=0.5, cap=4.0, longest_asked=TIMEOUT)  # 6 to 12 s in all
_UNSUPPORTED = 415  # the status for a media type that is not taken
_SHOWN = 3  # images
_HUB_ADDRESS = "registry-1.docker.io"


def disk(needed: Mapping[Path, int]) -> Findings:
    """Each file system has the bytes free that will be written to its paths, which need not exist yet."""
    wanted: dict[int, tuple[Path, int]] = {}
    for path, size in needed.items():
        with storage_errors("look at the free space", path):
            device = existing_place(path).stat().st_dev
        first, total = wanted.get(device, (path, 0))
        wanted[device] = (first, total + size)
    return tuple(finding for path, size in wanted.values() for finding in _space(path, size))


def registry(
    targets: Collection[Reference], *, hosts: Mapping[str, HostSettings], credentials: Credentials | None = None,
    environment: Mapping[str, str] | None = None, meter: Meter | None = None, retry: RetryPolicy = _PATIENT,
    kinds: Mapping[str, Sequence[str]] | None = None,
) -> Findings:  # fmt: skip
    """The registries of these repositories are reached, trusted, and take uploads: one is begun and cancelled.

    `kinds` are the media types of manifests that will be pushed, with the names of their images: each registry that
    takes uploads is asked once whether it takes them.

    One that restarts is waited for some seconds, which the meter is told.

    It is tried once for each project, the first part of a path, and host. `hosts` says how hosts are reached; the
    environment (default: the process's) leads to logins and proxies.
    """
    environment = os.environ if environment is None else environment
    transport = Transport(
        hosts, retry=retry, meter=meter, connect_timeout=TIMEOUT, read_timeout=2 * TIMEOUT, environment=environment
    )
    with transport:
        pushing = _Pushing(transport, Authenticator(transport, credentials or Credentials(environment)))
        return tuple(finding for target in _one_each(targets) for finding in pushing.findings(target, kinds or {}))


class _Pushing:
    """Tries to push, without leaving anything behind. A host that can't be reached is asked once."""

    def __init__(self, transport: Transport, authenticator: Authenticator) -> None:
        self._transport = transport
        self._authenticator = authenticator
        self._unreachable: set[str] = set()
        self._asked_kinds: set[str] = set()

    def findings(self, target: Reference, kinds: Mapping[str, Sequence[str]]) -> Findings:
        """What stands in the way of a push to this repository, and of manifests of these media types."""
        subject = f"registry {target.host}"
        if target.host in self._unreachable:
            return ()
        try:
            self._try(target, subject)
        except RegistryError as err:
            credential = self._authenticator.credential(target.host, target.path, subject=subject)
            hint = _next_step(target, err, credential) or err.hint
            what = f"can't push to {target.repository}: {err.what.removeprefix(f'{subject}: ')}"
            return (Finding(subject=subject, what=what, hint=hint),)
        except AirgapError as err:
            if isinstance(err, NetworkError):
                self._unreachable.add(target.host)
            found = finding_of(err, subject)
            return (replace(found, what=found.what.removeprefix(f"{target.host}: ")),)
        if target.host in self._asked_kinds:
            return ()
        self._asked_kinds.add(target.host)
        return tuple(
            _not_taken(target, kind, images) for kind, images in kinds.items() if not self._takes(target, kind, subject)
        )

    def _takes(self, target: Reference, kind: str, subject: str) -> bool:
        """Whether the registry takes manifests of this media type; True where its answer leaves that open.

        What is sent can't be stored: it is no manifest, and its name is the digest of other bytes. A registry that
        takes the type finds one of these, another the type (415).
        """
        url = f"{self._base(target)}manifests/{Digest.of(b'')}"
        try:
            self._transport.attempt(
                "PUT", url, subject=subject, headers={"Content-Type": kind}, body=b"{}", limit=_MAX_ANSWER,
                auth=self._access(target, subject),
            )  # fmt: skip
        except RegistryError as err:
            return err.status != _UNSUPPORTED
        except (AirgapError, TransientError):
            return True
        return True

    def _base(self, target: Reference) -> str:
        host = self._transport.base(_HUB_ADDRESS if target.host == DOCKER_HUB else target.host)
        return f"{host}/v2/{target.path}/"

    def _access(self, target: Reference, subject: str) -> RepositoryAccess:
        return self._authenticator.access(target.host, target.path, subject=subject, actions="pull,push")

    def _try(self, target: Reference, subject: str) -> None:
        """Begin an upload and cancel it (distribution-spec, "Pushing a blob" and "Cancel an upload")."""
        url = f"{self._base(target)}blobs/uploads/"
        access = self._access(target, subject)
        answer = self._answer(url, subject, access)
        location = answer.headers.get("Location", "")
        if answer.status != 202 or not location:
            raise SourceError(
                f"{subject}: it answers {answer.status} where a registry begins an upload",
                hint=f"check that {target.host} is a registry and not, for example, its web pages",
            )
        place = address(url, location, subject)
        own = access if origin(place) == origin(url) else None  # the login is for the registry only
        with contextlib.suppress(SourceError):  # what can't be cancelled, the registry itself drops in time
            self._transport.request("DELETE", place, subject=subject, limit=_MAX_ANSWER, auth=own)

    def _answer(self, url: str, subject: str, access: RepositoryAccess) -> Response:
        """Waits for a registry that restarts; one that keeps us waiting itself is given up earlier."""
        since = time.monotonic()
        for failures in count(1):
            try:
                return self._transport.attempt("POST", url, subject=subject, limit=_MAX_ANSWER, auth=access)
            except TransientError as fault:
                if time.monotonic() - since > _PATIENCE:
                    raise fault.error from fault
                self._transport.pause(subject, fault, failures)
        raise AssertionError


def _not_taken(target: Reference, kind: str, images: Sequence[str]) -> Finding:
    shown = ", ".join(repr(name) for name in images[:_SHOWN]) + (", ..." if len(images) > _SHOWN else "")
    return Finding(
        subject=f"registry {target.host}",
        what=f"it does not take manifests of the media type {kind} (415), as {len(images)} of the images have: {shown}",
        hint=next_push_step(target, _UNSUPPORTED, ""),
    )


def _next_step(target: Reference, err: RegistryError, credential: Credential) -> str:
    """What to do about a refused push."""
    login, project = login_command(target.host), target.path.partition("/")[0]
    if err.status == 401 and credential.is_anonymous:
        return f"log in: {login}"
    right = f"ask for the right to push to {project!r} on {target.host} for {credential.username or 'this login'}"
    steps = {
        401: f"check the login from {credential.origin}, or {right}; log in anew with: {login}",
        403: f"{right}, or log in with another account: {login}",
        404: f"create the project or repository {project!r} on {target.host}, or correct the prefix",
        405: f"{target.host} takes no pushes, as a mirror or in maintenance: name the registry that does",
        429: f"{target.host} limits how often it may be asked: run this again later, or have the limit raised",
        507: f"{target.host} is full: free some space there",
    }
    faulty = f"check the log and the free space of {target.host}: the fault is on its side"
    return steps.get(err.status, faulty if err.status >= 500 else "")


def _one_each(targets: Iterable[Reference]) -> tuple[Reference, ...]:
    """The first repository of each host and project, and every one where there are no projects."""
    first: dict[tuple[str, str], Reference] = {}
    for target in sorted(targets):
        scope = target.path.partition("/")[0] if has_projects(target.host) else target.path
        first.setdefault((target.host, scope), target)
    return tuple(first.values())


def _space(path: Path, size: int) -> Findings:
    with storage_errors("look at the free space", path):
        free, file_system = free_space(path)
    if free >= size:
        return ()
    hint = f"free {human(size - free)} there, or choose another place with state=DIR"
    return (
        Finding(
            subject=f"disk {path}",
            what="not enough free space",
            expected=f"{human(size)} free",
            observed=f"{human(free)} on {file_system}",
            hint=hint,
        ),
    )
