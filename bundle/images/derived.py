"""An image made of another by one more layer, without an engine (OCI image-spec config.md and manifest.md).

The base's layers are named as they are, so a registry that has the base lacks only some small blobs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bundle.errors import FormatError, SourceError
from bundle.formats import strict_json
from bundle.formats.x509 import Authority
from bundle.images.layers.ca_layer import SUFFIXES, CaLayer, ca_layer
from bundle.images.layers.files import LayeredFiles
from bundle.meter import Meter, SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.image import ImageSource, Manifest
from bundle.transfer.platforms import is_image

RECIPE = 1  # changes when the same base and authorities come to give another image
_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_BASE_DIGEST = "org.opencontainers.image.base.digest"  # image-spec annotations.md
_CREATED_BY = "airgap: add_ca"
_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedImage:
    """`root` is its manifest or index; `blobs` are the parts that its base does not have, manifests among them.

    `notes` tell what was found in the base, one line for each platform.
    """

    root: Descriptor
    blobs: Mapping[Digest, bytes]
    notes: tuple[str, ...] = ()


class DerivedSource:
    """A derived image as an ImageSource: its own parts from memory, all others from its base."""

    def __init__(self, image: DerivedImage, base: ImageSource) -> None:
        self._image = image
        self._base = base

    def resolve(self) -> Descriptor:
        """The descriptor of the derived image."""
        return self._image.root

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's or index's bytes."""
        made = self._image.blobs.get(descriptor.digest)
        return self._base.manifest(descriptor) if made is None else made

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on."""
        made = self._image.blobs.get(descriptor.digest)
        if made is None:
            yield from self._base.read(descriptor, offset)
        else:
            yield made[offset:]


def derive_image(
    base: ImageSource,
    root: Descriptor,
    authorities: Sequence[Authority],
    *,
    subject: str,
    meter: Meter | None = None,
) -> DerivedImage:
    """Make the image that trusts `authorities` besides those of its base; all platforms of an index are derived.

    The same base and authorities give the same digest. SourceError for a base that is no image or can't be read.
    """
    made = _Making(base, authorities, subject, meter or SilentMeter())
    top = made.load(root)
    return made.finished(made.index(top) if top.is_index else made.image(top))


class _Making:
    """One derivation: its parts as they come about."""

    def __init__(self, base: ImageSource, authorities: Sequence[Authority], subject: str, meter: Meter) -> None:
        self._base = base
        self._authorities = authorities
        self._subject = subject
        self._meter = meter
        self._blobs: dict[Digest, bytes] = {}
        self._notes: list[str] = []

    def load(self, descriptor: Descriptor) -> Manifest:
        """The base's manifest or index."""
        raw = self._base.manifest(descriptor)
        try:
            return Manifest.parse(raw, media_type=descriptor.media_type, digest=descriptor.digest)
        except FormatError as err:
            raise SourceError(f"{self._subject}: {err.what}", hint=err.hint) from err

    def finished(self, root: Descriptor) -> DerivedImage:
        """All that was made."""
        return DerivedImage(root=root, blobs=self._blobs, notes=tuple(self._notes))

    def index(self, top: Manifest) -> Descriptor:
        """Each platform's image derived; attestations are left out, as they are about the base's."""
        entries = []
        for entry, child in zip(top.entries, top.manifests, strict=True):
            if is_image(child):
                base = self.load(child)
                made = self.index(base) if base.is_index else self.image(base)
                platform = {"platform": entry["platform"]} if entry.get("platform") else {}
                entries.append({**made.to_dict(), **platform})
        if not entries:
            raise SourceError(f"{self._subject}: its base is an index that names no platform's image")
        return self._json({"schemaVersion": 2, "mediaType": top.media_type, "manifests": entries}, top.media_type)

    def image(self, manifest: Manifest) -> Descriptor:
        """One platform's image derived."""
        if manifest.config.media_type not in media_types.IMAGE_CONFIGS:
            raise SourceError(
                f"{self._subject}: its base holds no image but {manifest.config.media_type}",
                hint="derive from an image that containers run",
            )
        config = self._config(manifest.config)
        layer = self._layer(manifest)
        tar_type = (
            media_types.DOCKER_LAYER if manifest.media_type == media_types.DOCKER_MANIFEST else media_types.OCI_LAYER
        )
        diff = self._blob(layer.tar, tar_type)
        made = self._json(_changed(config, layer, diff.digest), manifest.config.media_type)
        data = {**manifest.data, "config": made.to_dict(), "layers": [*(manifest.data["layers"] or ()), diff.to_dict()]}
        if manifest.media_type == media_types.OCI_MANIFEST:
            data["annotations"] = {**(manifest.data.get("annotations") or {}), _BASE_DIGEST: str(manifest.digest)}
        return self._json(data, manifest.media_type)

    def _layer(self, manifest: Manifest) -> CaLayer:
        self._meter.expect(self._subject, sum(layer.size for layer in manifest.layers), len(manifest.layers))
        files = LayeredFiles.read(
            self._base, manifest.layers, suffixes=SUFFIXES, subject=self._subject, meter=self._meter
        )
        layer = ca_layer(files, self._authorities)
        places = ", ".join(layer.changed)
        self._notes.append(f"added to {places}" if layer.found else f"its base has no certificates: {places} made")
        return layer

    def _config(self, descriptor: Descriptor) -> dict[str, Any]:
        if descriptor.size > _MAX_CONFIG:
            raise SourceError(
                f"{self._subject}: its base's config has {descriptor.size} bytes, more than {_MAX_CONFIG}"
            )
        raw = b"".join(self._base.read(descriptor, 0))
        if not descriptor.digest.matches(raw):
            raise SourceError(
                f"{self._subject}: its base's config does not have its digest {descriptor.digest}",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )
        try:
            data = strict_json.decode(raw, "its base's config")
        except FormatError as err:
            raise SourceError(f"{self._subject}: {err.what}") from err
        if not isinstance(data, dict) or not isinstance(data.get("rootfs"), dict):
            raise SourceError(f"{self._subject}: its base's config tells no rootfs")
        return data

    def _json(self, data: Mapping[str, Any], media_type: str) -> Descriptor:
        return self._blob(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), media_type)

    def _blob(self, data: bytes, media_type: str) -> Descriptor:
        digest = Digest.of(data)
        self._blobs[digest] = data
        return Descriptor(media_type=media_type, digest=digest, size=len(data))


def _changed(config: Mapping[str, Any], layer: CaLayer, diff_id: Digest) -> dict[str, Any]:
    """The config with the layer, the variables, and a step of history that is dated as the base, to be the same again.

    A base whose history does not tell of each layer keeps it as it is: one more step would be told of the wrong one.
    """
    run = dict(config.get("config") or {})
    run["Env"] = _with_variables(run.get("Env") or [], layer.bundle)
    rootfs = config["rootfs"]
    before = list(rootfs.get("diff_ids") or [])
    changed = {**config, "config": run, "rootfs": {**rootfs, "diff_ids": [*before, str(diff_id)]}}
    history = config.get("history") or []
    if sum(not step.get("empty_layer") for step in history) == len(before):
        step = {"created": config["created"]} if "created" in config else {}
        changed["history"] = [*history, {**step, "created_by": _CREATED_BY}]
    return changed


def _with_variables(env: Sequence[str], bundle: str) -> list[str]:
    kept = [each for each in env if each.partition("=")[0] not in _VARIABLES]
    return [*kept, *(f"{name}={bundle}" for name in _VARIABLES)]
