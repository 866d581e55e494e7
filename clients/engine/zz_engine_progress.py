"""An Engine's stream of messages as progress of one image: the bytes of its layers as they come and go."""

from collections.abc import Mapping
from typing import Any

from bundle.meter import Meter

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
