"""What images are called inside, from the bundle's manifest and, where given, another registry (`registry=`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError
from bundle.manifest import BundleManifest, ImageEntry
from bundle.reference import Reference, looks_like_host
from schema.problems import did_you_mean, listed
from schema.template import Name


def check_prefix(text: str) -> None:
    """Refuse what is not HOST[:PORT][/PATH]."""
    hint = "write HOST[:PORT][/PATH], for example registry.mycompany.com/zenml"
    if "://" in text:
        raise FormatError(f"{text!r} is an address", hint=f"leave out {text.partition('://')[0]}://")
    if not looks_like_host(text.partition("/")[0]):
        raise FormatError(f"{text!r} names no registry host", hint=hint)
    try:
        Reference.parse(f"{text}/image")
    except FormatError as err:
        raise FormatError(f"{text!r} is no place in a registry", hint=hint) from err


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNames:
    """The images by name, each with its internal reference and the digest that the bundle holds."""

    images: Mapping[str, ImageEntry]
    references: Mapping[str, Reference]

    @classmethod
    def of(cls, manifest: BundleManifest, *, prefix: str, registry: str = "") -> Self:
        """The names below `prefix` (the spec's registry.prefix), or below `registry` instead of it.

        A FormatError tells a registry that is none.
        """
        if registry:
            check_prefix(registry)
        return cls(
            images={entry.name: entry for entry in manifest.images},
            references={entry.name: _moved(entry.reference, prefix, registry) for entry in manifest.images},
        )

    def value(self, name: Name) -> str:
        """What `${image.NAME.PART}` stands for; `ref` is `repository:tag`, as in manifest.json."""
        if name.subject not in self.images:
            what = f"{name}: no image is called {name.subject!r}; expected {listed(self.images)}"
            raise FormatError(what, hint=did_you_mean(name.subject, self.images))
        reference = self.references[name.subject]
        parts = {
            "repository": reference.repository,
            "tag": reference.tag,
            "digest": str(self.images[name.subject].digest),
            "ref": str(reference),
        }
        return parts[name.part]


def _moved(reference: Reference, prefix: str, registry: str) -> Reference:
    if not registry:
        return reference
    below = Reference.parse(f"{prefix}/image").repository.removesuffix("image")
    return Reference.parse(f"{registry}/{str(reference).removeprefix(below)}")
