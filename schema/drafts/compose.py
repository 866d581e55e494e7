"""A Compose file (compose-spec): its services' images. No chart follows from it, which is said."""

import re
from collections.abc import Mapping
from typing import Any

from schema.drafts.documents import text_of
from schema.drafts.draft import Draft

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:(?P<how>:?[-?+])(?P<rest>[^}]*))?\}|(?P<plain>\w+))")


def read_compose(data: Mapping[str, Any], name: str) -> Draft:
    """The images of a Compose file; variables in their names count as their defaults."""
    draft = Draft(name=text_of(data, "name") or name)
    services = data.get("services")
    for service, entry in (services if isinstance(services, dict) else {}).items():
        image = text_of(entry, "image")
        if isinstance(entry, dict) and "build" in entry:
            reason = "it is built from source; push it to a registry and add it, or name it docker-daemon:IMAGE"
            draft.leave_out(f"service {service}", reason)
        elif not image:
            draft.leave_out(f"service {service}", "it names no image")
        elif unset := _unset(image):
            draft.leave_out(f"image {image} of service {service}", f"{unset} has no default in the file; add the image")
        else:
            draft.add_image(_resolved(image))
    draft.leave_out("how the services run", "Kubernetes runs charts: add a chart and a release of it")
    for part in ("volumes", "networks", "configs", "secrets"):
        if data.get(part):
            draft.leave_out(part, "what a chart declares in Kubernetes")
    if data.get("include"):
        draft.leave_out("include", "name the included files one by one")
    return draft


def _unset(image: str) -> str:
    """The first variable without a default."""
    for found in _VARIABLE.finditer(image):
        if found["plain"] or not (found["how"] or "").endswith("-"):
            return f"${found['plain'] or found['braced']}"
    return ""


def _resolved(image: str) -> str:
    return _VARIABLE.sub(lambda found: found["rest"] or "", image)
