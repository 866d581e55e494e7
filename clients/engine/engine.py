"""A Docker Engine (Engine API 1.32 and later, Podman's included): pull, tag, save, load, push, inspect, remove.

Several calls of the Engine report success with an error inside their stream, or with another image than was asked for;
here each is looked at again, and what is not as asked is an EngineError.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote

from bundle.errors import EngineError, FormatError
from bundle.meter import Meter
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import DOCKER_HUB, Reference
from clients.engine._connection import Answer, EngineConnection
from clients.engine._hints import next_step
from clients.engine._host import find_engine
from clients.http.credentials import Credential, Credentials

_OLDEST = (1, 32)  # the API version that can be asked for a platform
_VERSION = re.compile(r"(\d+)\.(\d+)")
_DIGEST = re.compile(r"Digest: (sha256:[0-9a-f]{64})")  # what a pull says near its end
_PUSHED = re.compile(r": digest: (sha256:[0-9a-f]{64}) size: ")  # what a push says at its end
_NO_SUCH_CALL = ("Not Found", "page not found")  # Podman's and Docker's words for a path that they do not know
NOT_OFFERED = 501  # the status of an EngineError for a call that this Engine does not have
_HUB_ADDRESS = "https://index.docker.io/v1/"  # the name under which Engines know a login at Docker Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image as the Engine has it, with its names in full and the digests that registries have it under.

    `layers` are its diff IDs, base first; `size` about its bytes, unpacked.
    """

    id: str
    names: tuple[str, ...]
    digests: tuple[Reference, ...]
    platform: Platform
    layers: tuple[str, ...]
    size: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the answer to an inspection."""
        layers = (data.get("RootFS") or {}).get("Layers") or ()
        return cls(
            id=str(data["Id"]),
            names=tuple(str(each) for each in _references(data.get("RepoTags") or ())),
            digests=tuple(_references(data.get("RepoDigests") or ())),
            platform=Platform.from_dict({key.lower(): data.get(key, "") for key in ("Os", "Architecture", "Variant")}),
            layers=tuple(str(layer) for layer in layers),
            size=int(data.get("Size") or 0),
        )


class Engine:
    """One Engine. Every call quotes its `subject` in errors. Safe for several threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """The environment says which Engine is meant and where docker's logins lie; nothing is connected to yet."""
        self._environment = environment
        self._credentials = Credentials(environment)

    @property
    def place(self) -> str:
        """The address, for messages and to tell Engines apart."""
        return str(self._connection.host)

    def ping(self, *, subject: str) -> str:
        """The version of its API; an EngineError where there is no Engine, or one that is too old."""
        with self._connection.request("GET", "/_ping", subject=subject) as answer:
            version = answer.header("Api-Version")
        found = _VERSION.fullmatch(version)
        if not found or (int(found[1]), int(found[2])) < _OLDEST:
            raise EngineError(
                f"{subject}: the Docker Engine at {self.place} speaks API {version or 'of no version'}, "
                f"expected {_OLDEST[0]}.{_OLDEST[1]} or later",
                hint="update the Engine, or work without it: engine=none",
            )
        return version

    def inspect(self, name: str, *, subject: str) -> EngineImage | None:
        """The image of this name or ID; None where there is none."""
        try:
            with self._ask("GET", f"/images/{quote(name)}/json", subject=subject) as answer:
                return EngineImage.from_dict(answer.json())
        except EngineError as err:
            if err.status == 404:
                return None
            raise

    def ids(self, *, subject: str) -> frozenset[str]:
        """The IDs of all images."""
        with self._ask("GET", "/images/json", subject=subject, query={"all": "1"}) as answer:
            return frozenset(str(each["Id"]) for each in answer.json() or ())

    def pull(
        self, reference: Reference, platform: Platform, *, subject: str, meter: Meter
    ) -> tuple[EngineImage, Digest | None]:
        """Pull a tag (`latest` without one) or a digest for a platform; with the digest, as far as the Engine tells it.

        An image of another platform, which an Engine takes without a word, is an EngineError.
        """
        wanted = str(reference.digest or reference.tag or "latest")
        name = f"{reference.repository}{'@' if reference.digest else ':'}{wanted}"
        query = {"fromImage": reference.repository, "tag": wanted, "platform": str(platform)}
        progress, digest = LayerProgress(meter, subject, "Downloading"), reference.digest
        with self._explained(reference, subject):
            headers = self._login(reference, subject)
            with self._ask("POST", "/images/create", subject=subject, query=query, headers=headers) as answer:
                for message in answer.messages():
                    progress.take(message)
                    if told := _DIGEST.fullmatch(str(message.get("status"))):
                        digest = Digest.parse(told[1])
        image = self.inspect(name, subject=subject)
        if image is None:
            raise EngineError(f"{subject}: the Docker Engine has no {name} after pulling it", hint="run it again")
        if not image.platform.satisfies(platform):
            raise EngineError(
                f"{subject}: the Docker Engine took the image for {image.platform}, expected {platform}",
                hint=f"set the image's platform to {image.platform}, or choose a tag that is built for {platform}",
            )
        # Podman does not say which one it pulled, but any digest that it noted in this repository is one of this image.
        noted = (each.digest for each in image.digests if each.repository == reference.repository)
        return image, digest or next(noted, None)

    def tag(self, name: str, reference: Reference, *, subject: str) -> None:
        """Give the image of this name or ID one more name."""
        query = {"repo": reference.repository, "tag": reference.tag or "latest"}
        with self._ask("POST", f"/images/{quote(name)}/tag", subject=subject, query=query):
            pass

    def save(self, name: str, *, subject: str) -> Iterator[bytes]:
        """The image as `docker save` gives it. The first byte may come late, and there is no bound on that."""
        with self._ask("GET", f"/images/{quote(name)}/get", subject=subject) as answer:
            yield from answer.chunks()

    def load(self, size: int, pieces: Iterator[bytes], *, subject: str) -> None:
        """Give the Engine the tar of an image, `size` bytes. Look at the image then: not every error is told."""
        headers = {"Content-Type": "application/x-tar"}
        query = {"quiet": "1"}
        with (
            self._explained(None, subject),
            self._ask(
                "POST", "/images/load", subject=subject, query=query, headers=headers, body=(size, pieces)
            ) as answer,
        ):
            for _ in answer.messages():
                pass

    def push(self, reference: Reference, *, subject: str, meter: Meter) -> Digest:
        """Push what the Engine has under this name; returns the digest that the registry then has it under."""
        progress = LayerProgress(meter, subject, "Pushing")
        found = None
        with self._explained(reference, subject, pushes=True):
            headers = self._login(reference, subject)
            place = f"/images/{quote(reference.repository)}/push"
            query = {"tag": reference.tag or "latest"}
            with self._ask("POST", place, subject=subject, query=query, headers=headers) as answer:
                for message in answer.messages():
                    progress.take(message)
                    said = _PUSHED.search(str(message.get("status")))  # Podman says it there only
                    found = (message.get("aux") or {}).get("Digest") or (said and said[1]) or found
        if found is None:
            raise EngineError(
                f"{subject}: the Docker Engine does not say that it pushed {reference}",
                hint="run the same command again; if it comes back, look into the Engine's log",
            )
        return Digest.parse(str(found))

    def registry_digest(self, reference: Reference, *, subject: str) -> Digest | None:
        """What the registry has under a name, as the Engine sees it; None where it has nothing.

        An EngineError with the status NOT_OFFERED where the Engine can't be asked that, as Podman.
        """
        with self._explained(reference, subject):
            headers = self._login(reference, subject)
            try:
                place = f"/distribution/{quote(str(reference))}/json"
                with self._ask("GET", place, subject=subject, headers=headers) as answer:
                    return Digest.parse(str(answer.json()["Descriptor"]["digest"]))
            except EngineError as err:
                if err.status == 404 and err.what.endswith(_NO_SUCH_CALL):
                    raise EngineError(err.what, status=NOT_OFFERED) from err
                if err.status == 404:
                    return None
                raise

    def remove(self, name: str, *, subject: str) -> None:
        """Take a name away, and the image with it when that was its last one. What it was built from stays."""
        with self._ask("DELETE", f"/images/{quote(name)}", subject=subject, query={"noprune": "1"}):
            pass

    @cached_property
    def _connection(self) -> EngineConnection:
        return EngineConnection(find_engine(self._environment))

    @cached_property
    def _prefix(self) -> str:
        return f"/v{self.ping(subject='Docker Engine')}"

    @contextmanager
    def _ask(
        self, method: str, path: str, *, subject: str, query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, body: tuple[int, Iterator[bytes]] | None = None,
    ) -> Iterator[Answer]:  # fmt: skip
        target = f"{self._prefix}{path}"
        with self._connection.request(
            method, target, subject=subject, query=query, headers=headers, body=body
        ) as answer:
            yield answer

    @contextmanager
    def _explained(self, reference: Reference | None, subject: str, *, pushes: bool = False) -> Iterator[None]:
        """Give an Engine's refusal the next step that fits."""
        try:
            yield
        except EngineError as err:
            err.hint = err.hint or next_step(err.what.removeprefix(subject), reference, pushes=pushes)
            raise

    def _login(self, reference: Reference, subject: str) -> Mapping[str, str]:
        """The user's login for the registry, as Engines take it; an empty one where there is none."""
        found = self._credentials.find(reference.host, reference.path, subject=subject)
        data = json.dumps(_login(found, reference.host)).encode()
        return {"X-Registry-Auth": base64.urlsafe_b64encode(data).decode()}


def _login(found: Credential, host: str) -> dict[str, str]:
    if found.is_anonymous:
        return {}
    address = {"serveraddress": _HUB_ADDRESS if host == DOCKER_HUB else host}
    if found.identity_token:
        return {"identitytoken": found.identity_token, **address}
    if found.registry_token:
        return {"registrytoken": found.registry_token, **address}
    return {"username": found.username, "password": found.password, **address}


def _references(texts: Iterable[str]) -> Iterator[Reference]:
    for text in texts:
        try:
            yield Reference.parse(text)
        except FormatError:
            continue  # "<none>@<none>" of images that have lost their name


_DONE = frozenset({"Download complete", "Pull complete", "Pushed"})


class LayerProgress:
    """Tells a meter what the messages about layers say; `doing` is the Engine's word for what is to be counted."""

    def __init__(self, meter: Meter, subject: str, doing: str) -> None:
        self._meter = meter
        self._subject = subject
        self._doing = doing
        self._sizes: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Count one message."""
        layer, detail = str(message.get("id") or ""), message.get("progressDetail") or {}
        if message.get("status") == self._doing and isinstance(detail.get("total"), int):
            if layer not in self._sizes:
                self._sizes[layer] = max(0, detail["total"])
                self._meter.expect(self._subject, self._sizes[layer], 1)
            self._advance(layer, int(detail.get("current") or 0))
        elif message.get("status") in _DONE and layer in self._sizes:
            self._advance(layer, self._sizes[layer])

    def _advance(self, layer: str, current: int) -> None:
        """An Engine may count back (it tries again) or beyond the size (it counts what a tar adds)."""
        at, told = min(current, self._sizes[layer]), self._told.get(layer, 0)
        if at > told:
            self._told[layer] = at
            self._meter.advance(self._subject, at - told)
