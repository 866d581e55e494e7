"""Areas are as the sizes say, boxes fill their rectangle and do not lie on each other."""

from itertools import combinations

import pytest

from bundle.report._picture import Box, treemap

AREA = Box(x=0, y=0, width=1200, height=480)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([], id="none"),
        pytest.param([7], id="one"),
        pytest.param([6, 6, 4, 3, 2, 2, 1], id="the paper's example"),
        pytest.param([10**12, 1, 1], id="one dwarfs the others"),
        pytest.param([10**6] * 40 + [1] * 40, id="forty specks"),
        pytest.param([1] * 50, id="fifty equal ones"),
        pytest.param(sorted((n * n * 1000 + 1 for n in range(80)), reverse=True), id="eighty"),
    ],
)
def test_boxes(sizes: list[int]) -> None:
    boxes = treemap(sizes, AREA)
    assert len(boxes) == len(sizes)
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(AREA.width * AREA.height * size / sum(sizes), rel=1e-6)
        assert box.x >= -1e-6
        assert box.y >= -1e-6
        assert box.x + box.width <= AREA.width + 1e-6
        assert box.y + box.height <= AREA.height + 1e-6
    for one, other in combinations(boxes, 2):
        wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert min(wide, high) < 1e-6


def test_equal_boxes_are_nearly_square() -> None:
    ratios = [max(box.width / box.height, box.height / box.width) for box in treemap([1] * 50, AREA)]
    assert max(ratios) < 2


def test_what_is_too_small_for_a_float_is_drawn_all_the_same() -> None:
    boxes = treemap([10**20, *[1] * 79], AREA)
    assert len(boxes) == 80
    assert all(box.width > 0 and box.height > 0 for box in boxes)
