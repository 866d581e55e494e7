"""Takes out of objects and texts what may be secret, before they are shown or sent away."""

import re
from collections.abc import Iterable
from typing import Any

from clients.programs.process import masked

MASK = "***"

_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key)"
)
_SOUNDS_SECRET = re.compile(rf"{_NAME}s?$", re.IGNORECASE)
_ASSIGNED = re.compile(rf"({_NAME}s?[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)", re.IGNORECASE)
_LOGIN = re.compile(r"(://)[^/\s@]+@")
_HEADER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_LONG_TAIL = frozenset({"managedFields"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # repeats what is masked elsewhere


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A log or message without known secrets, and without what stands where secrets usually do."""
    text = _PEM.sub(MASK, masked(text, secrets))
    text = _HEADER.sub(rf"\1 {MASK}", _LOGIN.sub(rf"\1{MASK}@", text))
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def redact_object(thing: Any, secrets: Iterable[str] = ()) -> Any:
    """A Kubernetes object without Secrets' data, without values of variables that sound secret, and shorter."""
    if isinstance(thing, dict):
        if thing.get("kind") == "Secret":
            thing = {
                **thing,
                **{part: dict.fromkeys(thing[part], MASK) for part in ("data", "stringData") if part in thing},
            }
        if _SOUNDS_SECRET.search(str(thing.get("name", ""))) and "value" in thing:
            thing = {**thing, "value": MASK}
        return {
            key: redact_object(value, secrets)
            for key, value in thing.items()
            if key not in _LONG_TAIL and key != _LAST_APPLIED
        }
    if isinstance(thing, list):
        return [redact_object(each, secrets) for each in thing]
    return redact_text(thing, secrets) if isinstance(thing, str) else thing
