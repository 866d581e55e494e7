"""What is printed without a terminal, and how sizes read."""

import io

import pytest

from tasks.console import Console, human


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1536, "1.5 KB"),
        (99_400, "99.4 KB"),
        (150_000, "150 KB"),
        (999_600, "1.0 MB"),
        (1_450_000_000, "1.4 GB"),
        (3_221_225_472, "3.2 GB"),
        (12_000_000_000_000_000, "12000 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human(size) == text


def test_plain_lines_without_a_terminal() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.open()
    console.expect("x", 100)
    console.advance("x", 60)
    console.reuse("x", 40)
    console.say("x", "trying again")
    console.line("done")
    console.problem("FAILED y")
    console.finish("x")
    console.close()
    assert out.getvalue() == "   x: trying again\ndone\n"
    assert err.getvalue() == "FAILED y\n"
    assert (console.moved, console.reused) == (60, 40)
