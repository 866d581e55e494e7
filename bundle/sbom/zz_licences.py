"""The licences of all packages of a bundle, as the SBOMs of its images count them."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundle.sbom.summary import SbomSummary

NO_LICENCE = "none that is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceCount:
    """How many packages have a licence, in which images. A package counts in each image that it is in."""

    licence: str
    packages: int
    images: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"licence": self.licence, "packages": self.packages, "images": list(self.images)}


def licence_counts(sboms: Mapping[str, SbomSummary]) -> tuple[LicenceCount, ...]:
    """The licences in the SBOMs of images, the most frequent first; packages without one are counted too."""
    packages: Counter[str] = Counter()
    images: dict[str, list[str]] = defaultdict(list)
    for image, sbom in sboms.items():
        for licence, count in (
            {**sbom.licences, NO_LICENCE: sbom.unlicensed} if sbom.unlicensed else sbom.licences
        ).items():
            packages[licence] += count
            images[licence].append(image)
    counts = [
        LicenceCount(licence=licence, packages=count, images=tuple(images[licence]))
        for licence, count in packages.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.packages, count.licence)))
