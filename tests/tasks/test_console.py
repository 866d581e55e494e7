"""What is printed without a terminal."""

import io

from tasks.console import Console


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
