"""The command line's variables: how each is read."""

from pathlib import Path
from typing import Any

import pytest

from bundle.oci.reference import Reference
from tasks.runtime.variables import (
    VARIABLES,
    NamedArtifact,
    NamedRegistry,
    OptionError,
    host_of,
    is_loopback,
    read_variables,
)


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_has_a_help_and_a_side(name: str) -> None:
    variable = VARIABLES[name]
    assert variable.name == name
    assert variable.help
    assert variable.sides <= {"connected", "air-gapped"}
    assert variable.sides


HERE = Path("/work/here")


def read(name: str, text: str) -> Any:
    return read_variables({name: text}, HERE)[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("spec", "a/airgap.yaml", HERE / "a/airgap.yaml"),
        ("out", "/media/usb", Path("/media/usb")),
        ("jobs", "64", 64),
        ("keep", "1", 1),
        ("keep_days", "36500", 36_500),
        ("site", "", None),
        ("downgrade", "", False),
        ("downgrade", "allow", True),
        ("engine", "none", "none"),
        ("rehearsal", "", ""),
        ("use", " a, b ,,c", ("a", "b", "c")),
        ("use", "", ()),
        ("registry", "", NamedRegistry("", plain_http=False)),
        ("registry", "r.x:5000/team", NamedRegistry("r.x:5000/team", plain_http=False)),
        ("registry", "http://127.0.0.1:5000/x", NamedRegistry("127.0.0.1:5000/x", plain_http=True)),
        ("to", "oci://r.x/a/b", NamedArtifact(Reference.parse("r.x/a/b"), plain_http=False)),
        ("to", "http://localhost:5000/a:1", NamedArtifact(Reference.parse("localhost:5000/a:1"), plain_http=True)),
        ("from", "oci://r.x/a:1", NamedArtifact(Reference.parse("r.x/a:1"), plain_http=False)),
    ],
)
def test_what_a_text_stands_for(name: str, text: str, value: object) -> None:
    assert read(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("jobs", "1.5", "jobs=1.5 is not a number of transfers"),
        ("jobs", "-1", "is not a number of transfers"),
        ("keep", "0", "'0' is not a number of backups or days"),
        ("keep_days", "a week", "'a week' is not a number of backups or days"),
        ("keep_days", "36501", "is not a number of backups or days"),
        ("engine", "podman", "unsupported engine=podman"),
        ("to", "r.x/a:1", "to=r.x/a:1 is no place in a registry"),
        ("to", f"oci://r.x/a@sha256:{'0' * 64}", "what is published gets its digest then"),
        ("to", "http://r.x/a:1", "only a registry on loopback may be named with http://"),
        ("from", "oci://r.x/a", "from=oci://r.x/a is no whole name of a published bundle"),
        ("to", "oci://registry:5000", "to=oci://registry:5000 is no whole name of a published bundle"),
        ("to", "http://localhost:5000", "is no whole name of a published bundle"),
        ("from", "oci://a:1", "is no whole name of a published bundle"),
        ("from", "oci://r.x/A:1", "from=oci://r.x/A:1: "),
        ("registry", "http://10.0.0.5/x", "only a registry on loopback"),
        ("rehearsal", "everything", "is no extent of a rehearsal"),
        ("sites", "x", "unknown variable 'sites'"),
    ],
)
def test_what_stands_for_nothing(name: str, text: str, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(name, text)
    assert told in caught.value.what
    assert caught.value.hint


def test_a_bundle_is_also_the_directory_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "app-1.0.tar.001").touch()
    (tmp_path / "app-1.0.tar.sha256").touch()
    assert read("bundle", str(tmp_path)) == tmp_path / "app-1.0.tar"
    (tmp_path / "other.tar").touch()
    (tmp_path / "other.tar.sha256").touch()
    with pytest.raises(OptionError, match="holds several bundles"):
        read("bundle", str(tmp_path))


@pytest.mark.parametrize(
    ("registry", "here"),
    [
        ("localhost", True),
        ("localhost:5000/x", True),
        ("http://127.9.9.9/x", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("r.x/127.0.0.1", False),
    ],
)
def test_what_is_on_this_machine(registry: str, here: bool) -> None:
    assert is_loopback(registry) is here


def test_the_host_of_a_place() -> None:
    assert host_of("oci://r.x:5000/a/b:1") == host_of("r.x:5000/a") == "r.x:5000"
