"""Texts that may name an image: guesses only, each to be shown with what it was made from."""

import re
from collections.abc import Iterator

from bundle.errors import FormatError
from bundle.oci.reference import Reference, looks_like_host

_NAMED = re.compile(r"image(?!s?[-_]?(?:pull|secret))", re.IGNORECASE)
_BREAKS = re.compile(r"[\s'\"`,;=|<>()\[\]{}\\]+")
_VERSION = re.compile(r"v?\d[\w.-]*|latest|stable")
_LONGEST = 512  # characters of a reference; no token of a minified script is one


def names_an_image(key: str) -> bool:
    """Whether what is called so is likely to be an image: RELATED_IMAGE_API, sidecarImage, --image."""
    return bool(_NAMED.search(key))


def is_image(text: str) -> bool:
    """Whether a text that is meant to be an image is one: a reference with a tag, a digest or a host."""
    return _likely(text.strip())


def suspects(text: str, *, key: str = "") -> Iterator[str]:
    """The images that a text may name; what is called like an image (`key`) needs less to look like one."""
    whole = text.strip()
    if key and names_an_image(key) and _likely(whole):
        yield whole
        return
    tokens = list(dict.fromkeys(_BREAKS.split(whole)))
    for token in tokens:
        trimmed = token.rstrip(".:")
        if _is_full(trimmed) or (trimmed == whole and _is_short(trimmed)):
            yield trimmed


def _likely(text: str) -> bool:
    found = _reference(text)
    return found is not None and bool(found.tag or found.digest or ("/" in text and looks_like_host(_first(text))))


def _is_full(text: str) -> bool:
    """A host, a path, and a tag or digest."""
    if "/" not in text or not looks_like_host(_first(text)):
        return False
    found = _reference(text)
    return found is not None and bool(found.tag or found.digest)


def _is_short(text: str) -> bool:
    """Docker Hub's `organisation/name:version`."""
    found = _reference(text) if "/" in text and not looks_like_host(_first(text)) else None
    return found is not None and bool(found.digest or _VERSION.fullmatch(found.tag))


def _first(text: str) -> str:
    return text.partition("/")[0]


def _reference(text: str) -> Reference | None:
    if not text or len(text) > _LONGEST:
        return None
    try:
        return Reference.parse(text)
    except FormatError:
        return None
