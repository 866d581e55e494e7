"""Requests that succeed or say why not."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from bundle.errors import AirgapError, IntegrityError, NetworkError, RegistryError, SourceError
from bundle.oci.locations import HostSettings
from bundle.storage.files import CHUNK
from clients.http.transport import Transport
from tests.fixtures.connections import DATA, MakeTransport, RecordingMeter, fetch, get
from tests.fixtures.servers.faulty_registry import (
    Answer,
    Fault,
    FaultyRegistry,
    Seen,
    cut,
    faulty_registry,
    instead,
    redirect,
    refusal,
    stall,
    with_headers,
)  # fmt: skip

# Streams.


@pytest.mark.parametrize("offset", [0, 1, 150_000, len(DATA) - 1, len(DATA)])
def test_a_stream_starts_at_its_offset(transport: Transport, blob: str, offset: int) -> None:
    assert fetch(transport, blob, offset=offset) == DATA[offset:]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([cut(100_000)], id="cut"),
        pytest.param([cut(100_000), cut(170_000), cut(250_000)], id="cut-thrice"),
        pytest.param([cut(0), cut(0)], id="cut-at-once"),
        pytest.param([instead(503), instead(500)], id="refused-at-first"),
        pytest.param([cut(100_000), instead(502), cut(170_000)], id="mixed"),
        pytest.param([with_headers(Content_Length="100000")], id="content-length-short"),
        pytest.param([with_headers(Content_Length="900000")], id="content-length-long"),
        pytest.param([with_headers(Content_Length="")], id="content-length-absent"),
        pytest.param([with_headers(Content_Encoding="gzip")], id="content-encoding"),
    ],
)
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_a_stream_survives(
    transport: Transport, faulty: FaultyRegistry, blob: str, faults: list[Fault], ranges: bool
) -> None:
    faulty.ranges = ranges
    faulty.plan("GET", *faults)
    assert fetch(transport, blob) == DATA


def test_a_cut_stream_goes_on_by_range(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", cut(200_000))
    fetch(transport, blob)
    first, second = faulty.seen
    assert "range" not in first.headers
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 60_000 < start <= 200_000


def test_a_stalled_stream_goes_on(make_transport: MakeTransport, faulty: FaultyRegistry, blob: str) -> None:
    transport = make_transport({faulty.host: HostSettings(plain_http=True)}, read_timeout=1.0)
    faulty.plan("GET", stall(100_000))
    assert fetch(transport, blob) == DATA
    assert len(faulty.seen) == 2


def test_progress_renews_the_attempts(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", *[cut(70_000), instead(503)] * 4)
    assert fetch(transport, blob) == DATA


def test_attempts_without_progress_are_used_up(
    transport: Transport, faulty: FaultyRegistry, blob: str, pauses: list[float]
) -> None:
    faulty.plan("GET", *[cut(0)] * 5)
    with pytest.raises(NetworkError, match=r"image 'app': 127\.0\.0\.1:\d+: .* gave up after 3 attempts") as caught:
        fetch(transport, blob)
    assert caught.value.hint
    assert len(faulty.seen) == 3
    assert pauses == [0.5, 1.0]


def test_a_blob_that_is_shorter_than_it_should_be(transport: Transport, blob: str) -> None:
    with pytest.raises(IntegrityError, match=r"image 'app'.* only 307200 bytes"):
        fetch(transport, blob, size=len(DATA) + 5)


def test_never_more_than_the_size(transport: Transport, blob: str) -> None:
    assert fetch(transport, blob, size=1000) == DATA[:1000]


def test_a_range_that_starts_early_is_skipped_to(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    def early(seen: Seen, right: Answer) -> Answer:
        return Answer(status=206, headers={"Content-Range": f"bytes 50-{len(DATA) - 1}/{len(DATA)}"}, body=DATA[50:])

    faulty.plan("GET", early)
    assert fetch(transport, blob, offset=100_000) == DATA[100_000:]


def test_unknown_size_ends_with_the_body(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", with_headers(ETag='"1"'), with_headers(ETag='"1"'))
    assert fetch(transport, blob, size=None) == DATA


def test_unknown_size_and_cut(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", cut(100_000))
    assert fetch(transport, blob, size=None) == DATA


def test_what_changes_meanwhile_is_not_mixed(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    def first(seen: Seen, right: Answer) -> Answer:
        return Answer(headers={"ETag": '"1"'}, body=right.body, cut=100_000)

    faulty.plan("GET", first, with_headers(ETag='"2"'))
    with pytest.raises(SourceError, match=r"image 'app': .* changed it"):
        fetch(transport, blob, size=None)


def test_chunks_grow_to_their_full_size(transport: Transport, faulty: FaultyRegistry) -> None:
    data = bytes(4 * 1024 * 1024)
    url = f"{faulty.url}/v2/team/app/blobs/{faulty.put_blob(data)}"
    sizes = [len(chunk) for chunk in transport.stream(url, subject="s", size=len(data))]
    assert sizes[0] == 64 * 1024
    assert max(sizes) == CHUNK
    assert sum(sizes) == len(data)


def test_unknown_size_and_nothing_left(transport: Transport, blob: str) -> None:
    assert fetch(transport, blob, size=None, offset=len(DATA)) == b""


# Refusals.


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_permanent_refusals_fail_at_once(transport: Transport, faulty: FaultyRegistry, blob: str, status: int) -> None:
    faulty.plan("GET", refusal(status, "DENIED", "not for you"))
    with pytest.raises(RegistryError, match=r"^image 'app': 127.*answered 4\d\d .*\(DENIED: not for you\)$") as caught:
        get(transport, blob)
    assert (caught.value.status, caught.value.code) == (status, "DENIED")
    assert len(faulty.seen) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_refusals_are_tried_again(
    transport: Transport, faulty: FaultyRegistry, blob: str, status: int, meter: RecordingMeter
) -> None:
    faulty.plan("GET", instead(status), instead(status))
    assert get(transport, blob) == DATA
    assert any(str(status) in said and "trying again" in said for said in meter.said)


def test_transient_refusals_end(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", *[refusal(429, "TOOMANYREQUESTS", "slow down")] * 3)
    with pytest.raises(RegistryError, match=r"429 .*slow down\); gave up after 3 attempts") as caught:
        get(transport, blob)
    assert caught.value.status == 429


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [pytest.param("17", 17.0, id="seconds"), pytest.param("Sun, 09 Sep 2001 01:47:20 GMT", 40.0, id="date")],
)
def test_retry_after_is_honoured(
    transport: Transport,
    faulty: FaultyRegistry,
    blob: str,
    pauses: list[float],
    retry_after: str,
    pause: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.time", lambda: 1_000_000_000.0)
    faulty.plan("GET", instead(429, Retry_After=retry_after))
    assert get(transport, blob) == DATA
    assert pauses == [pause]


def test_a_retry_after_of_an_hour_fails_saying_so(
    transport: Transport, faulty: FaultyRegistry, blob: str, pauses: list[float]
) -> None:
    faulty.plan("GET", instead(429, Retry_After="3600"))
    with pytest.raises(RegistryError, match="asks to wait 3600 s"):
        get(transport, blob)
    assert pauses == []


def test_a_small_answer_that_stalls(make_transport: MakeTransport, faulty: FaultyRegistry, blob: str) -> None:
    transport = make_transport({faulty.host: HostSettings(plain_http=True)}, read_timeout=1.0)
    faulty.plan("GET", stall(10), cut(10))
    assert get(transport, blob) == DATA
    assert len(faulty.seen) == 3


def test_a_large_answer_is_not_read(transport: Transport, blob: str) -> None:
    with pytest.raises(SourceError, match="more than 1000 bytes"):
        get(transport, blob, limit=1000)


# Redirects.


def test_a_redirect_keeps_the_range_and_not_the_login(
    transport: Transport, faulty: FaultyRegistry, other: FaultyRegistry, blob: str
) -> None:
    elsewhere = f"{other.url}/v2/x/blobs/{other.put_blob(DATA)}"
    faulty.plan("GET", redirect(elsewhere))
    chunks = transport.stream(
        blob, subject="s", size=len(DATA), offset=1000, headers={"Authorization": "Basic c2VjcmV0", "X-Other": "kept"}
    )
    assert b"".join(chunks) == DATA[1000:]
    assert faulty.seen[0].headers["authorization"] == "Basic c2VjcmV0"
    assert other.seen[0].headers["range"] == "bytes=1000-"
    assert other.seen[0].headers["x-other"] == "kept"
    assert "authorization" not in other.seen[0].headers


def test_a_redirect_at_home_keeps_the_login(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("/start", redirect(blob.removeprefix(faulty.url)))
    transport.get(f"{faulty.url}/start", subject="s", limit=len(DATA), headers={"Authorization": "Basic x"})
    assert faulty.seen[1].headers["authorization"] == "Basic x"


@pytest.mark.parametrize("location", ["http://a.test:99999/", "http://[broken/", "ftp://a.test/"])
def test_a_redirect_to_nowhere(transport: Transport, faulty: FaultyRegistry, location: str) -> None:
    faulty.plan("GET", redirect(location))
    with pytest.raises(SourceError, match=r"image 'app': .* is not an address"):
        get(transport, f"{faulty.url}/start")


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "//", "https://..:443/", "http://127.0.0.1:\xb2/", "/x\x00y"],
    ids=ascii,
)
def test_an_odd_redirect_is_one_line(transport: Transport, faulty: FaultyRegistry, location: str) -> None:
    faulty.plan("GET", *[redirect(location)] * 9)
    with pytest.raises((SourceError, NetworkError)) as caught:
        get(transport, f"{faulty.url}/start")
    assert caught.value.what.isprintable()


def test_headers_without_end(transport: Transport, faulty: FaultyRegistry) -> None:
    faulty.plan("GET", *[with_headers(**{f"X{number}": "y" * 1000 for number in range(200)})] * 9)
    with pytest.raises((SourceError, NetworkError)) as caught:
        get(transport, f"{faulty.url}/start")
    assert caught.value.what.isprintable()


def test_an_address_that_is_none(transport: Transport) -> None:
    with pytest.raises(SourceError, match=r"image 'app': 'https://a\.test:port/' is not an address"):
        fetch(transport, "https://a.test:port/")


def test_redirects_in_circles_end(transport: Transport, faulty: FaultyRegistry) -> None:
    faulty.plan("GET", *[redirect("/again")] * 30)
    with pytest.raises(SourceError, match="circles"):
        get(transport, f"{faulty.url}/start")


def test_a_redirect_to_undeclared_plain_http_is_refused(
    make_transport: MakeTransport, faulty: FaultyRegistry, other: FaultyRegistry
) -> None:
    transport = make_transport({faulty.host: HostSettings(plain_http=True)})
    faulty.plan("GET", redirect(f"{other.url}/x"))
    with pytest.raises(SourceError, match=f"{other.host} would be reached over plain HTTP"):
        get(transport, f"{faulty.url}/start")
    assert not other.seen


def test_what_is_posted_does_not_follow_a_redirect_elsewhere(
    transport: Transport, faulty: FaultyRegistry, other: FaultyRegistry
) -> None:
    faulty.plan("POST", redirect(f"{other.url}/x"))
    with pytest.raises(SourceError, match="redirects what was sent"):
        transport.request("POST", f"{faulty.url}/token", subject="s", body=b"secret")
    assert not other.seen


# Hosts.


def test_plain_http_reads_no_authorities(transport: Transport, blob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.http._connections.client_context", lambda **_: pytest.fail("there is no TLS"))
    assert fetch(transport, blob) == DATA


def test_plain_http_must_be_declared(make_transport: MakeTransport, faulty: FaultyRegistry, blob: str) -> None:
    with pytest.raises(SourceError, match="without TLS") as caught:
        get(make_transport({}), blob)
    assert f"{faulty.host}: {{plain_http: true}}" in caught.value.hint
    assert not faulty.seen


def test_a_host_that_does_not_speak_tls(
    make_transport: MakeTransport, faulty: FaultyRegistry, pauses: list[float]
) -> None:
    with pytest.raises(NetworkError, match="does not speak TLS") as caught:
        get(make_transport({}), f"https://{faulty.host}/")
    assert "plain_http" in caught.value.hint
    assert pauses == []


def test_tls_with_a_declared_ca(make_transport: MakeTransport, certificate: Path, ca: Path) -> None:
    with faulty_registry(certificate=certificate) as faulty:
        url = f"{faulty.url}/v2/team/app/blobs/{faulty.put_blob(DATA)}"
        faulty.plan("GET", cut(100_000))
        transport = make_transport({faulty.host: HostSettings(ca=ca)})
        assert fetch(transport, url) == DATA
        transport.close()


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        pytest.param([], 1, id="none"),
        pytest.param([with_headers(Content_Length="")], 1, id="until it ends"),
        pytest.param([cut(100_000)], 2, id="cut"),
        pytest.param([stall(100_000)], 2, id="stall"),
        pytest.param([cut(0), cut(70_000), stall(16_384)], 4, id="again and again"),
    ],
)
def test_a_stream_over_tls(
    make_transport: MakeTransport, certificate: Path, ca: Path, faults: list[Fault], requests: int
) -> None:
    with faulty_registry(certificate=certificate) as faulty:
        url = f"{faulty.url}/v2/team/app/blobs/{faulty.put_blob(DATA)}"
        faulty.plan("GET", *faults)
        transport = make_transport({faulty.host: HostSettings(ca=ca)}, read_timeout=1.5)
        assert fetch(transport, url) == DATA
        assert len(faulty.seen) == requests
        transport.close()


def test_tls_without_it(make_transport: MakeTransport, certificate: Path, pauses: list[float]) -> None:
    with faulty_registry(certificate=certificate) as faulty:
        with pytest.raises(NetworkError, match=r"certificate of .* is not trusted") as caught:
            get(make_transport({}), faulty.url)
        assert f"{faulty.host}: {{ca: FILE}}" in caught.value.hint
    assert pauses == []


def test_a_downgrade_is_refused(
    make_transport: MakeTransport, certificate: Path, ca: Path, other: FaultyRegistry
) -> None:
    with faulty_registry(certificate=certificate) as faulty:
        faulty.plan("GET", redirect(f"{other.url}/x"))
        transport = make_transport({faulty.host: HostSettings(ca=ca)})
        with pytest.raises(SourceError, match="without TLS"):
            get(transport, faulty.url)
        transport.close()


def test_a_ca_that_is_none(make_transport: MakeTransport, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    with pytest.raises(SourceError, match=r"ca\.crt.*No such file"):
        get(make_transport({"a.test": HostSettings(ca=ca)}), "https://a.test/")
    ca.write_text("not PEM")
    with pytest.raises(SourceError, match=r"image 'app': the certificates declared for a\.test .*ca\.crt"):
        get(make_transport({"a.test": HostSettings(ca=ca)}), "https://a.test/")


def test_a_closed_port_is_tried_again(make_transport: MakeTransport, pauses: list[float]) -> None:
    with faulty_registry() as gone:
        pass
    transport = make_transport({gone.host: HostSettings(plain_http=True)})
    with pytest.raises(NetworkError, match="connection refused; gave up after 3 attempts"):
        get(transport, gone.url)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        pytest.param("a.test", "a.test", id="same"),
        pytest.param("A.test", "a.TEST", id="case"),
        pytest.param("a.test:443", "a.test", id="default-port-declared"),
        pytest.param("a.test", "a.test:443", id="default-port-asked"),
        pytest.param("a.test:5000", "a.test:5000", id="port"),
    ],
)
def test_settings_of_a_host(make_transport: MakeTransport, declared: str, asked: str) -> None:
    settings = HostSettings(mirror="m")
    assert make_transport({declared: settings}).settings(asked) is settings


def test_settings_are_for_one_port(make_transport: MakeTransport) -> None:
    assert not make_transport({"a.test": HostSettings(plain_http=True)}).settings("a.test:5000").plain_http


def test_a_proxy_is_used(make_transport: MakeTransport, faulty: FaultyRegistry) -> None:
    """The stand-in plays the proxy: it is asked for an absolute address."""
    transport = make_transport(
        {"registry.test": HostSettings(plain_http=True)}, HTTP_PROXY=f"http://me:pw@{faulty.host}"
    )
    faulty.plan("GET", instead(200, b"by proxy"))
    assert get(transport, "http://registry.test/v2/") == b"by proxy"
    assert faulty.seen[0].path == "http://registry.test/v2/"
    assert faulty.seen[0].headers["proxy-authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://127.0.0.1:1", "http://proxy.invalid:1"])
def test_a_proxy_that_does_not_work(make_transport: MakeTransport, proxy: str) -> None:
    with pytest.raises(SourceError, match="proxy") as caught:
        get(make_transport({}, HTTPS_PROXY=proxy), "https://registry.test/")
    assert "HTTPS_PROXY" in caught.value.hint


def test_a_proxy_that_refuses_is_not_asked_again(
    make_transport: MakeTransport, faulty: FaultyRegistry, pauses: list[float]
) -> None:
    faulty.plan("CONNECT", instead(407))
    with pytest.raises(NetworkError, match=r"registry\.test can't be reached through the proxy: .*407"):
        get(make_transport({}, HTTPS_PROXY=faulty.url), "https://registry.test/")
    assert pauses == []


def test_a_client_certificate_is_shown(
    make_transport: MakeTransport, authority: trustme.CA, certificate: Path, ca: Path, tmp_path: Path
) -> None:
    cert, key = tmp_path / "client.crt", tmp_path / "client.key"
    issued = authority.issue_cert("operator@example.test")
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    with faulty_registry(certificate=certificate, client_ca=ca) as faulty:
        faulty.plan("GET", instead(200, b"welcome"))
        transport = make_transport({faulty.host: HostSettings(ca=ca, client_cert=cert, client_key=key)})
        assert get(transport, faulty.url) == b"welcome"
        transport.close()
        with pytest.raises(AirgapError, match=r"image 'app': 127"):
            get(make_transport({faulty.host: HostSettings(ca=ca)}), faulty.url)


def test_a_small_answer_that_drips_has_a_total_time(make_transport: MakeTransport) -> None:
    """A byte now and then is never late for the socket."""
    ended = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4000000")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not ended.wait(0.05):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    hosts = {host: HostSettings(plain_http=True)}
    with make_transport(hosts, answer_timeout=0.5) as transport, pytest.raises(NetworkError, match="took more than"):
        transport.get(f"http://{host}/", subject="chart 'x'", limit=4_000_000)
    ended.set()
    server.shutdown()
    server.server_close()
