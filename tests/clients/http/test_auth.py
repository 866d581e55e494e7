"""Logging in at registries."""

import base64
import json
from pathlib import Path

import pytest

from bundle.errors import NetworkError, RegistryError, SourceError
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from clients.http.auth import parse_challenges
from clients.http.credentials import Credentials
from clients.http.transport import Transport
from clients.registry.repository import Registries, RegistryRepository
from tests.fixtures.connections import MakeTransport
from tests.fixtures.servers.faulty_registry import FaultyRegistry, faulty_registry, instead, redirect

LOGIN = "me:hunter2"


def log_in(logins: Path, host: str, entry: dict[str, str] | None = None) -> None:
    auth = {"auth": base64.b64encode(LOGIN.encode()).decode()}
    logins.write_text(json.dumps({"auths": {host: entry or auth}}))


@pytest.fixture
def tokens(faulty: FaultyRegistry) -> FaultyRegistry:
    """The stand-in, wanting tokens from itself."""
    faulty.realm = f"{faulty.url}/token"
    return faulty


def test_basic(app: RegistryRepository, faulty: FaultyRegistry, logins: Path) -> None:
    image = faulty.put_image("team/app", "1", b"layer")
    faulty.basic = LOGIN
    log_in(logins, faulty.host)
    assert app.resolve().digest == image.digest
    assert app.manifest(image)
    assert len(faulty.seen) == 3  # a refusal, then the login from the start


def test_no_login(app: RegistryRepository, faulty: FaultyRegistry) -> None:
    faulty.put_image("team/app", "1")
    faulty.basic = LOGIN
    with pytest.raises(RegistryError, match=r"image 'app': .*401.*UNAUTHORIZED: authentication required") as caught:
        app.resolve()
    assert f"docker login {faulty.host}" in caught.value.hint


def test_a_wrong_login_is_not_repeated(app: RegistryRepository, faulty: FaultyRegistry, logins: Path) -> None:
    faulty.put_image("team/app", "1")
    faulty.basic = "me:other"
    log_in(logins, faulty.host)
    with pytest.raises(RegistryError, match="401") as caught:
        app.resolve()
    assert "hunter2" not in str(caught.value)
    assert len(faulty.seen) <= 4
    told = f"the login for {faulty.host} in {logins} is wrong, or has expired: docker login {faulty.host}"
    assert caught.value.hint == told  # and not the words for no login


def test_anonymous_tokens(app: RegistryRepository, tokens: FaultyRegistry) -> None:
    image = tokens.put_image("team/app", "1", b"layer")
    assert app.resolve().digest == image.digest
    assert app.manifest(image)
    (asked,) = tokens.requests("/token")
    assert asked.path == "/token?service=test&scope=repository%3Ateam%2Fapp%3Apull"
    assert "authorization" not in asked.headers


def test_tokens_for_a_login(app: RegistryRepository, tokens: FaultyRegistry, logins: Path) -> None:
    tokens.put_image("team/app", "1")
    tokens.basic = LOGIN
    log_in(logins, tokens.host)
    app.resolve()
    assert tokens.issued == 1


def test_an_identity_token_is_traded(app: RegistryRepository, tokens: FaultyRegistry, logins: Path) -> None:
    tokens.put_image("team/app", "1")
    tokens.basic = "the identity token"
    log_in(logins, tokens.host, {"identitytoken": "the identity token"})
    app.resolve()
    (asked,) = tokens.requests("POST /token")
    assert b"grant_type=refresh_token" in asked.body
    assert b"scope=repository%3Ateam%2Fapp%3Apull" in asked.body


def test_a_registry_token_is_used_as_it_is(app: RegistryRepository, tokens: FaultyRegistry, logins: Path) -> None:
    tokens.put_image("team/app", "1")
    tokens.tokens = {"ready"}
    log_in(logins, tokens.host, {"registrytoken": "ready"})
    app.resolve()
    assert not tokens.issued


def test_a_refused_login_says_where_it_came_from(app: RegistryRepository, tokens: FaultyRegistry, logins: Path) -> None:
    tokens.put_image("team/app", "1")
    tokens.basic = "me:other"
    log_in(logins, tokens.host)
    with pytest.raises(
        RegistryError, match=r"401.*incorrect username or password.*the login from .*config\.json"
    ) as caught:
        app.resolve()
    assert "is wrong, or has expired: docker login" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_an_expired_token_is_replaced_once(registries: Registries, tokens: FaultyRegistry) -> None:
    image = tokens.put_image("team/app", "1", b"layer")
    reference = Reference.parse(f"{tokens.host}/team/app:1")
    first = registries.repository(reference, subject="s")
    first.resolve()
    tokens.tokens.clear()
    first.manifest(image)
    assert tokens.issued == 2
    tokens.tokens.clear()
    registries.repository(reference, subject="s").resolve()  # finds the expired token at hand
    assert tokens.issued == 3


def test_a_token_that_does_not_help(app: RegistryRepository, tokens: FaultyRegistry) -> None:
    tokens.put_image("team/app", "1")
    tokens.tokens = type("Never", (set,), {"__contains__": lambda self, token: False})()
    with pytest.raises(RegistryError, match="401"):
        app.resolve()
    assert tokens.issued <= 4


def test_tokens_are_for_one_repository(registries: Registries, tokens: FaultyRegistry) -> None:
    for name in ("team/app", "team/web", "team/app"):
        tokens.put_image(name, "1")
        registries.repository(Reference.parse(f"{tokens.host}/{name}:1"), subject=name).resolve()
    assert [seen.path.partition("scope=")[2] for seen in tokens.requests("/token")] == [
        "repository%3Ateam%2Fapp%3Apull",
        "repository%3Ateam%2Fweb%3Apull",
    ]


def test_a_token_does_not_follow_a_redirect(
    app: RegistryRepository, tokens: FaultyRegistry, other: FaultyRegistry
) -> None:
    image = tokens.put_image("team/app", "1", b"layer")
    blob = tokens.put_blob(b"layer")
    tokens.plan("/blobs/", *[redirect(f"{other.url}/v2/x/blobs/{other.put_blob(b'layer')}")] * 3)
    app.manifest(image)
    descriptor = type(image)(media_type="x", digest=blob, size=5)
    assert b"".join(app.read(descriptor, 0)) == b"layer"
    assert "authorization" in tokens.requests("/blobs/")[-1].headers
    assert "authorization" not in other.seen[0].headers


def test_one_registrys_login_does_not_go_to_another(
    registries: Registries, faulty: FaultyRegistry, other: FaultyRegistry, logins: Path
) -> None:
    other.put_image("team/app", "1")
    other.basic = LOGIN
    log_in(logins, faulty.host)
    with pytest.raises(RegistryError, match="401"):
        registries.repository(Reference.parse(f"{other.host}/team/app:1"), subject="s").resolve()
    assert all("authorization" not in seen.headers for seen in other.seen)


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("http://localhost:{other}/token", id="another host"),
        pytest.param("http://127.0.0.1@localhost:{other}/token", id="user"),
        pytest.param("http://127.0.0.1:{own}@localhost:{other}/token", id="user and password"),
        pytest.param("http://127.0.0.1\\@localhost:{other}/token", id="backslash"),
        pytest.param("http://localhost:{other}#@127.0.0.1:{own}/token", id="fragment"),
        pytest.param("http://LOCALHOST.:{other}/token", id="case and dot"),
        pytest.param("//localhost:{other}/token", id="no scheme"),
    ],
)
def test_a_realm_that_looks_like_the_registry_gets_no_login(
    make_transport: MakeTransport, faulty: FaultyRegistry, other: FaultyRegistry, logins: Path, realm: str
) -> None:
    own, there = (each.host.rpartition(":")[2] for each in (faulty, other))
    faulty.put_image("team/app", "1")
    faulty.realm = realm.format(own=own, other=there)
    log_in(logins, faulty.host)
    hosts = dict.fromkeys((faulty.host, other.host, f"localhost:{there}"), HostSettings(plain_http=True))
    with make_transport(hosts) as transport:
        registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))
        with pytest.raises((SourceError, NetworkError)):
            registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject="image 'app'").resolve()
    assert all("authorization" not in seen.headers for seen in other.seen)


@pytest.mark.parametrize("entry", [None, {"identitytoken": "hunter2-token"}], ids=["password", "identity token"])
def test_a_login_does_not_follow_a_redirect_of_the_token_server(
    app: RegistryRepository,
    tokens: FaultyRegistry,
    other: FaultyRegistry,
    logins: Path,
    entry: dict[str, str] | None,
) -> None:
    tokens.put_image("team/app", "1")
    tokens.plan("/token", *[redirect(f"{other.url}/steal")] * 3)
    log_in(logins, tokens.host, entry)
    with pytest.raises((SourceError, NetworkError)):
        app.resolve()
    assert tokens.requests("/token")
    assert all("authorization" not in seen.headers and b"hunter2" not in seen.body for seen in other.seen)


def test_a_login_goes_to_no_realm_named_over_plain_http(
    app: RegistryRepository, faulty: FaultyRegistry, logins: Path
) -> None:
    faulty.put_image("team/app", "1")
    faulty.realm = "https://attacker.invalid/token"
    log_in(logins, faulty.host)
    with pytest.raises(SourceError, match=r"image 'app': .*wants the login sent to attacker\.invalid"):
        app.resolve()


def test_a_login_goes_to_no_realm_over_plain_http(
    make_transport: MakeTransport, certificate: Path, ca: Path, other: FaultyRegistry, logins: Path
) -> None:
    """Even when the registry itself names it, over TLS."""
    with faulty_registry(certificate=certificate) as faulty:
        faulty.put_image("team/app", "1")
        faulty.realm = f"{other.url}/token"
        log_in(logins, faulty.host)
        transport: Transport = make_transport({faulty.host: HostSettings(ca=ca)})
        registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))
        with pytest.raises(SourceError, match="plain HTTP"):
            registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject="s").resolve()
        transport.close()
    assert not other.seen


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_the_same_host_with_another_port_is_another_registry(
    make_transport: MakeTransport,
    faulty: FaultyRegistry,
    other: FaultyRegistry,
    logins: Path,
    declared: bool,
    listed: bool,
) -> None:
    """Unless docker's config holds the same login for it."""
    faulty.put_image("team/app", "1")
    faulty.realm = f"{other.url}/token"
    other.plan("/token", instead(200, b'{"token": "ready"}'))
    faulty.tokens = {"ready"}
    auth = {"auth": base64.b64encode(LOGIN.encode()).decode()}
    different = {"auth": base64.b64encode(b"me:another").decode()}
    logins.write_text(json.dumps({"auths": {faulty.host: auth, other.host: auth if listed else different}}))
    hosts = {faulty.host: HostSettings(plain_http=True)}
    with make_transport(hosts | ({other.host: HostSettings(plain_http=True)} if declared else {})) as transport:
        registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))
        repository = registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject="image 'app'")
        if declared and listed:
            repository.resolve()
            assert other.seen[0].headers["authorization"].startswith("Basic ")
            return
        with pytest.raises((SourceError, NetworkError), match="plain HTTP"):
            repository.resolve()
    assert not other.seen


@pytest.mark.parametrize("body", [b"hunter2", b'["hunter2"]', b'{"key": "hunter2"}', b'{"token": ""}'])
def test_a_token_server_that_gives_none(app: RegistryRepository, tokens: FaultyRegistry, body: bytes) -> None:
    tokens.put_image("team/app", "1")
    tokens.plan("/token", instead(200, body))
    with pytest.raises(SourceError, match=r"image 'app': the token server of .* answered without a token") as caught:
        app.resolve()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "challenges",
    [
        pytest.param('Negotiate, Basic realm="r", Bearer realm="{realm}",service="test"', id="three in one"),
        pytest.param('Bearer realm="{realm}"', id="no service, no scope"),
        pytest.param('bearer Realm="{realm}",error="invalid_token",error_description="a, b=c"', id="with its error"),
    ],
)
@pytest.mark.parametrize("member", ["token", "access_token"])
def test_challenges_and_tokens_as_registries_have_them(
    app: RegistryRepository, tokens: FaultyRegistry, challenges: str, member: str
) -> None:
    """Azure, GitLab and Artifactory answer with `access_token`; some offer several schemes."""
    image = tokens.put_image("team/app", "1")
    tokens.tokens.add("from-there")
    tokens.plan("/token", instead(200, f'{{"{member}": "from-there", "expires_in": 60}}'.encode()))
    wanted = instead(401, WWW_Authenticate=challenges.format(realm=tokens.realm))
    tokens.plan("HEAD", wanted)
    assert app.resolve().digest == image.digest
    assert tokens.seen[-1].headers["authorization"] == "Bearer from-there"
    assert "scope=repository%3Ateam%2Fapp%3Apull" in tokens.requests("/token")[0].path


@pytest.mark.parametrize("realm", ["", "/token", "nowhere"])
def test_a_challenge_without_a_realm(app: RegistryRepository, faulty: FaultyRegistry, realm: str) -> None:
    faulty.put_image("team/app", "1")
    faulty.realm = realm or " "
    with pytest.raises(SourceError, match="does not say from where"):
        app.resolve()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(['Basic realm="a b"'], [("basic", {"realm": "a b"})], id="basic"),
        pytest.param(
            ['Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push"'],
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:x/y:pull,push"})],
            id="bearer",
        ),
        pytest.param(
            ["BEARER Realm=plain , Service = s"], [("bearer", {"realm": "plain", "service": "s"})], id="loose"
        ),
        pytest.param(
            ['Basic realm="a", Bearer realm="b",service="c"'],
            [("basic", {"realm": "a"}), ("bearer", {"realm": "b", "service": "c"})],
            id="two-in-one",
        ),
        pytest.param(["Negotiate", 'Basic realm="a"'], [("negotiate", {}), ("basic", {"realm": "a"})], id="two-values"),
        pytest.param([r'Basic realm="a \"b\" \\"'], [("basic", {"realm": 'a "b" \\'})], id="escapes"),
        pytest.param(['realm="a"'], [], id="no-scheme"),
        pytest.param(["", "=,="], [], id="nonsense"),
    ],
)
def test_challenges(values: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in parse_challenges(values)] == expected
