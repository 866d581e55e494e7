"""What a Docker Engine made of a bundle's images inside: their IDs on it, and the digests that it pushed them with."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.storage.files import locked, write_bytes

FORMAT_VERSION = 1

Kind = Literal["loaded", "pushed"]


class EngineNotes:
    """Notes by the image's name: `made` (an ID or a digest) stands for `content`, the bundle's own digest of it.

    Losing them costs another load and a push that finds its layers there. Safe for several threads and processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()

    def made(self, kind: Kind, name: Reference, content: Digest) -> Digest | None:
        """What was made of this content under this name, as far as it is noted."""
        with self._guard:
            note = self._read().get(kind, {}).get(str(name), {})
        return Digest.parse(note["made"]) if note.get("content") == str(content) else None

    def set(self, kind: Kind, name: Reference, content: Digest, made: Digest) -> None:
        """Note it in the place of what was made before."""
        with self._guard, locked(self._path.with_suffix(".guard")):
            notes = self._read()
            notes = {**notes, kind: {**notes.get(kind, {}), str(name): {"content": str(content), "made": str(made)}}}
            data = {"format": FORMAT_VERSION, **notes}
            write_bytes(self._path, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())

    def _read(self) -> Mapping[str, Any]:
        try:
            data = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return data if isinstance(data, dict) and data.get("format") == FORMAT_VERSION else {}
