"""Whom the site trusts, and where its list of signers may lie."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import FormatError, TrustError
from schema.site.site import Site, SiteTrust
from tasks.runtime.options import Options
from tasks.site.trust import refuse_other_bundle, site_trust
from tests.fixtures.parts.ssh_keys import Key, make_key

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture
def options(tmp_path: Path) -> Options:
    for name in ("media/app-1.0", "state"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "media/app-1.0.tar").touch()
    return Options.parse({"state": str(tmp_path / "state")}, cwd=tmp_path, default_jobs=1, user_state=tmp_path)


def site(signers: Path, *, require: bool = True) -> Site:
    return replace(Site(label="site.yaml"), trust=SiteTrust(signers=signers, require=require))


def test_where_nobody_names_a_list_nothing_is_demanded(options: Options, tmp_path: Path) -> None:
    assert site_trust(options, Site(), tmp_path / "media/app-1.0", ENV) is None


def test_the_command_line_goes_before_the_site(options: Options, tmp_path: Path, key: Key) -> None:
    own = key.signers(tmp_path / "own", who="own@example.com")
    given = key.signers(tmp_path / "given", who="given@example.com")
    bundle = tmp_path / "media/app-1.0"
    by_site = site_trust(options, site(own, require=False), bundle, ENV)
    by_word = site_trust(replace(options, trust=given), site(own, require=False), bundle, ENV)
    assert by_site
    assert by_word
    assert (by_site.signers.label, by_site.required) == (str(own), False)
    assert (by_word.signers.label, by_word.required) == (str(given), True)


@pytest.mark.parametrize(
    ("where", "bundle", "told"),
    [
        ("media/app-1.0/signers", "media/app-1.0", "lies in the bundle"),
        ("media/signers", "media/app-1.0.tar", "lies beside the bundle"),
    ],
)
def test_a_list_that_may_have_come_along_vouches_for_nothing(
    options: Options, tmp_path: Path, key: Key, where: str, bundle: str, told: str
) -> None:
    signers = key.signers(tmp_path / where)
    with pytest.raises(TrustError, match=told) as caught:
        site_trust(options, site(signers), tmp_path / bundle, ENV)
    assert "keep it on this machine" in caught.value.hint
    (tmp_path / "link").symlink_to(signers)
    with pytest.raises(TrustError, match=told):
        site_trust(options, site(tmp_path / "link"), tmp_path / bundle, ENV)


def test_a_list_that_can_not_be_read_is_an_error(options: Options, tmp_path: Path) -> None:
    (tmp_path / "signers").write_text("")
    with pytest.raises(FormatError):
        site_trust(options, site(tmp_path / "signers"), tmp_path / "media/app-1.0", ENV)


@pytest.mark.parametrize("path", [ENV["PATH"], "/nowhere"], ids=["ssh-keygen", "Python"])
def test_signatures_are_judged_with_and_without_ssh_keygen(
    options: Options, tmp_path: Path, key: Key, path: str
) -> None:
    trust = site_trust(options, site(key.signers(tmp_path / "signers")), tmp_path / "media/app-1.0", {"PATH": path})
    assert trust
    assert trust(b"sums\n", key.sign(b"sums\n"), subject="bundle 'x'")
    with pytest.raises(TrustError, match="is not over this SHA256SUMS"):
        trust(b"other\n", key.sign(b"sums\n"), subject="bundle 'x'")


def test_python_judges_ed25519_only(options: Options, tmp_path: Path) -> None:
    rsa = make_key(tmp_path / "rsa", kind="rsa")
    trust = site_trust(
        options, site(rsa.signers(tmp_path / "signers")), tmp_path / "media/app-1.0", {"PATH": "/nowhere"}
    )
    assert trust
    with pytest.raises(TrustError, match="can't be checked here: ") as caught:
        trust(b"sums\n", rsa.sign(b"sums\n"), subject="bundle 'x'")
    assert "only Ed25519 signatures can be checked" in caught.value.hint


@pytest.mark.parametrize(("bundles", "refused"), [((), False), (("app",), False), (("web", "db"), True)])
def test_a_site_takes_the_bundles_that_it_names(bundles: tuple[str, ...], refused: bool) -> None:
    named = replace(Site(label="site.yaml"), trust=SiteTrust(signers=None, require=False, bundles=bundles))
    if refused:
        with pytest.raises(TrustError, match=r"this is bundle 'app', expected 'web' or 'db', .* of site\.yaml"):
            refuse_other_bundle(named, "app")
    else:
        refuse_other_bundle(named, "app")
        refuse_other_bundle(Site(), "app")
