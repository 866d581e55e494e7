"""Rectangles whose areas are as given sizes, as square as can be (Bruls, Huizing, van Wijk: Squarified Treemaps)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle by its upper left corner and its extent, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float


def treemap(sizes: Sequence[int], area: Box) -> list[Box]:
    """One box for each size, in their order. The sizes must be above 0 and sorted, the largest first."""
    scale = area.width * area.height / sum(sizes) if sizes else 0.0
    return list(_rows([size * scale for size in sizes], area))


def _rows(areas: Sequence[float], free: Box) -> Iterator[Box]:
    """Fill the free rectangle row by row along its shorter side."""
    while areas:
        side = min(free.width, free.height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
            count += 1
        row, areas = areas[:count], areas[count:]
        depth = sum(row) / side if side else 0.0
        yield from _row(row, free, depth)
        if free.width >= free.height:
            free = Box(x=free.x + depth, y=free.y, width=max(free.width - depth, 0.0), height=free.height)
        else:
            free = Box(x=free.x, y=free.y + depth, width=free.width, height=max(free.height - depth, 0.0))


def _row(row: Sequence[float], free: Box, depth: float) -> Iterator[Box]:
    position = 0.0
    for area in row:
        length = area / depth if depth else 0.0
        if free.width >= free.height:
            yield Box(x=free.x, y=free.y + position, width=depth, height=length)
        else:
            yield Box(x=free.x + position, y=free.y, width=length, height=depth)
        position += length


def _worst(row: Sequence[float], side: float) -> float:
    """The longest box of a row: the larger of its sides' ratios."""
    total = sum(row)
    return max(side * side * max(row) / total**2, total**2 / (side * side * min(row))) if side else float("inf")
