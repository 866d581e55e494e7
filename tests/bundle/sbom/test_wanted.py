"""Which files of a layer an inventory wants."""

from bundle.sbom import _wanted as wanted


def test_every_wanted_place_may_be_behind_a_link() -> None:
    assert all(wanted.may_lead(path) for path in ("var/lib/rpm", "lib", "usr/share/doc/x", "usr/share/doc"))
    assert not any(wanted.may_lead(path) for path in ("opt/x", "usr/bin", "usr/share/doc/x/y/z/deep"))
