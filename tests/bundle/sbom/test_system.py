import pytest

from bundle.sbom.package import System


@pytest.mark.parametrize(
    ("text", "system", "distro", "vendor"),
    [
        pytest.param(
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n# NAME=x\n',
            System(id="debian", version="12", title="Debian GNU/Linux 12 (bookworm)"),
            "debian-12",
            "debian",
            id="debian",
        ),
        pytest.param(
            "ID='rhel'\nVERSION_ID=9.4",
            System(id="rhel", version="9.4", title="rhel 9.4"),
            "rhel-9.4",
            "redhat",
            id="rhel",
        ),
        pytest.param("ID=arch\n", System(id="arch", title="arch"), "arch", "arch", id="no version"),
        pytest.param('ID="open\nno assignment\n', System(id="open", title="open"), "open", "open", id="odd quotes"),
        pytest.param("", System(), "", "default", id="empty"),
    ],
)
def test_os_release(text: str, system: System, distro: str, vendor: str) -> None:
    read = System.parse(text.encode())
    assert (read, read.distro, read.vendor("default")) == (system, distro, vendor)
