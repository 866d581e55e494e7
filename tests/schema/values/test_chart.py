"""The chart whose values these are."""

import pytest

from bundle.errors import FormatError
from schema.values.chart import ChartValues


def test_a_chart_that_is_none() -> None:
    with pytest.raises(FormatError, match="chart 'demo'"):
        ChartValues.read(b"no archive", subject="chart 'demo'")
