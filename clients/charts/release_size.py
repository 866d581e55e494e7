"""How large a release becomes in the one Secret in which Helm stores it (helm pkg/storage/driver: gzip, base64)."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundle.charts.package import read_archive

MOST = 1024 * 1024  # bytes of a Secret's data that the API server takes (kubernetes core/v1, MaxSecretSize)
_SOURCE_OF_CRD = re.compile(r"# Source: [^\n]*/crds/")


@dataclass(frozen=True, slots=True)
class ReleaseSize:
    """`stored` bytes in the Secret; `largest` is the file of the chart that takes most, with its size."""

    stored: int
    largest: str
    largest_size: int

    @property
    def fits(self) -> bool:
        """Whether the API server would take it."""
        return self.stored <= MOST


def release_size(package: bytes, *, values: Mapping[str, Any], rendered: str, subject: str) -> ReleaseSize:
    """The size of a release of a packaged chart, as near as it can be told before the values of the site are known.

    Helm stores the chart's own files (not those of subcharts), the values, and what it renders but CRDs of crds/.
    """
    own = {
        name: data
        for name, data in read_archive(package, keep=lambda _: True, subject=subject).items()
        if not name.startswith("charts/")
    }
    documents = [each for each in re.split(r"^---\n", rendered, flags=re.M) if not _SOURCE_OF_CRD.search(each)]
    release = {
        "chart": {"files": [{"name": name, "data": base64.b64encode(data).decode()} for name, data in own.items()]},
        "config": values,
        "manifest": "---\n".join(documents),
    }
    packed = gzip.compress(json.dumps(release, default=str).encode(), 9)
    largest = max(own, key=lambda name: len(own[name]), default="")
    return ReleaseSize(len(base64.b64encode(packed)), largest, len(own.get(largest, b"")))
