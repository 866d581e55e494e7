"""Bodies whose sender states a content coding that nobody asked for."""

import gzip
import zlib

import pytest

from clients.http.transport import Transport
from tests.fixtures.connections import DATA, fetch, get
from tests.fixtures.servers.faulty_registry import FaultyRegistry, cut, instead

CODED = gzip.compress(DATA)
CODINGS = {"gzip": CODED, "x-gzip": CODED, "deflate": zlib.compress(DATA)}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_small_body_is_decoded(transport: Transport, faulty: FaultyRegistry, blob: str, coding: str) -> None:
    faulty.plan("GET", instead(200, CODINGS[coding], Content_Encoding=coding))
    assert get(transport, blob) == DATA


def test_a_coding_that_is_stated_only(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", instead(200, DATA, Content_Encoding="gzip"))
    assert get(transport, blob) == DATA


def test_the_bound_is_on_what_is_decoded(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", instead(200, gzip.compress(bytes(10_000_000)), Content_Encoding="gzip"))
    with pytest.raises(Exception, match="sent more than 1000000 bytes"):
        get(transport, blob)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [len(DATA), None], ids=["size known", "size not known"])
def test_a_stream_is_decoded(
    transport: Transport, faulty: FaultyRegistry, blob: str, coding: str, size: int | None
) -> None:
    faulty.plan("GET", instead(200, CODINGS[coding], Content_Encoding=coding))
    assert fetch(transport, blob, size=size) == DATA


def test_a_file_that_is_itself_what_is_stated(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", instead(200, CODED, Content_Encoding="gzip"))
    assert fetch(transport, blob, size=len(CODED)) == CODED


def test_a_package_by_its_name(transport: Transport, faulty: FaultyRegistry) -> None:
    faulty.plan("GET", instead(200, CODED, Content_Encoding="x-gzip"))
    assert fetch(transport, f"{faulty.url}/charts/app-1.0.0.tgz?v=1", size=None) == CODED


def test_a_part_of_what_is_coded_is_asked_for_from_the_start(
    transport: Transport, faulty: FaultyRegistry, blob: str
) -> None:
    part = instead(206, CODED[100:], Content_Encoding="gzip", Content_Range=f"bytes 100-{len(CODED) - 1}/{len(CODED)}")
    whole = instead(200, CODED, Content_Encoding="gzip")
    faulty.plan("GET", lambda seen, right: cut(len(CODED) // 2)(seen, whole(seen, right)), part, whole)
    assert fetch(transport, blob) == DATA
    assert ["range" in seen.headers for seen in faulty.seen] == [False, True, False]
