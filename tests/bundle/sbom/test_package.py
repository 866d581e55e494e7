import pytest
from packageurl import PackageURL

from bundle.sbom.package import Package, System

PACKAGES = {
    "plain": (Package(type="npm", name="left-pad", version="1.3.0"), "pkg:npm/left-pad@1.3.0"),
    "scope": (Package(type="npm", namespace="@types", name="node", version="20"), "pkg:npm/%40types/node@20"),
    "debian": (
        Package(
            type="deb",
            namespace="debian",
            name="libstdc++6",
            version="1:12.2.0-14+deb12u1~x",
            qualifiers={"distro": "debian-12", "arch": "amd64", "upstream": "gcc-12", "epoch": ""},
        ),
        "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64&distro=debian-12&upstream=gcc-12",
    ),
    "rpm keeps its case": (
        Package(type="rpm", namespace="fedora", name="ImageMagick", version="7.1-1.fc39", qualifiers={"epoch": "1"}),
        "pkg:rpm/fedora/ImageMagick@7.1-1.fc39?epoch=1",
    ),
    "python is normalised": (Package(type="pypi", name="Foo_Bar.x", version="1.0+cpu"), "pkg:pypi/foo-bar.x@1.0%2Bcpu"),
    "no version": (Package(type="rpm", name="x", version=""), "pkg:rpm/x"),
    "odd letters": (Package(type="npm", name="a/b c?#@", version="ü/1"), "pkg:npm/a%2Fb%20c%3F%23%40@%C3%BC%2F1"),
}


@pytest.mark.parametrize(("package", "purl"), PACKAGES.values(), ids=PACKAGES)
def test_the_purl(package: Package, purl: str) -> None:
    assert package.purl == purl


@pytest.mark.parametrize("package", [package for package, _ in PACKAGES.values()], ids=PACKAGES)
def test_another_reader_understands_the_purl(package: Package) -> None:
    read = PackageURL.from_string(package.purl)
    assert (read.type, read.version or "") == (package.type, package.version)
    assert read.qualifiers == {key: value for key, value in package.qualifiers.items() if value}
    told = (read.namespace or "", read.name)
    if package.type == "pypi":
        assert told == ("", "foo-bar.x")
    elif package.name != "a/b c?#@":  # packageurl-python takes an encoded slash for a separator
        assert told == (package.namespace, package.name)


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
