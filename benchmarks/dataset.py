"""What is moved: images with shared layers that don't compress, put into a registry of our own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.oci.digest import Digest
from tests.fixtures.images.images import Layer, image, layer
from tests.fixtures.parts.registries import RunningRegistry

MB = 1000 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Images in a registry, as `repository:tag` without the host, and the bytes of their distinct blobs."""

    images: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes in bytes: a base below all images, a runtime above it in every second one, and each image's own layers."""

    base: int
    runtime: int
    own: tuple[tuple[int, ...], ...]


# Six images as applications have them: 1.4 GB of distinct blobs, layers from 2 MB to 160 MB.
FULL = Plan(
    base=120 * MB,
    runtime=200 * MB,
    own=(
        (90 * MB, 60 * MB, 20 * MB, 5 * MB),
        (160 * MB, 25 * MB, 2 * MB),
        (70 * MB, 70 * MB, 40 * MB, 10 * MB),
        (140 * MB, 30 * MB, 15 * MB),
        (110 * MB, 50 * MB, 8 * MB),
        (100 * MB, 80 * MB, 12 * MB),
    ),
)
SMOKE = Plan(base=1 * MB, runtime=1 * MB, own=((200_000,), (300_000,)))


def many(count: int) -> Plan:
    """`count` small images over one base, for what does not depend on bytes."""
    return Plan(base=50_000, runtime=20_000, own=((4_000,),) * count)


def fill(registry: RunningRegistry, plan: Plan) -> DataSet:
    """Put the images into the registry, one after the other, so that only one is in memory."""
    base, runtime = layer("base", plan.base), layer("runtime", plan.runtime)
    names, sizes = [], dict[Digest, int]()
    for number, own in enumerate(plan.own):
        content = image(*_layers(number, own, base, runtime), labels={"number": str(number)})
        registry.put(content, f"bench/app-{number}", "1.0")
        names.append(f"bench/app-{number}:1.0")
        sizes |= {digest: len(data) for digest, data in content.blobs.items()}
    return DataSet(images=tuple(names), size=sum(sizes.values()))


def warm(registry: RunningRegistry) -> None:
    """Bring the registry's files into the page cache, so that every contender reads them from there."""
    warm_files(registry.data)


def warm_files(root: Path) -> None:
    """Bring all files below `root` into the page cache."""
    for path in _files(root):
        with path.open("rb") as file:
            while file.read(4 * 1024 * 1024):
                pass


def touch_memory(place: Path, size: int) -> None:
    """Use `size` bytes of page cache once and free them again.

    A virtual machine's host gives memory back slowly: a file written into pages that the host took away meanwhile
    costs up to ten times the processor time. So whoever comes first would pay for those who follow.
    """
    file = place / "touched"
    block = bytes(4 * MB)
    with file.open("wb", buffering=0) as writer:
        for _ in range(-(-size // len(block))):
            writer.write(block)
    file.unlink()


def _layers(number: int, own: tuple[int, ...], base: Layer, runtime: Layer) -> Iterator[Layer]:
    yield base
    if number % 2 == 0:
        yield runtime
    for place, size in enumerate(own):
        yield layer(f"own-{number}-{place}", size)


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())
