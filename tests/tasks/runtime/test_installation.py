"""What is said where a package is not installed."""

import shlex
from pathlib import Path

import pytest

from tasks.runtime import installation
from tasks.runtime.installation import CHECKOUT, how_to_install, missing_package


def absent(name: str | None) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_the_package_and_what_to_type() -> None:
    told = missing_package(absent("yaml.nodes"))
    assert told.startswith(f"module 'yaml' is not installed, the checkout {CHECKOUT} needs it; next: cd ")
    assert "\n" not in told
    assert (CHECKOUT / "pyproject.toml").is_file()


def test_a_path_with_spaces_can_be_pasted() -> None:
    words = shlex.split(how_to_install(Path("/my checkout's")).partition(" && ")[0])
    assert words == ["cd", "/my checkout's"]


def test_an_installation_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "INSTALLED", True)
    told = missing_package(absent("yaml"))
    assert told.startswith("module 'yaml' is not installed; next: ")
    assert shlex.split(told.partition("next: ")[2])[1:] == [
        "-m",
        "pip",
        "install",
        "--upgrade",
        "--force-reinstall",
        "airgap-doit",
    ]


@pytest.mark.parametrize("name", ["tasks.nothing", "bundle", "dodo", "", None])
def test_a_module_of_ours_is_a_fault_that_no_installation_mends(name: str | None) -> None:
    assert missing_package(absent(name)) == ""


def test_the_zipapp_carries_what_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "CHECKOUT", Path("/bundle/airgap.pyz"))
    assert missing_package(absent("yaml")) == ""
