"""A Docker Engine (Engine API 1.32 and later, Podman's included): pull, tag, save, load, push, inspect, remove.

Several calls of the Engine report success with an error inside their stream, or with another image than was asked for;
here each is looked at again, and what is not as asked is an EngineError.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from docker import APIClient
from docker.utils.json_stream import json_stream

from bundle.errors import EngineError, FormatError
from bundle.formats.numbers import count
from bundle.meter import Meter
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import DOCKER_HUB, Reference
from bundle.storage.files import CHUNK
from clients.engine._client import Body
from clients.engine._connection import EngineConnection, messages
from clients.engine._hints import next_step
from clients.engine._host import find_engine
from clients.http.credentials import Credentials

_OLDEST = (1, 32)  # the API version that can be asked for a platform
_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")
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
            size=count(data.get("Size")),
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
        with self._connection.client(subject=subject) as client:
            version = str(client.get(f"{client.base_url}/_ping").headers.get("Api-Version", ""))  # ping() hides it
        found = _VERSION.fullmatch(version)
        if not found or (int(found[1]), int(found[2])) < _OLDEST:
            raise EngineError(
                f"{subject}: the Docker Engine at {self.place} speaks API {version or 'of no version'}, "
                f"expected {_OLDEST[0]}.{_OLDEST[1]} or later",
                hint="update the Docker daemon, or work without it: engine=none",
            )
        return version

    def inspect(self, name: str, *, subject: str) -> EngineImage | None:
        """The image of this name or ID; None where there is none."""
        try:
            with self._client(subject) as client:
                return EngineImage.from_dict(client.inspect_image(name))
        except EngineError as err:
            if err.status == 404:
                return None
            raise

    def ids(self, *, subject: str) -> frozenset[str]:
        """The IDs of all images."""
        with self._client(subject) as client:
            return frozenset(str(each["Id"]) for each in client.images(all=True) or ())

    def pull(
        self, reference: Reference, platform: Platform, *, subject: str, meter: Meter
    ) -> tuple[EngineImage, Digest | None]:
        """Pull a tag (`latest` without one) or a digest for a platform; with the digest, as far as the Engine tells it.

        An image of another platform, which an Engine takes without a word, is an EngineError.
        """
        wanted = str(reference.digest or reference.tag or "latest")
        name = f"{reference.repository}{'@' if reference.digest else ':'}{wanted}"
        progress, digest = LayerProgress(meter, subject, "Downloading"), reference.digest
        with self._explained(reference, subject):
            login = self._login(reference, subject)
            with self._client(subject) as client:
                said = client.pull(reference.repository, wanted, stream=True, auth_config=login, platform=str(platform))
                for message in messages(json_stream(said), subject):
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
        with self._client(subject) as client:
            client.tag(name, reference.repository, reference.tag or "latest")

    def save(self, name: str, *, subject: str) -> Iterator[bytes]:
        """The image as `docker save` gives it. The first byte may come late, and there is no bound on that."""
        with self._client(subject) as client:
            yield from client.get_image(name, CHUNK)

    def load(self, size: int, pieces: Iterator[bytes | memoryview], *, subject: str) -> None:
        """Give the Engine the tar of an image, `size` bytes. Look at the image then: not every error is told."""
        body = Body(size, pieces)
        with self._explained(None, subject), self._client(subject) as client:
            for _ in messages(client.load_image(body, quiet=True), subject):
                pass
        if not body.taken:
            raise self._connection.cut(subject)

    def push(self, reference: Reference, *, subject: str, meter: Meter) -> Digest:
        """Push what the Engine has under this name; returns the digest that the registry then has it under."""
        progress = LayerProgress(meter, subject, "Pushing")
        found = None
        with self._explained(reference, subject, pushes=True):
            login = self._login(reference, subject)
            with self._client(subject) as client:
                said = client.push(reference.repository, reference.tag or "latest", stream=True, auth_config=login)
                for message in messages(json_stream(said), subject):
                    progress.take(message)
                    told = _PUSHED.search(str(message.get("status")))  # Podman says it there only
                    found = (message.get("aux") or {}).get("Digest") or (told and told[1]) or found
        if found is None:
            raise EngineError(
                f"{subject}: the Docker Engine does not say that it pushed {reference}",
                hint="run the same command again; if it comes back, look into the Docker daemon's log",
            )
        return Digest.parse(str(found))

    def registry_digest(self, reference: Reference, *, subject: str) -> Digest | None:
        """What the registry has under a name, as the Engine sees it; None where it has nothing.

        An EngineError with the status NOT_OFFERED where the Engine can't be asked that, as Podman.
        """
        with self._explained(reference, subject):
            login = self._login(reference, subject)
            try:
                with self._client(subject) as client:
                    found = client.inspect_distribution(str(reference), login)
                    return Digest.parse(str(found["Descriptor"]["digest"]))
            except EngineError as err:
                if err.status == 404 and err.what.endswith(_NO_SUCH_CALL):
                    raise EngineError(err.what, status=NOT_OFFERED) from err
                if err.status == 404:
                    return None
                raise

    def remove(self, name: str, *, subject: str) -> None:
        """Take a name away, and the image with it when that was its last one. What it was built from stays."""
        with self._client(subject) as client:
            client.remove_image(name, noprune=True)

    @cached_property
    def _connection(self) -> EngineConnection:
        return EngineConnection(find_engine(self._environment))

    @cached_property
    def _version(self) -> str:
        return self.ping(subject="Docker Engine")

    def _client(self, subject: str) -> AbstractContextManager[APIClient]:
        return self._connection.client(subject=subject, version=self._version)

    @contextmanager
    def _explained(self, reference: Reference | None, subject: str, *, pushes: bool = False) -> Iterator[None]:
        """Give an Engine's refusal the next step that fits."""
        try:
            yield
        except EngineError as err:
            err.hint = err.hint or next_step(err.what.removeprefix(subject), reference, pushes=pushes)
            raise

    def _login(self, reference: Reference, subject: str) -> dict[str, str]:
        """The user's login for the registry, as Engines take it; an empty one where there is none, or the SDK looks."""
        found, host = self._credentials.find(reference.host, reference.path, subject=subject), reference.host
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
            self._advance(layer, count(detail.get("current")))
        elif message.get("status") in _DONE and layer in self._sizes:
            self._advance(layer, self._sizes[layer])

    def _advance(self, layer: str, current: int) -> None:
        """An Engine may count back (it tries again) or beyond the size (it counts what a tar adds)."""
        at, told = min(current, self._sizes[layer]), self._told.get(layer, 0)
        if at > told:
            self._told[layer] = at
            self._meter.advance(self._subject, at - told)
