"""What images are called inside, from the bundle's manifest and, where given, another registry (`registry=`)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference, check_prefix
from schema.spec.contents import DerivedImageSpec
from schema.syntax.problems import did_you_mean, listed
from schema.syntax.template import Name

if TYPE_CHECKING:
    from bundle.metadata.manifest import BundleManifest, ImageEntry


def _as_it_is(image: str, digest: Digest) -> Digest:
    """An image that is pushed unchanged."""
    return digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNames:
    """The images by name, each with its internal reference and the digest that the bundle holds.

    `references` are also those of images that are made at install: `derived` gives their digests, made when asked for.
    `registered` gives the digest that the registry has an image under, of its name and the bundle's digest.
    """

    images: "Mapping[str, ImageEntry]"
    references: Mapping[str, Reference]
    derived: Mapping[str, Callable[[], Digest]] = field(default_factory=dict)
    registered: Callable[[str, Digest], Digest] = _as_it_is

    @classmethod
    def of(
        cls,
        manifest: "BundleManifest",
        *,
        prefix: str,
        registry: str = "",
        derived: Iterable[tuple[DerivedImageSpec, Callable[[], Digest]]] = (),
    ) -> Self:
        """The names below `prefix` (the spec's registry.prefix), or below `registry` instead of it.

        A FormatError tells a registry that is none.
        """
        if registry:
            check_prefix(registry)
        made = dict(derived)
        targets = {entry.name: entry.reference for entry in manifest.images} | {each.name: each.target for each in made}
        return cls(
            images={entry.name: entry for entry in manifest.images},
            references={name: _moved(target, prefix, registry) for name, target in targets.items()},
            derived={each.name: digest for each, digest in made.items()},
        )

    def value(self, name: Name) -> str:
        """What `${image.NAME.PART}` stands for; `ref` is `repository:tag`, as in manifest.json."""
        if name.subject not in self.references:
            what = f"{name}: no image is called {name.subject!r}; expected {listed(self.references)}"
            raise FormatError(what, hint=did_you_mean(name.subject, self.references))
        if name.part == "digest":
            return str(self._digest(name.subject))
        reference = self.references[name.subject]
        parts = {
            "repository": reference.repository,
            "registry": reference.host,
            "path": reference.path,
            "tag": reference.tag,
            "ref": str(reference),
        }
        return parts[name.part]

    def _digest(self, image: str) -> Digest:
        own = self.derived[image]() if image in self.derived else self.images[image].digest
        return self.registered(image, own)


def _moved(reference: Reference, prefix: str, registry: str) -> Reference:
    if not registry:
        return reference
    below = Reference.parse(f"{prefix}/image").repository.removesuffix("image")
    return Reference.parse(f"{registry}/{str(reference).removeprefix(below)}")
