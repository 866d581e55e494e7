"""Whether what the charts render is what the bundle brings: each image judged, what is missing told with what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from bundle.errors import ProofError
from bundle.oci.digest import Digest
from bundle.oci.locations import DaemonImage
from bundle.oci.platform import ALL_PLATFORMS, platform_text
from bundle.oci.reference import Reference
from clients.charts.images import FoundImage, is_about, pulls
from schema.lock import ImagePin
from schema.spec.contents import DerivedImageSpec, ImageSpec
from schema.spec.install import ReleaseSpec
from tasks.collect.images import pin_of
from tasks.proof.discover import UNKNOWN
from tasks.runtime.project import Project

Kind = Literal["carried", "source", "ignored", "missing"]
_PLACES = 3  # shown of the places that use one image


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedImage:
    """An image of the bundle: the name and digest that it has inside, and its name at the source where it has one.

    `digest` is None while it is not pinned. `indexes` are digests of the index that it was taken of, `platform` what
    was taken of it.
    """

    name: str
    target: Reference
    digest: Digest | None
    source: Reference | None
    indexes: frozenset[Digest] = frozenset()
    platform: str = ALL_PLATFORMS

    @classmethod
    def of(cls, image: ImageSpec, pin: ImagePin | None) -> Self:
        """What the bundle pushes for an image of the spec."""
        source = None if isinstance(image.source, DaemonImage) else image.source.reference
        digest = pin.digest if pin else None
        whole = {pin.index, pin.subset_of, source.digest if source else None} if pin else set()
        return cls(
            name=image.name, target=image.target, digest=digest, source=source,
            indexes=frozenset(each for each in whole if each and each != digest),
            platform=platform_text(image.platform),
        )  # fmt: skip

    @classmethod
    def made_inside(cls, image: DerivedImageSpec) -> Self:
        """What is made at install: its digest, known only then, is that of the stand-in."""
        return cls(name=image.name, target=image.target, digest=UNKNOWN, source=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an image stands: brought inside by this name, the `source` of one that is, ignored, or missing.

    `detail` is the image of the spec, or the reason why it is ignored; `hint` what to do about one that is not carried.
    """

    kind: Kind
    detail: str = ""
    hint: str = ""

    def __str__(self) -> str:
        told = {
            "carried": "in the spec",
            "source": "in the spec, as a source",
            "ignored": "ignored",
            "missing": "MISSING",
        }
        return f"{told[self.kind]}: {self.detail}" if self.detail else told[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges the images of one release: against the bundle's, below `prefix` inside, and those to be `ignored`."""

    carried: Sequence[CarriedImage]
    ignored: Mapping[str, str]
    prefix: str

    @classmethod
    def of(cls, project: Project, release: ReleaseSpec) -> Self:
        """For a release of the project, as its lock is now."""
        return cls(
            carried=[
                *(CarriedImage.of(image, pin_of(project, image)) for image in project.spec.images),
                *(CarriedImage.made_inside(image) for image in project.spec.derived),
            ],
            ignored=release.ignore_images,
            prefix=project.spec.registry.prefix,
        )

    def standing(self, found: FoundImage) -> Standing:
        """How one image stands."""
        reference = found.reference
        if reference is None:
            hint = "correct the values that it is made of: [HOST[:PORT]/]PATH[:TAG][@DIGEST]"
            return Standing(kind="missing", detail="no image reference", hint=hint)
        for image in self.carried:
            if pulls(reference, image.target, image.digest):
                return Standing(kind="carried", detail=image.name)
        for name, reason in self.ignored.items():
            if is_about(reference, name):
                return Standing(kind="ignored", detail=reason)
        for image in self.carried:
            if image.source and pulls(reference, image.source, image.digest):
                hint = f"the bundle brings it as {image.target}: let the values say ${{image.{image.name}.ref}} there"
                return Standing(kind="source", detail=image.name, hint=hint)
        return Standing(kind="missing", hint=self._advice(reference))

    def problems(self, images: Iterable[FoundImage]) -> tuple[str, ...]:
        """What is wrong with the certain images: one text for each image, with all its places."""
        return tuple(
            f"{text or 'an empty image'}{f' ({standing.detail})' if standing.detail else ''}\n"
            f"    used by {_places(uses)}\n    next: {standing.hint}"
            for (text, standing), uses in self._grouped(each for each in images if each.certain)
            if standing.kind in ("source", "missing")
        )

    def warnings(self, images: Iterable[FoundImage]) -> tuple[str, ...]:
        """What to look at among the suspected ones: those that the bundle does not bring. Annotations name sources."""
        return tuple(
            f"suspected image {text} is not in the bundle: {_places(uses)} ({uses[0].evidence})"
            for (text, standing), uses in self._grouped(each for each in images if not each.certain)
            if standing.kind == "missing" or (standing.kind == "source" and not uses[0].object.startswith("Chart/"))
        )

    def _grouped(self, images: Iterable[FoundImage]) -> Iterable[tuple[tuple[str, Standing], list[FoundImage]]]:
        groups: dict[str, list[FoundImage]] = {}
        for each in images:
            groups.setdefault(each.text, []).append(each)
        return [((text, self.standing(uses[0])), uses) for text, uses in groups.items()]

    def _advice(self, reference: Reference) -> str:
        for image in self.carried:
            places = {image.target.repository, image.source.repository if image.source else ""}
            if reference.digest in image.indexes and reference.repository in places:
                return (
                    f"this is the digest of the whole index, of which the bundle brings {image.platform}: set "
                    f"`platform: all` for image {image.name!r}, or let the values say ${{image.{image.name}.ref}} there"
                )
        near = [image for image in self.carried if image.target.repository == reference.repository]
        if near and reference.digest:
            one = near[0]
            whole = "" if one.platform == ALL_PLATFORMS else "; an index's digest needs `platform: all`"
            return (
                f"the bundle brings {one.target}@{one.digest}: take the digest from ${{image.{one.name}.digest}}{whole}"
            )
        if near:
            return (
                f"the bundle brings {', '.join(str(image.target) for image in near)}: bring the tag that is asked for, "
                f"or take the tag from ${{image.{near[0].name}.tag}}"
            )
        if reference.host.endswith(".invalid"):
            return "this place is known inside only: take it from ${image.NAME.repository}, or give site=FILE"
        below = Reference.parse(f"{self.prefix}/image").repository.removesuffix("image")
        if reference.repository.startswith(below):
            inside = str(reference).removeprefix(below)
            return f"no image has this name inside: add the one that is meant, with target: {inside!r}"
        return (
            f"add {{name: {reference.name}, source: {str(reference)!r}}} to images (doit images --add does), and let "
            f"the values say ${{image.{reference.name}.ref}} there; or give the reason in ignore_images"
        )


def check(release: str, judge: Judge, images: Sequence[FoundImage], *, unknown: Sequence[str]) -> None:
    """Raise a ProofError that lists every certain image which the bundle does not bring.

    `unknown` are values that the chart does not know: often the typo behind it.
    """
    problems = judge.problems(images)
    if problems:
        typos = [f"perhaps because: {each}" for each in unknown]
        raise ProofError(
            f"release {release!r} uses {_count(problems)} that the bundle does not bring:", [*problems, *typos]
        )


def check_with_apis(release: str, judge: Judge, images: Sequence[FoundImage], asked: str) -> None:
    """Raise a ProofError for images that the bundle does not bring and that a cluster with further APIs would use."""
    if problems := judge.problems(images):
        raise ProofError(
            f"release {release!r} uses {_count(problems)} that the bundle does not bring where the cluster has APIs "
            "that its chart asks for:",
            problems,
            hint=f"{asked}, and bring the images; otherwise say in ignore_images that the cluster does not have them",
        )


def _count(problems: Sequence[str]) -> str:
    return f"{len(problems)} image{'s' if len(problems) > 1 else ''}"


def _places(uses: Sequence[FoundImage]) -> str:
    shown = "; ".join(f"{each.object}, {each.field}" for each in uses[:_PLACES])
    return f"{shown}; and {len(uses) - _PLACES} more" if len(uses) > _PLACES else shown
