"""Findings with their places: sorted, told once, and not about what follows from another."""

import pytest

from bundle.errors import FormatError, SpecError
from schema.syntax.problems import Place, Problem, Problems, did_you_mean, listed, raise_together


def at(line: int, column: int = 1) -> Place:
    return Place(line=line, column=column)


def test_a_problem_says_place_expectation_and_hint() -> None:
    problem = Problem(file="a.yaml", line=3, column=7, what="no 'x'", expected="one", hint="write it")
    assert str(problem) == "a.yaml:3:7: no 'x'; expected one; write it"
    assert str(Problem(file="a.yaml", line=3, column=7, what="no 'x'")) == "a.yaml:3:7: no 'x'"


def test_they_are_told_in_the_order_of_the_file_and_once() -> None:
    problems = Problems("f")
    assert not problems
    for place in (at(10), at(2, 5), at(2, 1), at(10)):
        problems.add(place, "wrong")
    assert problems
    assert [str(each) for each in problems] == ["f:2:1: wrong", "f:2:5: wrong", "f:10:1: wrong"]


def test_a_settled_place_is_not_complained_about_again() -> None:
    problems = Problems("f")
    problems.add_error(at(1), "'a'", FormatError("'x' is no size", hint="write 1GB"))
    problems.add(at(1), "'a' is too large")
    problems.add(at(2), "'b' is too large")
    assert [str(each) for each in problems] == ["f:1:1: 'a': 'x' is no size; write 1GB", "f:2:1: 'b' is too large"]
    assert problems.settled(at(1))
    assert not problems.settled(at(2))


def test_all_are_raised_together() -> None:
    Problems("f").raise_all()
    one, other = Problems("f"), Problems("g")
    one.add(at(1), "a")
    with pytest.raises(SpecError, match=r"^f has 1 problem:"):
        one.raise_all()
    other.add(at(1), "b")
    with pytest.raises(SpecError, match=r"^values has 2 problems:") as caught:
        raise_together([other, one, Problems("h")], "values")
    assert caught.value.problems == ("g:1:1: b", "f:1:1: a")


@pytest.mark.parametrize(
    ("name", "told"),
    [("imagse", "did you mean 'images'?"), ("chart", "did you mean 'charts'?"), ("zzz", ""), ("", "")],
)
def test_the_closest_name_is_offered(name: str, told: str) -> None:
    assert did_you_mean(name, ["images", "charts", "files"]) == told


def test_what_there_is_to_choose_from() -> None:
    assert listed(["b", "a"]) == "one of: a, b"
    assert listed([]) == "one that is defined, and none is"
