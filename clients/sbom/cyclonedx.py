"""SBOMs in CycloneDX 1.6 JSON, by cyclonedx-python-lib: the same contents give the same bytes."""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from bundle.formats import strict_json
from bundle.sbom.image_contents import Contents, ImageContents
from bundle.sbom.inventory import LOOKED_FOR
from bundle.sbom.package import Package
from bundle.sbom.summary import NOT_READ, SOURCE

_FOUND_IN = "airgap:sbom:found-in"
_PLATFORM = "airgap:sbom:platform"
_DOCUMENT = "airgap:sbom:attested-by"
_IMAGE_SOURCE = "airgap:sbom:image-source"
_LOOKED_FOR = "airgap:sbom:looked-for"


def write_sbom(image: ImageContents, *, tool_version: str) -> bytes:
    """The bytes of the SBOM of an image. No date and nothing random is in it."""
    root = Component(
        type=ComponentType.CONTAINER, name=image.name, version=str(image.digest), bom_ref=f"image/{image.digest}"
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{image.name}@{image.digest}"))
    bom.metadata.component = root
    bom.metadata.tools.components.add(
        Component(type=ComponentType.APPLICATION, name="airgap", version=tool_version, bom_ref="airgap")
    )
    bom.metadata.properties.update(_about(image))
    writer = _Writer()
    if image.is_index:
        parts = [writer.platform(each) for each in image.contents]
    else:
        parts = [part for each in image.contents for part in writer.parts(each, "")]
    bom.components.update(parts)
    bom.register_dependency(root, parts)
    data = json.loads(JsonV1Dot6(bom).output_as_string())
    del data["metadata"]["timestamp"]
    return strict_json.readable(data, indent=1)


def _about(image: ImageContents) -> Iterator[Property]:
    yield Property(name=_IMAGE_SOURCE, value=image.source)
    origins = sorted({each.origin for each in image.contents})
    yield from (Property(name=SOURCE, value=origin) for origin in origins)
    if "layers" in origins:
        yield Property(name=_LOOKED_FOR, value=", ".join(LOOKED_FOR))
    for each in image.contents:
        where = f"{each.platform}: " if image.is_index else ""
        if each.document:
            yield Property(name=_DOCUMENT, value=f"{where}{each.document}")
        yield from (Property(name=NOT_READ, value=f"{where}{text}") for text in each.inventory.not_read)


class _Writer:
    """Makes components. What it knows of licences is kept: most packages have the licence of another."""

    def __init__(self) -> None:
        self._factory = LicenseFactory()
        self._known: dict[tuple[str, ...], tuple[License, ...]] = {}

    def platform(self, contents: Contents) -> Component:
        """One manifest of an index, with its packages inside."""
        return Component(
            type=ComponentType.CONTAINER,
            name=contents.platform or str(contents.digest),
            version=str(contents.digest),
            bom_ref=f"image/{contents.digest}",
            properties=[Property(name=_PLATFORM, value=contents.platform)] if contents.platform else (),
            components=self.parts(contents, f"{contents.digest}/"),
        )

    def parts(self, contents: Contents, prefix: str) -> Sequence[Component]:
        """The distribution and the packages; `prefix` makes their references differ from those of other platforms."""
        packages = [self._package(package, prefix) for package in contents.inventory.packages]
        system = contents.inventory.system
        if not system.id:
            return packages
        ref = f"{prefix}system/{system.distro}"
        base = Component(
            type=ComponentType.OPERATING_SYSTEM,
            name=system.id,
            version=system.version or None,
            description=system.title or None,
            bom_ref=ref,
        )
        return [base, *packages]

    def _package(self, package: Package, prefix: str) -> Component:
        return Component(
            type=ComponentType.LIBRARY,
            group=package.namespace if package.type == "npm" and package.namespace else None,
            name=package.name,
            version=package.version,
            purl=PackageURL.from_string(package.purl),
            bom_ref=f"{prefix}{package.purl}",
            licenses=self._licences(package.licences),
            properties=[Property(name=_FOUND_IN, value=place) for place in package.places],
        )

    def _licences(self, texts: tuple[str, ...]) -> tuple[License, ...]:
        if texts not in self._known:
            self._known[texts] = tuple(self._made(_separated(texts)))
        return self._known[texts]

    def _made(self, texts: Sequence[str]) -> Iterator[License]:
        """One may be an expression; of several, CycloneDX wants each to have an identifier or a name."""
        for text in texts:
            licence = self._factory.make_from_string(text)
            if len(texts) > 1 and isinstance(licence, LicenseExpression):
                licence = DisjunctiveLicense(name=text)
            yield licence


def _separated(texts: Iterable[str]) -> Sequence[str]:
    """Each licence by itself where one text names several that all apply."""
    parts = (part for text in texts for part in ([text] if "(" in text or " OR " in text else text.split(" AND ")))
    return tuple(dict.fromkeys(parts))
