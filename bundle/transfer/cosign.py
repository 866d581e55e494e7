"""Signatures as cosign stores them, read and not yet checked: who signed which digest, and over which bytes.

Its older format is a simple-signing payload with the signature beside it in an annotation (cosign's
SIGNATURE_SPEC.md). The present one is a Sigstore bundle with a DSSE envelope over an in-toto statement (cosign's
BUNDLE_SPEC.md; DSSE's protocol.md). Both name the digest of what is signed.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bundle.errors import FormatError
from bundle.formats.fields import Fields
from bundle.oci.descriptor import Descriptor
from bundle.transfer.image import Manifest

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_IN_TOTO = "application/vnd.in-toto+json"
_SIMPLE_TYPE = "cosign container image signature"
MAX_SIGNATURE = 1024 * 1024  # bytes of a payload or bundle; real ones have a few thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature `value` over the bytes `signed`, which say that they are for the image manifests `digests`."""

    value: bytes
    signed: bytes
    digests: frozenset[str]


def signatures(manifest: Manifest, read: Callable[[Descriptor], bytes]) -> Iterator[Signature]:
    """The signatures of images that a manifest of cosign's holds; none in what is something else.

    `read` gives a layer's bytes, checked. What is not well-formed is a FormatError: of that layer nothing is used.
    Attestations, which say something of an image and do not vouch for it, are no signatures.
    """
    for layer in () if manifest.is_index else manifest.layers:
        simple = layer.media_type == SIMPLE_SIGNING and layer.annotations.get(_SIGNATURE)
        if not simple and not layer.media_type.startswith(SIGSTORE_BUNDLE):
            continue
        if layer.size > MAX_SIGNATURE:
            raise FormatError(f"a signature has {layer.size} bytes, expected at most {MAX_SIGNATURE}")
        raw = read(layer)
        if simple:
            yield _simple(raw, layer.annotations[_SIGNATURE])
        else:
            yield from _enveloped(Fields.decode(raw, "the Sigstore bundle").object("dsseEnvelope"))


def _simple(payload: bytes, value: str) -> Signature:
    critical = Fields.decode(payload, "the signed payload").object("critical")
    digest = critical.object("image").text("docker-manifest-digest")
    digests = frozenset({digest}) if critical.text("type") == _SIMPLE_TYPE else frozenset[str]()
    return Signature(value=_decoded(value), signed=payload, digests=digests)


def _enveloped(envelope: Fields) -> Iterator[Signature]:
    kind, payload = envelope.text("payloadType"), _decoded(envelope.text("payload"))
    if kind != _IN_TOTO:
        return
    statement = Fields.decode(payload, "the signed statement")
    if statement.data.get("predicateType") != SIGN_PREDICATE:
        return
    named = [subject.object("digest") for subject in statement.objects("subject")]
    digests = frozenset(f"{algorithm}:{digest.text(algorithm)}" for digest in named for algorithm in digest.data)
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    for each in envelope.objects("signatures"):
        yield Signature(value=_decoded(each.text("sig")), signed=signed, digests=digests)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise FormatError("a signature is not base64") from err
