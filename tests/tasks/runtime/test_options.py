"""The command line's variables."""

from pathlib import Path

import pytest

from tasks.runtime.options import Options
from tasks.runtime.variables import OptionError

CWD = Path("/work/here")


def parse(**given: str) -> Options:
    return Options.parse(given, cwd=CWD, default_jobs=4, user_state=Path("/home/me/.local/state/airgap"))


def test_defaults() -> None:
    options = parse()
    assert options.spec == CWD / "airgap.yaml"
    assert options.out == CWD / "dist"
    assert options.state == CWD / ".airgap"
    assert options.bundle is None
    assert options.jobs == 4


def test_state_lies_beside_the_spec() -> None:
    assert parse(spec="app/airgap.yaml").state == CWD / "app" / ".airgap"
    assert parse(spec="app/airgap.yaml", state="/var/cache/x").state == Path("/var/cache/x")


def test_without_a_spec_state_is_the_users(tmp_path: Path) -> None:
    assert parse(bundle="/media/usb/app-1.0").state == Path("/home/me/.local/state/airgap")
    (tmp_path / "airgap.yaml").touch()
    assert parse(bundle="x", spec=str(tmp_path / "airgap.yaml")).state == tmp_path / ".airgap"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sepc": "x"}, "did you mean spec="),
        ({"verbose": "1"}, "known are: "),
        ({"jobs": "0"}, "from 1 to 64"),
        ({"jobs": "many"}, "from 1 to 64"),
        ({"jobs": "65"}, "from 1 to 64"),
        ({"registry": "http://registry.example.com/x"}, "only a registry on loopback"),
        ({"registry": "http://127.0.0.1.example.com/x"}, "only a registry on loopback"),
        ({"registry": "https://registry.example.com/x"}, "is an address"),
        ({"registry": "registry.example.com/Upper"}, "is no place in a registry"),
        ({"site": "nowhere.yaml"}, "site=/work/here/nowhere.yaml: there is no such file"),
        ({"rehearsal": "cluster"}, "goes with a registry on loopback only"),
        ({"rehearsal": "images", "registry": "registry.example.com/x"}, "goes with a registry on loopback only"),
        ({"trust": "/nowhere/signers"}, "trust=/nowhere/signers: there is no such file"),
        ({"downgrade": "yes"}, "write downgrade=allow"),
        ({"rehearsal": "all", "registry": "127.0.0.1:5000/x"}, "write images or cluster"),
    ],
)
def test_refusals(given: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse(**given)


@pytest.mark.parametrize(
    ("registry", "named", "plain"),
    [
        pytest.param("127.0.0.1:5000/x", "127.0.0.1:5000/x", set(), id="TLS unless said"),
        pytest.param("http://127.0.0.1:5000/x", "127.0.0.1:5000/x", {"127.0.0.1:5000"}, id="plain HTTP on loopback"),
        pytest.param("http://localhost:5000", "localhost:5000", {"localhost:5000"}, id="by name"),
    ],
)
def test_a_registry_on_loopback_may_speak_plain_http(registry: str, named: str, plain: set[str]) -> None:
    options = parse(registry=registry)
    assert options.registry == named
    assert {host for host, settings in options.hosts.items() if settings.plain_http} == plain


def test_what_since_means_is_said_by_whoever_parses() -> None:
    where = {"cwd": CWD, "user_state": CWD}
    made = Options.parse({"since": "x"}, default_jobs=4, words=["report"], **where)
    assert (made.since, made.compared) == (CWD / "x", None)
    compared = Options.parse({"since": "x"}, default_jobs=4, comparing=True, **where)
    assert (compared.since, compared.compared) == (None, CWD / "x")
