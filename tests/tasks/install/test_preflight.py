"""`preflight`: made before a change, and whenever it is asked for by its name."""

from pathlib import Path
from typing import NoReturn

import pytest

from bundle.errors import ClusterError, ProblemsError
from tasks.install.checks import probe_site
from tasks.install.preflight import CHANGING, preflight_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import INSTALL, VALUES, make_carried, receiving
from tests.fixtures.benches.workbench import Workbench, bundled


def test_it_is_left_out_where_nothing_would_change(receiver: Receiver) -> None:
    (step,) = preflight_steps(receiver)
    assert step.unless is not None
    assert step.inputs() is None, "what it looked at is never taken for looked at"
    assert {"push", "helm", "secret"} <= set(CHANGING)


@pytest.mark.parametrize(("words", "claims"), [((), True), (("preflight",), False)], ids=["install", "preflight"])
def test_it_waits_for_others_before_a_change_and_not_when_it_is_asked_for(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], claims: bool
) -> None:
    receiver = receiving(bundled(bench).bundle, tmp_path / "state", words=words, registry="127.0.0.1:1/team")
    claimed: list[str] = []
    monkeypatch.setattr(receiver, "claim", lambda: claimed.append("claimed"))
    (step,) = preflight_steps(receiver)
    assert (step.unless is None) is not claims
    with pytest.raises(ProblemsError, match="the site is not ready") as caught:
        step.action()
    assert any("127.0.0.1:1" in problem for problem in caught.value.problems), caught.value.problems
    assert bool(claimed) is claims


CHECKS = [
    {"tcp": "127.0.0.1:1"},
    {"tcp": "${site.host}:2"},
    {"tcp": "127.0.0.1:${site.port}"},
    {"run": ["false", "${site.host}"]},
    {"run": ["sh", "-c", "echo looked at it >&2; exit 1"]},
]


def test_a_setting_that_is_missing_or_wrong_hides_nothing_else(tmp_path: Path) -> None:
    """One line for each setting; the checks that do not need it are made, those that do are not."""
    install = {**INSTALL, "checks": [*CHECKS, {"run": ["./warn.sh"]}]}
    settings = {"host": {"type": "string"}, "port": {"type": "integer"}}
    (tmp_path / "made").mkdir()
    (tmp_path / "made/warn.sh").write_text("#!/bin/sh\necho 'look next: do it' >&2\n")
    (tmp_path / "made/warn.sh").chmod(0o755)
    bench = make_carried(tmp_path / "made", registry="127.0.0.1:9/team", install=install, site=settings)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/site.yaml").write_text("port: many\n")
    receiver = receiving(bench.bundle, tmp_path / "state", env={"PATH": "/usr/bin:/bin", "PW": "x"})
    receiver.cluster.kubectl.version = lambda: refuse("the cluster did not answer")  # type: ignore[method-assign]
    with pytest.raises(ProblemsError) as caught:
        probe_site(receiver)
    shown = receiver.project.console._out.getvalue()  # type: ignore[attr-defined]
    assert "   warning: check ./warn.sh: look\n     next: do it\n" in shown
    found = [problem.split("\n")[0] for problem in caught.value.problems]
    assert found[:2] == ["check sh: looked at it", "cluster: the cluster did not answer"]
    assert [line.partition(": ")[0] for line in found[2:4]] == ["registry 127.0.0.1:9", "tcp 127.0.0.1:1"]
    env, port, host = found[4:]
    assert env == "values: ${env.DB} is not set; used in secret 'db': 'url'"
    assert port.endswith("state/site.yaml: setting 'port' is 'many', expected a whole number")
    assert "state/site.yaml has no 'host'; used in action 'enroll': 'run', check 'tcp', check 'run' and 2 more" in host
    text = "\n".join(caught.value.problems)
    assert text.count("export DB=...") == 1, "what is to be done is said once"


def refuse(what: str) -> NoReturn:
    raise ClusterError(what)


def test_an_example_value_is_told_once_where_it_was_written(tmp_path: Path) -> None:
    bench = make_carried(tmp_path / "made", registry="127.0.0.1:9/team", values=f"{VALUES}mail: a@mycompany.com\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/site.yaml").write_text("host: web.mycompany.com\n")
    receiver = receiving(bench.bundle, tmp_path / "state")
    receiver.cluster.kubectl.version = lambda: refuse("the cluster did not answer")  # type: ignore[method-assign]
    with pytest.raises(ProblemsError) as caught:
        probe_site(receiver)
    problems = "\n".join(caught.value.problems)
    assert problems.count("state/site.yaml: host is still the example value 'web.mycompany.com'") == 1
