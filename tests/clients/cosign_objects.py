"""Signatures as cosign stores them, made with keys of our own (cosign's SIGNATURE_SPEC.md and BUNDLE_SPEC.md)."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.cosign import SIGN_PREDICATE, SIMPLE_SIGNING

SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def new_key(kind: str = "P-256") -> PrivateKey:
    """A new key of the kind: P-256, P-384, RSA-2048, RSA-1024 or Ed25519."""
    match kind:
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA-")))


def public_pem(key: PrivateKey) -> bytes:
    """What cosign.pub holds."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_public(key: PrivateKey, path: Path) -> Path:
    """The same in a file."""
    path.write_bytes(public_pem(key))
    return path


def sign(key: PrivateKey, data: bytes) -> str:
    """The signature over `data`, as cosign writes it."""
    match key:
        case ec.EllipticCurvePrivateKey():
            value = key.sign(data, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            value = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case _:
            value = key.sign(data)
    return base64.b64encode(value).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest with its blobs."""

    raw: bytes
    blobs: Mapping[Digest, bytes]

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(self.raw), size=len(self.raw))


def simple(key: PrivateKey, digest: Digest, *, payload: bytes | None = None, signed: bytes | None = None) -> Artifact:
    """cosign's older object; `payload` instead of the right one, or `signed` instead of what lies there."""
    claims = {
        "critical": {
            "identity": {"docker-reference": "example.com/team/app"},
            "image": {"docker-manifest-digest": str(digest)},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    stored = payload if payload is not None else json.dumps(claims).encode()
    value = sign(key, stored if signed is None else signed)
    return artifact(SIMPLE_SIGNING, stored, annotations={"dev.cosignproject.cosign/signature": value})


def bundled(
    key: PrivateKey, digest: Digest, *, predicate: str = SIGN_PREDICATE, subject: Digest | None = None
) -> Artifact:
    """cosign's present object, a Sigstore bundle that refers to `subject` (default: to what it signs)."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {digest.algorithm: digest.hex}, "annotations": {}}],
        "predicateType": predicate,
        "predicate": {},
    }
    payload, kind = json.dumps(statement).encode(), "application/vnd.in-toto+json"
    encoded = b"DSSEv1 " + f"{len(kind)} {kind} {len(payload)} ".encode() + payload
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"sig": sign(key, encoded)}],
    }
    bundle = {
        "mediaType": SIGSTORE_BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": envelope,
    }
    return referring(subject or digest, SIGSTORE_BUNDLE, json.dumps(bundle).encode())


def referring(subject: Digest, kind: str, data: bytes = b"{}") -> Artifact:
    """An artifact of this type that holds one blob and refers to a manifest."""
    about = {"mediaType": media_types.OCI_MANIFEST, "digest": str(subject), "size": 1}
    return artifact(kind, data, config=b"{}", artifactType=kind, subject=about, annotations_of={"made": "by a test"})


def artifact(
    kind: str,
    data: bytes,
    *,
    config: bytes = b'{"architecture": "", "os": ""}',
    annotations: Mapping[str, str] | None = None,
    annotations_of: Mapping[str, str] | None = None,
    **more: Any,
) -> Artifact:
    """A manifest with one layer of this type; `annotations` are the layer's, `annotations_of` the manifest's."""
    config_type = media_types.OCI_EMPTY if config == b"{}" else media_types.OCI_CONFIG
    layer = Descriptor(media_type=kind, digest=Digest.of(data), size=len(data), annotations=dict(annotations or {}))
    described = Descriptor(media_type=config_type, digest=Digest.of(config), size=len(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": described.to_dict(),
        "layers": [layer.to_dict()],
        **({"annotations": dict(annotations_of)} if annotations_of else {}),
        **more,
    }
    return Artifact(raw=json.dumps(manifest).encode(), blobs={layer.digest: data, described.digest: config})
