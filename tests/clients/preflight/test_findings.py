"""Findings are gathered all at once, and told in order."""

import threading

import pytest

from bundle.errors import NetworkError
from clients.preflight.findings import Finding, collect, finding_of, render

REFUSED = Finding(subject="tcp b:1", what="connection refused")
OLD = Finding(subject="mysql a", what="the server is too old", expected="8.0", observed="5.7", hint="upgrade it")
ALIAS = Finding(subject="dns a", what="only in the hosts file", severity="warning")


def test_errors_come_before_warnings_and_subjects_in_order() -> None:
    assert collect([lambda: (ALIAS, REFUSED), lambda: (), lambda: (OLD,)]) == (OLD, REFUSED, ALIAS)


def test_the_same_finding_of_two_probes_is_told_once() -> None:
    assert collect([lambda: (OLD,), lambda: (OLD,)]) == (OLD,)


def test_no_probes_find_nothing() -> None:
    assert collect([]) == ()


def test_probes_run_side_by_side() -> None:
    together = threading.Barrier(8)

    def probe() -> tuple[Finding, ...]:
        together.wait(10)
        return ()

    assert collect([probe] * 8) == ()


def test_an_error_of_a_probe_is_a_finding_and_stops_no_other() -> None:
    def broken() -> tuple[Finding, ...]:
        raise NetworkError("no logins", hint="log in")

    assert collect([broken, lambda: (OLD,)]) == (OLD, Finding(subject="preflight", what="no logins", hint="log in"))


def test_an_error_does_not_tell_the_subject_twice() -> None:
    err = NetworkError("registry a: connection refused", hint="start it")
    found = Finding(subject="registry a", what="connection refused", hint="start it")
    assert finding_of(err, "registry a") == found


@pytest.mark.parametrize(
    ("finding", "lines"),
    [
        pytest.param(REFUSED, ["error: tcp b:1: connection refused"], id="plain"),
        pytest.param(ALIAS, ["warning: dns a: only in the hosts file"], id="warning"),
        pytest.param(
            OLD,
            ["error: mysql a: the server is too old: expected 8.0, found 5.7", "  next: upgrade it"],
            id="expected-and-found",
        ),
    ],
)
def test_findings_as_lines(finding: Finding, lines: list[str]) -> None:
    assert render([finding]) == lines
