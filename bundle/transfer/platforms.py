"""Which manifest of an index is the one of a platform (OCI image-spec image-index.md).

All that tells is optional there: what is not stated contradicts nothing, and the image's own config is asked instead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bundle.errors import IntegrityError, SourceError
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.platform import Platform
from bundle.transfer.image import MAX_DEPTH, ImageSource, Manifest, is_manifest, parse_manifest

ATTESTS_TO = "vnd.docker.reference.digest"  # BuildKit's annotation of a manifest that only tells of another

_KIND = "vnd.docker.reference.type"
_UNKNOWN = "unknown"
_MAX_CONFIG = 16 * 1024 * 1024  # bytes of an image config; real ones have a few thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One platform's manifest: how `index` lists it, and what there is to know where others would do as well."""

    descriptor: Descriptor
    entry: Mapping[str, Any]
    index: Manifest
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An entry of an index that may be an image; `platform` is what is stated, or else what its config says."""

    descriptor: Descriptor
    entry: Mapping[str, Any]
    index: Manifest
    platform: Platform | None

    @property
    def told(self) -> str:
        """What tells it from others, in words."""
        stated = self.entry.get("platform")
        fields = stated if isinstance(stated, dict) else {}
        more = {key: value for key, value in fields.items() if key.startswith("os.") and value}
        described = [str(self.platform or "no platform")]
        described += [f"{key} {value}" for key, value in (*more.items(), *sorted(self.descriptor.annotations.items()))]
        return f"{self.descriptor.digest} ({', '.join(described)})"


def choose(source: ImageSource, index: Manifest, wanted: Platform, *, subject: str) -> Chosen:
    """The manifest for a platform, in the index or in an index in it.

    Entries that state the platform go before those that state a part of it, then come those whose config says it, then
    those for an earlier variant. The first is taken where several are alike, as engines do, with a note that lists
    them. A SourceError says what there is where there is none, or where nothing tells which it is.
    """
    found = list(_candidates(source, index, subject, 0))
    stated = [each for each in found if each.platform]
    best = _best(stated, wanted)
    if not best:
        silent = [_asked(source, each, subject) for each in found if not each.platform]
        stated += [each for each in silent if each.platform]
        best = _best(stated, wanted) or [each for each in silent if not each.platform]
        if best and not best[0].platform and len({each.descriptor.digest for each in best}) > 1:
            raise SourceError(
                f"{subject}: nothing says which manifest of the index is for {wanted}: {_listed(best)}",
                hint="name one of these by its digest (source: NAME@sha256:...), or set `platform: all`",
            )
    if not best:
        raise _absent(stated, wanted, subject)
    first = best[0]
    several = {each.descriptor.digest: each for each in best}
    note = f"{len(several)} manifests are for {wanted}: {_listed(list(several.values()))}; the first is taken"
    return Chosen(
        descriptor=first.descriptor,
        entry=first.entry,
        index=first.index,
        note=note if len(several) > 1 else "",
    )


def check_platform(source: ImageSource, manifest: Manifest, wanted: Platform, *, chosen: bool, subject: str) -> None:
    """A SourceError where a manifest's own config says that it is for another platform.

    What was `chosen` of an index has the variant that the index says. Charts and other artifacts have no platform.
    """
    found = own_platform(source, manifest, subject)
    if found is None or (replace(found, variant="") if chosen else found).rank(wanted) is not None:
        return
    advised = replace(found, os=found.os or wanted.os, architecture=found.architecture or wanted.architecture)
    raise SourceError(
        f"{subject}: the image is for {advised}, expected {wanted}; it has no index that offers others",
        hint=f"set the image's platform to {advised}, or choose a tag that is built for {wanted}",
    )


def own_platform(source: ImageSource, manifest: Manifest, subject: str) -> Platform | None:
    """What an image's config says of its platform; None for what has no such config, or says nothing of it."""
    config = manifest.config
    if config.media_type not in media_types.IMAGE_CONFIGS:
        return None
    if config.size > _MAX_CONFIG:
        raise SourceError(f"{subject}: its config has {config.size} bytes, expected at most {_MAX_CONFIG}")
    raw = config.data or b"".join(source.read(config, 0))
    if not config.digest.matches(raw):
        raise IntegrityError(f"{subject}: its config does not have its digest {config.digest}")
    try:
        data = strict_json.loads(raw)
    except ValueError as err:
        raise SourceError(f"{subject}: its config is not JSON: {err}") from err
    found = Platform.from_dict(data) if isinstance(data, dict) else None
    return found if found and (found.os or found.architecture) else None


def is_image(entry: Descriptor) -> bool:
    """Whether an entry of an index stands for an image, and is none that only tells of another (BuildKit's)."""
    unknown = entry.platform is not None and entry.platform.architecture == _UNKNOWN
    return is_manifest(entry) and not unknown and not entry.annotations.keys() & {ATTESTS_TO, _KIND}


def _candidates(source: ImageSource, index: Manifest, subject: str, depth: int) -> Iterator[_Candidate]:
    """All that may be images, in their order; what an index in the index leaves open, the entry for that says."""
    if depth > MAX_DEPTH:
        raise SourceError(f"{subject}: its indexes are nested more than {MAX_DEPTH} deep ({index.digest})")
    for entry, descriptor in zip(index.entries, index.manifests, strict=True):
        if not is_image(descriptor):
            continue
        stated = descriptor.platform if descriptor.platform and str(descriptor.platform) else None
        if descriptor.media_type in media_types.INDEXES:
            inner = parse_manifest(source.manifest, descriptor, subject)
            for each in _candidates(source, inner, subject, depth + 1):
                yield replace(each, platform=each.platform or stated)
        else:
            yield _Candidate(descriptor=descriptor, entry=entry, index=index, platform=stated)


def _asked(source: ImageSource, candidate: _Candidate, subject: str) -> _Candidate:
    manifest = parse_manifest(source.manifest, candidate.descriptor, subject)
    return replace(candidate, platform=own_platform(source, manifest, subject))


def _best(candidates: list[_Candidate], wanted: Platform) -> list[_Candidate]:
    ranked = [(rank, each) for each in candidates if each.platform and (rank := each.platform.rank(wanted)) is not None]
    best = min((rank for rank, _ in ranked), default=None)
    return [each for rank, each in ranked if rank == best]


def _absent(candidates: list[_Candidate], wanted: Platform, subject: str) -> SourceError:
    offered = ", ".join(sorted({str(each.platform) for each in candidates})) or "none"
    choice = "choose one of these as `platform`, or `all`" if candidates else "set `platform: all` to take it as it is"
    return SourceError(f"{subject}: no image for platform {wanted}; the index offers: {offered}", hint=choice)


def _listed(candidates: list[_Candidate]) -> str:
    return ", ".join(each.told for each in candidates)
