"""The picture of a report: where the bytes of the images are, with what images share drawn once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import squarify

from bundle.formats.sizes import human
from bundle.formats.visible import visible
from bundle.report._html import Markup, element
from bundle.report._sharing import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle by its upper left corner and its extent, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float


def treemap(sizes: Sequence[int], area: Box) -> list[Box]:
    """One box for each size, in their order. The sizes must be above 0 and sorted, the largest first.

    What is far too small to be seen is drawn as large as the smallest thing that can be laid out.
    """
    smallest = sum(sizes) / (area.width * area.height) * _SPECK
    drawn = squarify.normalize_sizes([max(size, smallest) for size in sizes], area.width, area.height)
    boxes = squarify.squarify(drawn, area.x, area.y, area.width, area.height)
    return [Box(x=box["x"], y=box["y"], width=box["dx"], height=box["dy"]) for box in boxes]


WIDTH, HEIGHT = 1200, 480
_SPECK = 1e-7  # of a unit squared: less than that and rounding leaves no room for what comes after it
MOST = 80  # boxes; the smallest ones would not be seen
_SIGN = 8.2  # more than most signs of 13 px take on average; what is wider all the same is cut at the box's edge
_LINE = 17
_EDGE = 7


def share_name(share: Share) -> str:
    """Whose bytes these are, in a few words."""
    return f"shared by {len(share.images)} images" if share.is_shared else share.images[0]


def picture(shares: Sequence[Share]) -> Markup:
    """One box for each share, its area its size. Each has a title for whoever points at it; a table says the same."""
    drawn = [share for share in shares if share.size > 0][:MOST]
    boxes = treemap([share.size for share in drawn], Box(x=0, y=0, width=WIDTH, height=HEIGHT))
    description = f"{len(drawn)} boxes, as large as what they stand for; the table below this picture lists them."
    return element(
        "svg",
        element("title", "Size by image", id="picture-title"),
        element("desc", description, id="picture-text"),
        *(_box(share, box) for share, box in zip(drawn, boxes, strict=True)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby="picture-title picture-text",
    )


def bar(size: int, largest: int, kind: str) -> Markup:
    """A bar for one row of a table; its number stands beside it."""
    width = 100 * size / largest if largest else 0
    rect = element("rect", width=f"{width:.2f}%", height="100%")
    return element("svg", rect, class_=f"bar {kind}", aria_hidden="true", focusable="false")


def _box(share: Share, box: Box) -> Markup:
    """A drawing of its own, beyond whose edges nothing is seen."""
    return element(
        "svg",
        element("title", f"{', '.join(share.images)}: {human(share.size)}"),
        element("rect", width="100%", height="100%"),
        *_label(share, box),
        class_="shared" if share.is_shared else "own",
        x=_units(box.x),
        y=_units(box.y),
        width=_units(box.width),
        height=_units(box.height),
    )


def _label(share: Share, box: Box) -> Iterator[Markup]:
    """Name and size, as far as they fit into the box: a name may be cut, a number not."""
    signs = int((box.width - 2 * _EDGE) / _SIGN)
    lines = int((box.height - _EDGE) / _LINE)
    if signs < 5 or lines < 1:
        return
    name, size = visible(share_name(share)), human(share.size)
    cut = name if len(name) <= signs else f"{name[: signs - 1]}\N{HORIZONTAL ELLIPSIS}"
    for number, line in enumerate([cut, size][: lines if len(size) <= signs else 1]):
        yield element("text", line, x=_units(_EDGE), y=_units(_EDGE / 2 + _LINE * (number + 0.8)))


def _units(value: float) -> str:
    return f"{value:.1f}"
