"""HTTP(S) requests that succeed or say why not: pools, TLS, proxies, time-outs, redirects, retries, resumed streams."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3.util import parse_url

from bundle.errors import IntegrityError, NetworkError, SourceError
from bundle.meter import Meter, SilentMeter
from bundle.oci.locations import HostSettings
from clients.http._bodies import chunks, is_coded, small_body
from clients.http._connections import Connections
from clients.http.addresses import address, netloc, origin
from clients.http.errors import Fault, network_fault, refusal
from clients.http.messages import Authorizer, Body, Method, Response, StreamedBody
from clients.http.pace import Pace
from clients.http.retry import TRANSIENT_STATUSES, Attempts, RetryPolicy, TransientError

_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REFUSAL = 64 * 1024  # bytes of a refusal's body that are looked at
_PRIVATE_HEADERS = frozenset({"authorization", "cookie"})
_USER_AGENT = "airgap-doit"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request as the caller made it; `subject` is what the user knows it by."""

    method: Method
    url: str
    subject: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    auth: Authorizer | None = None

    @property
    def host(self) -> str:
        return netloc(self.url)


class Transport:
    """Requests to any host, each with the settings that the spec declares for it. Safe for several threads.

    A refusal is a RegistryError with the host's own words, a host that can't be reached a NetworkError; both quote the
    subject. What may pass (connection faults, time-outs, 408, 429, 5xx) is tried again as the RetryPolicy says.
    Authorization goes to the address it was asked for and never along with a redirect to another.
    """

    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        *,
        retry: RetryPolicy | None = None,
        meter: Meter | None = None,
        pool_size: int = 16,
        connect_timeout: float = 15.0,
        read_timeout: float = 60.0,
        store_timeout: float = 600.0,
        answer_timeout: float = 120.0,
        least_rate: float = 1024.0,
        rate_time: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`hosts` by `host[:port]`; `pool_size` idle connections kept for each host; time-outs in seconds.

        `answer_timeout` is for a small answer and all headers, each from its first byte to its last, `store_timeout`
        for the answer to a StreamedBody or a PUT: some stores copy and hash a whole blob before it. `least_rate` is in
        bytes a second, as an average of `rate_time` seconds of waiting; whoever sends more slowly has failed.
        The environment (default: the process's) names the proxies.
        """
        self._retry = retry or RetryPolicy()
        self._answer_timeout = answer_timeout
        self._least = round(least_rate * rate_time)
        self._meter = meter or SilentMeter()
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        # On a new connection, urllib3 sends with the time-out for connecting.
        self._storing = urllib3.Timeout(connect=read_timeout, read=store_timeout)
        self._connections = Connections(
            hosts,
            pool_size=pool_size,
            timeout=self._timeout,
            pace=Pace(answer=answer_timeout, least=self._least, within=rate_time),
            environment=os.environ if environment is None else environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections; those in use close when they are done."""
        self._connections.close()

    def settings(self, host: str) -> HostSettings:
        """What is declared for `host[:port]`; the defaults when nothing is."""
        return self._connections.settings(host)

    def base(self, host: str) -> str:
        """`https://HOST`, or `http://HOST` where plain HTTP is declared."""
        return f"{'http' if self.settings(host).plain_http else 'https'}://{host}"

    def get(
        self, url: str, *, subject: str, headers: Mapping[str, str] | None = None, limit: int,
        auth: Authorizer | None = None,
    ) -> Response:  # fmt: skip
        """A small body, at most `limit` bytes, content codings undone; a larger one is a SourceError."""
        return self.request("GET", url, subject=subject, headers=headers, limit=limit, auth=auth)

    def request(
        self, method: Method, url: str, *, subject: str, headers: Mapping[str, str] | None = None, limit: int = 0,
        body: Body | None = None, auth: Authorizer | None = None,
    ) -> Response:  # fmt: skip
        """Any request with a small answer, of at most `limit` bytes."""
        failures = 0
        while True:
            try:
                return self.attempt(method, url, subject=subject, headers=headers, limit=limit, body=body, auth=auth)
            except TransientError as fault:
                failures += 1
                self.pause(subject, fault, failures)

    def attempt(
        self, method: Method, url: str, *, subject: str, headers: Mapping[str, str] | None = None, limit: int = 0,
        body: Body | None = None, auth: Authorizer | None = None,
    ) -> Response:  # fmt: skip
        """As `request`, but once: a TransientError comes through, for who must do more than ask the same again."""
        url = address(url, "", subject)
        call = _Call(method=method, url=url, subject=subject, headers=dict(headers or {}), body=body, auth=auth)
        response, answered = self._open(call)
        with closing(response):
            answer = self._read(call, response, limit + 1)
            if len(answer) > limit:
                raise SourceError(
                    f"{subject}: {netloc(answered)} sent more than {limit} bytes, expected a small answer"
                )
            return Response(status=response.status, headers=response.headers, body=answer, url=answered)

    def pause(self, subject: str, fault: TransientError, failures: int) -> None:
        """Wait before the next attempt after so many failures; raises the fault's own error when there is none."""
        error = fault.error
        if fault.asked is not None and fault.asked > self._retry.longest_asked:
            error.what += (
                f"; it asks to wait {fault.asked:.0f} s, the most waited for is {self._retry.longest_asked:.0f} s"
            )
            raise error from fault
        if failures >= self._retry.attempts:
            error.what += f"; gave up after {failures} attempts"
            raise error from fault
        delay = self._retry.delay(failures, fault.asked)
        self._meter.say(subject, f"{fault.reason}; trying again in {delay:.1f} s")
        self._retry.sleep(delay)

    def stream(
        self, url: str, *, subject: str, size: int | None, offset: int = 0,
        headers: Mapping[str, str] | None = None, auth: Authorizer | None = None,
    ) -> Iterator[bytes]:  # fmt: skip
        """The body from `offset` on, a CHUNK or less at a time, never beyond `size` bytes in all (None: until it ends).

        After a cut or stalled connection it goes on where it was, by Range, or by skipping where the server ignores
        that. Ends in a NetworkError when attempts without progress are used up, in an IntegrityError when the server
        has fewer bytes than `size`. The bytes' digest is for whoever stores them to check.
        """
        url = address(url, "", subject)
        call = _Call(method="GET", url=url, subject=subject, headers=dict(headers or {}), auth=auth)
        at, attempts, etag, from_start = offset, Attempts(self._least), "", False
        while size is None or at < size:
            try:
                response, _ = self._open(call, offset=0 if from_start else at)
                with closing(response):
                    coded = is_coded(response, size, url)
                    if coded and response.status == 206:
                        from_start = True  # a part of what is coded can't be read alone
                        continue
                    seen = response.headers.get("ETag", "")
                    if size is None and etag and seen != etag:
                        raise SourceError(
                            f"{subject}: {call.host} changed it while it was fetched", hint="run it again"
                        )
                    etag = seen
                    for chunk in self._chunks(call, response, at, size, coded=coded):
                        at += len(chunk)
                        attempts.advance(len(chunk))
                        yield chunk
                if size is None:
                    return
                if at < size:
                    raise self._cut(call, f"the connection ended after {at} of {size} bytes")
            except TransientError as fault:
                self.pause(subject, fault, attempts.failed(fault))
            except IntegrityError:
                if size is None:
                    return  # there is nothing behind `at`; whether that is all, its digest tells
                raise

    def _open(self, call: _Call, *, offset: int = 0) -> tuple[urllib3.BaseHTTPResponse, str]:
        """A successful response with its body unread, and who gave it: redirects followed, challenges answered.

        Two answers are enough: the first may be a token at hand that has expired, the second is a fresh one.
        """
        url, answers = call.url, 0
        for _ in range(_MAX_REDIRECTS):
            own = origin(url) == origin(call.url)
            if call.body and not own:
                raise SourceError(f"{call.subject}: {call.host} redirects what was sent to it to {netloc(url)}")
            sent = call.auth.headers() if call.auth else {}
            response = self._send(call, url, sent, offset)
            if 200 <= response.status < 300:
                return response, url
            with closing(response):
                body = self._read(call, response, _MAX_REFUSAL)
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                url = address(url, location, call.subject)
                continue
            if response.status == 401 and call.auth and own and answers < 2:
                answers += 1
                if call.auth.answer(tuple(response.headers.getlist("WWW-Authenticate")), sent):
                    continue
            raise self._refused(call, response, body, host=netloc(url), offset=offset)
        raise SourceError(f"{call.subject}: {call.host} redirects in circles")

    def _send(self, call: _Call, url: str, sent: Mapping[str, str], offset: int) -> urllib3.BaseHTTPResponse:
        pool = self._connections.pool(parse_url(url), subject=call.subject)
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **call.headers, **sent}
        if origin(url) != origin(call.url):
            headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE_HEADERS}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        stores = call.method == "PUT" or isinstance(call.body, StreamedBody)
        try:
            with _opened(call.body, headers) as body:
                return pool.urlopen(
                    call.method, url, body=body, headers=headers, timeout=self._storing if stores else self._timeout,
                    redirect=False, retries=False, preload_content=False, decode_content=False,
                )  # fmt: skip
        except Fault as err:
            ca = self.settings(netloc(url)).ca
            raise network_fault(err, subject=call.subject, host=netloc(url), ca=ca) from err

    def _refused(
        self, call: _Call, response: urllib3.BaseHTTPResponse, body: bytes, *, host: str, offset: int
    ) -> Exception:
        if response.status == 416 and call.method == "GET":
            return IntegrityError(f"{call.subject}: {host} has only {offset} bytes of what should be more")
        error = refusal(response, body, subject=call.subject, host=host)
        if response.status not in TRANSIENT_STATUSES:
            return error
        asked = self._retry.asked(response.headers.get("Retry-After"))
        return TransientError(error, reason=f"{host} answered {response.status}", asked=asked)

    def _cut(self, call: _Call, reason: str) -> TransientError:
        error = NetworkError(f"{call.subject}: {call.host}: {reason}", hint="what came is kept, so run again")
        return TransientError(error, reason=f"{call.host}: {reason}")

    def _read(self, call: _Call, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        try:
            return small_body(response, limit, seconds=self._answer_timeout)
        except Fault as err:
            raise network_fault(err, subject=call.subject, host=call.host) from err

    def _chunks(
        self, call: _Call, response: urllib3.BaseHTTPResponse, at: int, size: int | None, *, coded: bool
    ) -> Iterator[bytes]:
        pieces = chunks(response, at, size, coded=coded)
        while True:
            try:
                piece = next(pieces, b"")
            except Fault as err:
                raise network_fault(err, subject=call.subject, host=call.host, resumed=True) from err
            if not piece:
                return
            yield piece


@contextmanager
def _opened(body: Body | None, headers: dict[str, str]) -> Iterator[Any]:
    """A body as it is sent once; one that streams states its length."""
    if not isinstance(body, StreamedBody):
        yield body
        return
    headers["Content-Length"] = str(body.size)
    with closing(body.open()) as chunks:
        yield chunks
