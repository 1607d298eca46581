"""Compression: negotiation, streams, validators, what is left alone, threads, the cache, padding, a real server."""

from __future__ import annotations

import asyncio
import gc
import random
import re
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express import Express, MisuseError
from asgi_express.middleware import _encoders
from asgi_express.middleware import compress as compress_module
from asgi_express.middleware._compress_cache import Cache
from asgi_express.middleware._compress_rules import (
    chooser,
    coded_headers,
    coded_tag,
    compressible,
    examine,
    read_request,
    with_sent_tag,
)
from asgi_express.middleware._compress_threads import in_thread
from asgi_express.middleware._encoders import CODINGS
from asgi_express.middleware.compress import COMPRESSIBLE, Compress
from tests.asgi import Answer, Socket, ask, http_scope
from tests.middleware.decoders import Decoder, decoded
from tests.middleware.doors import Opaque

TEXT = b"".join(b"line %d of a text that repeats itself\n" % n for n in range(200))
NOISE = random.Random(1).randbytes(4000)
ALL = "gzip, deflate, br, zstd"

EACH = pytest.mark.parametrize("name", CODINGS)

Pairs = list[tuple[bytes, bytes]]


def start(status: int = 200, media_type: str | None = "text/plain", **headers: Any) -> dict[str, Any]:
    pairs = [] if media_type is None else [(b"content-type", media_type.encode())]
    pairs += [(key.replace("_", "-").encode(), str(value).encode()) for key, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def piece(body: Any = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def sending(*messages: dict[str, Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def whole(body: bytes = TEXT, *, status: int = 200, media_type: str | None = "text/plain", **headers: Any) -> Any:
    return sending(start(status, media_type, **{"content_length": len(body), **headers}), piece(body))


async def nothing(*given: Any) -> Any: ...


async def get(app: Any, accept: str | None = ALL, /, *, method: str = "GET", **headers: str) -> Answer:
    pairs = {key.replace("_", "-"): value for key, value in headers.items()}
    return await ask(app, "/", method, headers=pairs if accept is None else {"accept-encoding": accept, **pairs})


def body_of(answer: Answer) -> bytes:
    name = answer.headers.get("content-encoding")
    return decoded(name, answer.body) if name else answer.body


# -- which coding


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("Br , GZip", "br"),
        ("deflate", "deflate"),
        ("*", "zstd"),
        ("identity", None),
        # q-values go before our order
        ("gzip;q=1.0, br;q=0.8, zstd;q=0.1", "gzip"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        ("gzip;q=0.5", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip; q=0.5 , deflate; q=0.9", "deflate"),
        ("gzip;q=0.5, *;q=1", "zstd"),
        ("zstd;q=0, *", "br"),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=1", "gzip"),
        # a refusal is a refusal
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip;q=0, br;q=0, zstd;q=0, deflate;q=0", None),
        ("*;q=0", None),
        ("*;q=0, identity", None),
        ("*;q=0, gzip", "gzip!"),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0", None),
        ("identity;q=0, gzip", "gzip!"),
        ("gzip, *;q=0", "gzip!"),
        # what is no coding of ours
        ("x-gzipped", None),
        ("notgzip, gzipped", None),
        ("compress, exi", None),
        ("x-gzip", "gzip"),
        ("X-GZIP;q=0.5, compress", "gzip"),
        ("a-x-gzip, x-gzip2", None),
        # what cannot be read
        ("gzip;q=nan", None),
        ("gzip;q=-1", None),
        ("br;q=1.5, gzip", "br"),
        (";;;,,,", None),
        ("gzip;level=9", "gzip"),
        ("gzip" + "," * 60_000, "gzip"),
        ("," * 60_000, None),
    ],
)
def test_the_coding_that_the_client_likes_best_is_taken(header: str, expected: str | None) -> None:
    choice = chooser(CODINGS)(header)
    assert (choice.coding, choice.is_needed) == ((expected or "").rstrip("!") or None, (expected or "").endswith("!"))


@pytest.mark.parametrize(
    ("encodings", "header", "expected"),
    [
        (["gzip", "br"], ALL, "gzip"),
        (["br"], ALL, "br"),
        (["br"], "gzip", None),
        (["deflate", "gzip"], "*", "deflate"),
    ],
)
async def test_the_order_of_the_option_is_ours(encodings: list[str], header: str, expected: str | None) -> None:
    answer = await get(Compress(whole(), encodings=encodings), header)
    assert answer.headers.get("content-encoding") == expected
    assert body_of(answer) == TEXT


@given(st.text(alphabet="gzipbrstd*;q=0.15, identyx-", max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_the_header_says_the_choice_is_one_that_we_have(header: str) -> None:
    assert chooser(CODINGS)(header).coding in (None, *CODINGS)


async def test_a_client_that_accepts_nothing_gets_the_plain_body() -> None:
    for header in ("identity;q=0", "*;q=0", "gzip;q=0, identity;q=0"):
        answer = await get(Compress(whole()), header)
        assert (answer.status, answer.body) == (200, TEXT)


async def test_without_the_header_nothing_is_compressed() -> None:
    answer = await get(Compress(whole()), None)
    assert answer.body == TEXT
    assert answer.headers == {"content-type": "text/plain", "content-length": str(len(TEXT)), "vary": "Accept-Encoding"}


async def test_a_header_on_several_lines_is_one() -> None:
    scope_headers = [("accept-encoding", "zstd;q=0, gzip"), ("accept-encoding", "br;q=0.1")]
    answer = await ask(Compress(whole()), headers=scope_headers)
    assert answer.headers["content-encoding"] == "gzip"


# -- one body


@EACH
async def test_a_body_comes_back(name: str) -> None:
    answer = await get(Compress(whole(etag='"abc"', accept_ranges="bytes")), name)
    assert answer.complete
    assert len(answer.body) < len(TEXT) / 3
    assert decoded(name, answer.body) == TEXT
    assert answer.headers == {
        "content-type": "text/plain",
        "etag": f'"abc-{name}"',
        "vary": "Accept-Encoding",
        "content-encoding": name,
        "content-length": str(len(answer.body)),
    }


@pytest.mark.parametrize(
    ("options", "size", "is_compressed"),
    [
        ({}, 1023, False),
        ({}, 1024, True),
        ({"min_length": 0}, 100, True),
        ({"min_length": "2kb"}, 2047, False),
        ({"min_length": "2kb"}, 2048, True),
    ],
)
@pytest.mark.parametrize("is_told", [True, False])
async def test_a_short_body_is_left_alone(
    options: dict[str, Any], size: int, is_compressed: bool, is_told: bool
) -> None:
    body = b"a" * size
    messages = [start(content_length=size) if is_told else start(), piece(body)]
    answer = await get(Compress(sending(*messages), **options))
    assert ("content-encoding" in answer.headers) == is_compressed
    assert body_of(answer) == body


async def test_a_short_stream_that_says_so_is_left_alone() -> None:
    messages = [start(content_length=6), piece(b"abc", more=True), piece(b"def")]
    answer = await get(Compress(sending(*messages)))
    assert (answer.chunks, answer.headers["content-length"]) == ([b"abc", b"def"], "6")


@EACH
async def test_a_body_is_never_larger_than_it_was(name: str) -> None:
    answer = await get(Compress(whole(NOISE, etag='"abc"', accept_ranges="bytes")), name)
    assert answer.body == NOISE
    assert answer.headers == {
        "content-type": "text/plain",
        "content-length": str(len(NOISE)),
        "etag": '"abc"',
        "accept-ranges": "bytes",
        "vary": "Accept-Encoding",
    }


@EACH
@pytest.mark.parametrize("body", [b"a", NOISE])
async def test_size_does_not_count_where_the_plain_body_is_refused(name: str, body: bytes) -> None:
    answer = await get(Compress(whole(body)), f"{name}, identity;q=0")
    assert answer.headers["content-encoding"] == name
    assert body_of(answer) == body


async def test_an_empty_body_stays_empty() -> None:
    for app in (whole(b""), sending(start(), piece()), sending(start(), {"type": "http.response.body"})):
        answer = await get(Compress(app, min_length=0), "gzip, identity;q=0")
        assert answer.body == b""
        assert "content-encoding" not in answer.headers


async def test_a_body_that_was_whole_before_its_last_message_is_compressed_as_one() -> None:
    """So that BaseHTTPMiddleware of Starlette, which announces more after everything, costs no chunks."""
    messages = [start(content_length=len(TEXT)), piece(TEXT, more=True), piece()]
    answer = await get(Compress(sending(*messages)))
    assert answer.headers["content-length"] == str(len(answer.body))
    assert (body_of(answer), answer.chunks[1], answer.complete) == (TEXT, b"", True)


async def test_bodies_may_be_any_kind_of_bytes() -> None:
    for kind in (bytearray, memoryview):
        answer = await get(Compress(sending(start(), piece(kind(TEXT)))))
        assert body_of(answer) == TEXT


@pytest.mark.parametrize("length", ["many", "-5", "9" * 30, ""])
async def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    answer = await get(Compress(whole(content_length=length)))
    assert body_of(answer) == TEXT
    assert answer.headers["content-length"] == str(len(answer.body))


# -- streams


@EACH
async def test_each_piece_reaches_the_client_before_the_next_one_is_made(name: str) -> None:
    decode, seen = Decoder(name), bytearray()
    answer = Answer()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        assert answer.messages == []
        for number in range(5):
            await send(piece(b"piece %d;" % number, more=True))
            seen.extend(decode(answer.chunks[-1]))
            assert bytes(seen).endswith(b"piece %d;" % number)
        await send(piece(b"end"))

    await ask(Compress(app), headers={"accept-encoding": name}, answer=answer)
    assert bytes(seen) + decode(answer.chunks[-1]) == b"piece 0;piece 1;piece 2;piece 3;piece 4;end"
    assert answer.complete
    assert "content-length" not in answer.headers


async def test_a_stream_loses_the_length_that_it_said() -> None:
    messages = [start(content_length=len(TEXT), accept_ranges="bytes", etag='W/"a"'), piece(TEXT[:50], more=True)]
    answer = await get(Compress(sending(*messages, piece(TEXT[50:]))), "br")
    assert answer.headers == {
        "content-type": "text/plain",
        "etag": 'W/"a-br"',
        "vary": "Accept-Encoding",
        "content-encoding": "br",
    }
    assert body_of(answer) == TEXT


async def test_empty_pieces_pass_and_open_the_answer() -> None:
    messages = [start(), piece(more=True), piece(b"abc", more=True), piece(more=True), piece(b"def")]
    answer = await get(Compress(sending(*messages)))
    assert [not chunk for chunk in answer.chunks] == [True, False, True, False]
    assert body_of(answer) == b"abcdef"


@EACH
async def test_a_stream_of_nothing_is_a_body_of_nothing(name: str) -> None:
    answer = await get(Compress(sending(start(), piece(more=True), piece()), breach_padding=20), name)
    assert body_of(answer) == b""


async def test_a_stream_in_bytes_is_one_coded_body() -> None:
    pieces = [piece(b"%d" % (n % 10), more=True) for n in range(2000)]
    answer = await get(Compress(sending(start(), *pieces, piece())), "gzip")
    assert body_of(answer) == b"0123456789" * 200


@settings(max_examples=50, deadline=None)
@given(pieces=st.lists(st.binary(max_size=3000), max_size=6), name=st.sampled_from(CODINGS), padding=st.integers(0, 99))
async def test_any_stream_comes_back(pieces: list[bytes], name: str, padding: int) -> None:
    messages = [piece(body, more=index + 1 < len(pieces)) for index, body in enumerate(pieces)] or [piece()]
    answer = await get(Compress(sending(start(), *messages), min_length=0, breach_padding=padding), name)
    assert body_of(answer) == b"".join(pieces)


async def test_events_pass_as_they_are() -> None:
    messages = [start(200, "text/event-stream; charset=utf-8"), piece(b"data: 1\n\n" * 500, more=True), piece()]
    answer = await get(Compress(sending(*messages)))
    assert answer.chunks == [b"data: 1\n\n" * 500, b""]
    assert "content-encoding" not in answer.headers


async def test_events_that_are_asked_for_are_flushed_one_by_one() -> None:
    events = [piece(b"data: %d\n\n" % number, more=True) for number in range(4)]
    app = Compress(sending(start(200, "text/event-stream"), *events), types=["text/event-stream"])
    answer = await get(app)
    decode = Decoder("zstd")
    assert [decode(chunk) for chunk in answer.chunks] == [event["body"] for event in events]


# -- what is left alone

LEFT_ALONE: dict[str, tuple[int, str | None, dict[str, str]]] = {
    "no content": (204, "text/plain", {}),
    "reset content": (205, "text/plain", {}),
    "partial content": (206, "text/plain", {}),
    "not modified": (304, "text/plain", {}),
    "switching protocols": (101, "text/plain", {}),
    "a range": (200, "text/plain", {"content_range": "bytes 0-9/20"}),
    "compressed already": (200, "text/plain", {"content_encoding": "br"}),
    "identity on purpose": (200, "text/plain", {"Content_Encoding": "identity"}),
    "no-transform": (200, "text/plain", {"cache_control": "public, No-Transform"}),
    "a digest": (200, "text/plain", {"content_digest": "sha-256=:x:"}),
    "a digest of the whole": (200, "text/plain", {"Repr_Digest": "sha-256=:x:"}),
    "the older digest": (200, "text/plain", {"digest": "sha-256=x"}),
    "the oldest digest": (200, "text/plain", {"content_md5": "x"}),
    "no type": (200, None, {}),
    "not a type": (200, "nonsense", {}),
    "PNG": (200, "image/png", {}),
    "JPEG": (200, "image/jpeg", {}),
    "video": (200, "video/mp4", {}),
    "audio": (200, "audio/mpeg", {}),
    "zip": (200, "application/zip", {}),
    "gzip": (200, "application/gzip", {}),
    "WOFF2": (200, "font/woff2", {}),
    "PDF": (200, "application/pdf", {}),
    "gRPC": (200, "application/grpc", {}),
    "bytes": (200, "application/octet-stream", {}),
    "parts": (200, "multipart/form-data; boundary=x", {}),
    "events": (200, "text/event-stream", {}),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
async def test_it_is_left_alone_but_for_vary(case: str) -> None:
    status, media_type, headers = LEFT_ALONE[case]
    messages = [start(status, media_type, etag='"a"', **headers), piece(TEXT)]
    answer = await get(Compress(sending(*messages)))
    assert answer.body == TEXT
    assert answer.raw_headers == [*messages[0]["headers"], (b"vary", b"Accept-Encoding")]


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "text/css",
        "application/json",
        "application/problem+json",
        "application/vnd.api+json; ext=x",
        "application/javascript",
        "image/svg+xml",
        "application/rss+xml",
        "application/wasm",
        "application/x-ndjson",
        "font/ttf",
    ],
)
async def test_text_and_what_is_like_it_is_compressed(media_type: str) -> None:
    assert body_of(answer := await get(Compress(whole(media_type=media_type)))) == TEXT
    assert answer.headers["content-encoding"] == "zstd"


@pytest.mark.parametrize(
    ("patterns", "media_type", "expected"),
    [
        (["application/x-mine"], "application/x-mine", True),
        (["application/x-mine"], "text/html", False),
        ([*COMPRESSIBLE, "application/x-mine"], "text/html", True),
        (["Application/X-Mine"], "application/x-mine", True),
        (["json"], "application/json", True),
        (["+json"], "application/ld+json", True),
        (["*/*"], "image/png", True),
        (["*/*"], "text/event-stream", False),
        (["*/*", "text/event-stream"], "text/event-stream; charset=utf-8", True),
        ([], "text/html", False),
        (["text/*"], "text/plain; x=" + "y" * 500, True),
    ],
)
def test_the_types_are_those_of_the_option(patterns: list[str], media_type: str, expected: bool) -> None:
    assert compressible(patterns)(media_type.encode()) is expected


async def test_an_answer_to_head_is_left_alone_but_for_vary() -> None:
    answer = await get(Compress(sending(start(content_length=len(TEXT), etag='"a"'), piece())), method="HEAD")
    assert answer.headers == {
        "content-type": "text/plain",
        "content-length": str(len(TEXT)),
        "etag": '"a"',
        "vary": "Accept-Encoding",
    }


async def test_a_request_may_ask_to_leave_the_bytes_alone() -> None:
    answer = await get(Compress(whole()), cache_control="no-cache, no-transform")
    assert answer.body == TEXT
    assert answer.headers["vary"] == "Accept-Encoding"
    answer = await get(Compress(whole()), cache_control="no-cache")
    assert answer.headers["content-encoding"] == "zstd"


async def test_errors_are_compressed_like_anything_else() -> None:
    answer = await get(Compress(whole(status=500, media_type="application/problem+json")))
    assert (answer.status, answer.headers["content-encoding"], body_of(answer)) == (500, "zstd", TEXT)


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
async def test_files_that_are_handed_to_the_server_pass(kind: str) -> None:
    messages = [start(etag='"a"', accept_ranges="bytes"), {"type": kind, "path": "/a", "file": 3}]
    answer = await get(Compress(sending(*messages)))
    assert answer.messages[1] == messages[1]
    assert answer.raw_headers == [*messages[0]["headers"], (b"vary", b"Accept-Encoding")]


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
async def test_a_file_in_the_middle_of_a_compressed_body_is_refused(kind: str) -> None:
    app = sending(start(), piece(TEXT, more=True), {"type": kind, "path": "/a", "file": 3})
    with pytest.raises(MisuseError, match=re.escape(f"{kind} in the middle of a compressed body")):
        await get(Compress(app))


async def test_trailers_pass_and_their_answer_has_no_length() -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": False}
    begin = {**start(content_length=len(TEXT)), "trailers": True}
    for pieces in ([piece(TEXT)], [piece(TEXT[:9], more=True), piece(TEXT[9:])]):
        answer = await get(Compress(sending(begin, *pieces, trailers)))
        assert answer.messages[0]["trailers"] is True
        assert answer.messages[-1] == trailers
        assert body_of(answer) == TEXT
        assert "content-length" not in answer.headers


async def test_messages_that_it_does_not_know_keep_their_place() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>"]}
    odd = {"type": "made.up", "anything": object()}
    answer = await get(Compress(sending(hint, start(), odd, piece(TEXT))))
    assert [message["type"] for message in answer.messages] == [
        hint["type"],
        start()["type"],
        "made.up",
        piece()["type"],
    ]
    assert (answer.messages[0], answer.messages[2], answer.body) == (hint, odd, TEXT)
    answer = await get(Compress(sending(start(), piece(TEXT, more=True), odd, piece(b"x"), odd)))
    assert [message for message in answer.messages if message["type"] == "made.up"] == [odd, odd]
    assert body_of(answer) == TEXT + b"x"


async def test_further_keys_of_messages_stay() -> None:
    answer = await get(Compress(sending({**start(), "x": 1}, {**piece(TEXT), "y": 2})))
    assert (answer.messages[0]["x"], answer.messages[1]["y"]) == (1, 2)


async def test_websockets_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(*given: Any) -> None:
        seen.extend(given)

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    scope = {"type": "websocket", "headers": [(b"accept-encoding", b"gzip")]}
    await Compress(app)(scope, receive, send)
    assert [one is other for one, other in zip(seen, (scope, receive, send), strict=True)] == [True] * 3

    async def denying(scope: Any, receive: Any, send: Any) -> None:
        await send({**start(403), "type": "websocket.http.response.start"})
        await send({**piece(TEXT), "type": "websocket.http.response.body"})

    socket = await Socket().connect(Compress(denying), denial=True, headers={"accept-encoding": "gzip"})
    assert socket.sent[1]["body"] == TEXT


async def test_what_the_app_sends_is_not_changed() -> None:
    begin, body = start(etag='"a"', vary="Accept", content_length=len(TEXT)), piece(TEXT)
    before = (dict(begin), list(begin["headers"]), dict(body))
    assert (await get(Compress(sending(begin, body)))).headers["etag"] == '"a-zstd"'
    assert (begin, begin["headers"], body) == before


# -- Vary


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], [b"Accept-Encoding"]),
        ([b"Accept"], [b"Accept, Accept-Encoding"]),
        ([b"accept-encoding"], [b"accept-encoding"]),
        ([b"Origin, ACCEPT-ENCODING"], [b"Origin, ACCEPT-ENCODING"]),
        ([b"X-Accept-Encoding"], [b"X-Accept-Encoding, Accept-Encoding"]),
        ([b"*"], [b"*"]),
        ([b"Origin, *"], [b"Origin, *"]),
        ([b"Origin", b"Cookie"], [b"Origin, Accept-Encoding", b"Cookie"]),
        ([b"Origin", b"Accept-Encoding"], [b"Origin", b"Accept-Encoding"]),
        ([b""], [b"", b"Accept-Encoding"]),
    ],
)
@pytest.mark.parametrize("accept", [ALL, None])
async def test_every_answer_varies_by_accept_encoding_once(
    given: list[bytes], expected: list[bytes], accept: str | None
) -> None:
    begin = start()
    begin["headers"] += [(b"Vary", value) for value in given]
    answer = await get(Compress(sending(begin, piece(TEXT))), accept)
    assert [value for name, value in answer.raw_headers if name.lower() == b"vary"] == expected


# -- entity tags and conditions


@pytest.mark.parametrize(
    ("tag", "exact", "expected"),
    [
        (b'"abc"', True, b'"abc-gzip"'),
        (b'W/"abc"', True, b'W/"abc-gzip"'),
        (b'""', True, b'"-gzip"'),
        (b'"a-gzip"', True, b'"a-gzip-gzip"'),
        (b'"abc"', False, b'W/"abc-gzip"'),
        (b'W/"abc"', False, b'W/"abc-gzip"'),
        (b"abc", True, b"abc"),
        (b'"abc', True, b'"abc'),
        (b'w/"abc"', True, b'w/"abc"'),
        (b"", True, b""),
    ],
)
def test_a_tag_names_its_coding(tag: bytes, exact: bool, expected: bytes) -> None:
    assert coded_tag(tag, "gzip", exact=exact) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (b'"abc"', None),
        (b"*", None),
        (b'"abc-gzip"', b'"abc", "abc-gzip"'),
        (b'W/"abc-gzip"', b'W/"abc", W/"abc-gzip"'),
        (b'"a-br", "b-zstd"', b'"a", "b", "a-br", "b-zstd"'),
        (b'"a-br", "a-gzip"', b'"a", "a-br", "a-gzip"'),
        (b'"a-br", W/"a"', None),
        (b'"a-exi", "a-deflate"', None),  # a coding that is not among ours here
        (b'"gzip"', None),
        (b'"-gzip"', b'"", "-gzip"'),
        (b'"a-GZIP"', None),
        (b"a-gzip", None),
        (b'"a-gzip', None),
        (b'"a, b-gzip"', b'"a, b", "a, b-gzip"'),
    ],
)
@pytest.mark.parametrize("name", [b"if-none-match", b"if-match"])
def test_conditions_are_turned_back_for_the_app(name: bytes, condition: bytes, expected: bytes | None) -> None:
    given: Pairs = [(b"a", b"1"), (name, condition), (b"b", b"2")]
    before = list(given)
    request = read_request(given, ("zstd", "br", "gzip"))
    assert request.headers == (None if expected is None else [(b"a", b"1"), (name, expected), (b"b", b"2")])
    assert given == before


@pytest.mark.parametrize(
    ("tag", "sent", "coding", "expected"),
    [
        (b'"a"', [b"a-gzip"], "gzip", b'"a-gzip"'),
        (b'W/"a"', [b"a-gzip"], "gzip", b'W/"a-gzip"'),
        (b'"a"', [b"a-gzip"], "br", b'"a-gzip"'),
        (b'"a"', [b"a-gzip"], None, b'"a-gzip"'),
        (b'"a"', [b"a-br", b"a-gzip"], "gzip", b'"a-gzip"'),
        (b'"a"', [b"a", b"a-gzip"], "gzip", b'"a-gzip"'),
        (b'"a"', [b"a", b"a-gzip"], None, b'"a"'),
        (b'"a"', [b"a"], "gzip", b'"a"'),
        (b'"a"', [b"b-gzip"], "gzip", b'"a"'),
        (b"a", [b"a-gzip"], "gzip", b"a"),
    ],
)
def test_a_304_has_the_tag_that_the_client_knows(
    tag: bytes, sent: list[bytes], coding: str | None, expected: bytes
) -> None:
    headers: Pairs = [(b"ETag", tag), (b"x", b"1")]
    assert with_sent_tag(headers, sent, CODINGS, coding, exact=True) == [(b"ETag", expected), (b"x", b"1")]


@EACH
async def test_a_client_that_has_the_compressed_body_gets_a_304_from_express(name: str) -> None:
    app = Express()
    app.use(Compress())
    app.get("/", lambda req, res: res.type("text").send(TEXT.decode()))
    first = await get(app, name)
    assert body_of(first) == TEXT
    assert first.headers["etag"].endswith(f'-{name}"')
    for method in ("GET", "HEAD"):
        second = await get(app, name, method=method, if_none_match=first.headers["etag"])
        assert (second.status, second.body) == (304, b"")
        assert second.headers["etag"] == first.headers["etag"]
        assert second.headers["vary"] == "Accept-Encoding"
    other = await get(app, name, if_none_match='"other-gzip"')
    assert (other.status, other.headers["etag"]) == (200, first.headers["etag"])


async def test_the_conditions_of_an_inner_app_reach_it_and_its_scope_reaches_us() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append([value for name, value in scope["headers"] if name == b"if-match"])
        scope["route"] = "/found"
        await whole()(scope, receive, send)
        raise LookupError("after the answer")

    scope = http_scope(headers={"if-match": '"v1-br"', "accept-encoding": "br"})
    headers, before = scope["headers"], list(scope["headers"])
    with pytest.raises(LookupError):
        await Compress(app)(scope, nothing, nothing)
    assert seen == [[b'"v1", "v1-br"']]
    assert scope["headers"] is headers
    assert headers == before
    assert scope["route"] == "/found"


def test_headers_that_do_not_matter_keep_their_order_and_spelling() -> None:
    given: Pairs = [
        (b"X-A", b"1"),
        (b"Content-Length", b"9"),
        (b"x-a", b"2"),
        (b"ETag", b'"a"'),
        (b"Accept-Ranges", b"x"),
    ]
    coded = coded_headers(given, "br", 5, exact=True)
    assert coded == [
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"ETag", b'"a-br"'),
        (b"content-encoding", b"br"),
        (b"content-length", b"5"),
    ]
    assert len(given) == 5


def test_what_is_for_one_client_is_known() -> None:
    for header in ((b"cache-control", b"max-age=5, Private"), (b"Cache-Control", b"no-store"), (b"set-cookie", b"a=1")):
        assert examine(200, [header]).is_private
    assert not examine(200, [(b"cache-control", b"public, max-age=5")]).is_private


# -- starts, errors, disconnects


async def test_the_start_waits_for_the_first_piece_and_no_longer() -> None:
    answer = Answer()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        assert answer.messages == []
        await send(piece(more=True))
        assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
        await send(piece(TEXT))

    await ask(Compress(app), headers={"accept-encoding": "br"}, answer=answer)
    assert body_of(answer) == TEXT


async def test_an_error_before_the_body_leaves_the_answer_to_others() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        raise LookupError("no body")

    answer = Answer()
    with pytest.raises(LookupError):
        await ask(Compress(app), headers={"accept-encoding": "br"}, answer=answer)
    assert answer.messages == []


async def test_a_start_without_a_body_is_sent_all_the_same() -> None:
    answer = await get(Compress(sending(start())))
    assert answer.raw_headers == [*start()["headers"], (b"vary", b"Accept-Encoding")]
    assert len(answer.messages) == 1


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[Any]:
    """The encoders of zstd that there are."""
    encoders: weakref.WeakSet[Any] = weakref.WeakSet()

    class Watched(_encoders._Zstd):  # without slots, so that it can be watched
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            encoders.add(self)

    monkeypatch.setattr(_encoders, "_Zstd", Watched)
    return encoders


async def test_a_client_that_has_left_costs_one_piece_and_frees_the_encoder(alive: weakref.WeakSet[Any]) -> None:
    sent: list[Any] = []
    counts: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        for _ in range(5):
            with suppress(OSError):
                await send(piece(TEXT, more=True))
            gc.collect()
            counts.append(len(alive))

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 2:
            raise OSError("gone")

    await Compress(app)(http_scope(headers={"accept-encoding": "zstd"}), nothing, send)
    assert counts == [1, 0, 0, 0, 0]
    assert [len(message["body"]) for message in sent[3:]] == [0, 0, 0]
    assert all(message["more_body"] for message in sent[1:])


async def test_a_client_that_leaves_before_the_body_costs_nothing(alive: weakref.WeakSet[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        with pytest.raises(OSError, match="gone"):
            await send(piece(TEXT, more=True))
        assert not alive

    async def send(message: Any) -> None:
        raise OSError("gone")

    await Compress(app)(http_scope(headers={"accept-encoding": "zstd"}), nothing, send)


async def test_a_request_that_is_cancelled_frees_the_encoder(alive: weakref.WeakSet[Any]) -> None:
    waiting = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(piece(TEXT, more=True))
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(get(Compress(app), "zstd"))
    await waiting.wait()
    assert len(alive) == 1
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    del task
    gc.collect()
    assert not alive


# -- threads

LARGE = TEXT * (1024 * 1024 // len(TEXT))


@EACH
async def test_large_bodies_and_pieces_come_back(name: str) -> None:
    answer = await get(Compress(whole(LARGE)), name)
    assert body_of(answer) == LARGE
    assert answer.headers["content-length"] == str(len(answer.body))
    answer = await get(Compress(sending(start(), piece(LARGE, more=True), piece(TEXT, more=True), piece(LARGE))), name)
    decode = Decoder(name)
    assert [decode(chunk) for chunk in answer.chunks] == [LARGE, TEXT, LARGE]


@pytest.mark.parametrize("is_whole", [True, False])
async def test_the_event_loop_goes_on_while_a_large_body_is_compressed(is_whole: bool) -> None:
    """By the time that the thread of the loop works, which other processes on the machine do not change."""
    body = LARGE * 4
    pieces = [piece(body)] if is_whole else [piece(body, more=True), piece()]
    app = Compress(sending(start(), *pieces), encodings=["gzip"], level="best")
    gaps: list[float] = []

    async def tick() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    answer = await get(app, "gzip")
    ticking.cancel()
    assert body_of(answer) == body
    assert len(gaps) > 20
    assert max(gaps) < 0.2


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Work in threads does not begin before the gate is opened."""
    opened, works = asyncio.Event(), []

    async def waiting(function: Any) -> Any:
        works.append(function)
        await opened.wait()
        return await in_thread(function)

    monkeypatch.setattr(compress_module, "in_thread", waiting)

    def open_it() -> int:
        opened.set()
        return len(works)

    return open_it


async def test_pieces_of_several_tasks_keep_their_order(gate: Callable[[], int]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        sends = [asyncio.create_task(send(piece(body, more=True))) for body in (LARGE, b"second", b"third")]
        for _ in range(5):
            await asyncio.sleep(0)
        assert gate() == 1
        await asyncio.gather(*sends)
        await send(piece(b"last"))

    assert body_of(await get(Compress(app))) == LARGE + b"secondthirdlast"


async def test_a_whole_body_and_what_follows_keep_their_order(gate: Callable[[], int]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(content_length=len(LARGE)))
        sends = [asyncio.create_task(send(message)) for message in (piece(LARGE, more=True), piece())]
        for _ in range(5):
            await asyncio.sleep(0)
        gate()
        await asyncio.gather(*sends)

    answer = await get(Compress(app))
    assert (body_of(answer), answer.complete) == (LARGE, True)


async def test_work_that_nobody_waits_for_is_given_up() -> None:
    begun, works = asyncio.Event(), []
    loop = asyncio.get_running_loop()
    go_on = threading.Event()

    def function(work: Any) -> None:
        works.append(work)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    task = asyncio.create_task(in_thread(function))
    await begun.wait()
    assert works[0].is_wanted
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not works[0].is_wanted
    go_on.set()


# -- the cache


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codings of the bodies that were begun."""
    begun: list[str] = []
    original = _encoders.Coding.encoder

    def encoder(self: Any, *args: Any) -> Any:
        begun.append(self.name)
        return original(self, *args)

    monkeypatch.setattr(_encoders.Coding, "encoder", encoder)
    return begun


@pytest.mark.parametrize("body", [TEXT, LARGE * 2], ids=["small", "large"])
async def test_identical_bodies_are_compressed_once_for_each_coding(encoded: list[str], body: bytes) -> None:
    app = Compress(whole(body, etag='"1"'), cache_bytes="1mb")
    answers = [await get(app, name) for name in ("br", "gzip", "br", "gzip", "br")]
    assert encoded == ["br", "gzip"]
    assert {body_of(answer) for answer in answers} == {body}
    assert [answer.headers["etag"] for answer in answers[:2]] == ['"1-br"', '"1-gzip"']
    assert answers[2].raw_headers == answers[0].raw_headers


@pytest.mark.parametrize("body", [b"", b"short"])
async def test_a_body_that_turns_out_to_be_short_is_left_alone_and_not_kept(encoded: list[str], body: bytes) -> None:
    answer = await get(Compress(sending(start(), piece(body)), cache_bytes="1mb"))
    assert (answer.body, answer.headers.get("content-encoding")) == (body, None)
    assert encoded == []


async def test_two_bodies_of_one_tag_are_not_taken_for_each_other() -> None:
    bodies = [TEXT, TEXT.upper()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole(bodies[0 if scope["path"] == "/0" else 1], etag='"1"')(scope, receive, send)

    compressing = Compress(app, cache_bytes="1mb")
    for _ in range(2):
        for index, body in enumerate(bodies):
            answer = await ask(compressing, f"/{index}", headers={"accept-encoding": "br"})
            assert body_of(answer) == body


@pytest.mark.parametrize(
    "headers", [{"cache_control": "private"}, {"cache_control": "no-store"}, {"set_cookie": "a=1"}]
)
async def test_what_is_for_one_client_is_not_kept(encoded: list[str], headers: dict[str, Any]) -> None:
    app = Compress(whole(**headers), cache_bytes="1mb")
    assert [body_of(await get(app, "br")) for _ in range(2)] == [TEXT] * 2
    assert encoded == ["br", "br"]


async def test_what_does_not_become_smaller_and_streams_are_not_kept(encoded: list[str]) -> None:
    for inner in (whole(NOISE), sending(start(), piece(TEXT, more=True), piece())):
        app = Compress(inner, cache_bytes="1mb")
        await get(app, "br")
        await get(app, "br")
    assert encoded == ["br"] * 4


def test_the_cache_is_bounded_and_forgets_what_was_not_asked_for() -> None:
    cache = Cache(10_000)
    keys = [Cache.key("br", b"%d" % number) for number in range(50)]
    for key in keys:
        cache.put(key, b"x" * 1000)
        cache.get(keys[0])
    assert len(cache) == 10_000 // 1512
    assert cache.get(keys[0]) is not None
    assert cache.get(keys[1]) is None
    assert cache.get(keys[-1]) is not None
    cache.put(keys[0], b"y" * 1000)
    assert (cache.get(keys[0]), len(cache)) == (b"y" * 1000, 10_000 // 1512)
    cache.put(keys[1], b"x" * 2500)
    assert cache.get(keys[1]) is None  # more than a quarter


# -- padding


@EACH
async def test_padding_changes_the_length_and_nothing_else(name: str) -> None:
    app = Compress(whole(etag='"a"'), breach_padding=100)
    answers = [await get(app, name) for _ in range(40)]
    assert {body_of(answer) for answer in answers} == {TEXT}
    assert len({len(answer.body) for answer in answers}) > 5
    assert {answer.headers["etag"] for answer in answers} == {f'W/"a-{name}"'}
    assert [int(answer.headers["content-length"]) for answer in answers] == [len(answer.body) for answer in answers]
    plain = len((await get(Compress(whole()), name)).body)
    assert all(plain < len(answer.body) <= plain + 116 for answer in answers)


@EACH
async def test_streams_are_padded_too(name: str) -> None:
    app = Compress(sending(start(), piece(b"abc", more=True), piece(b"def")), breach_padding=100)
    answers = [await get(app, name) for _ in range(40)]
    assert {body_of(answer) for answer in answers} == {b"abcdef"}
    assert len({len(answer.body) for answer in answers}) > 5


async def test_a_padded_answer_can_be_asked_for_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        has = any(name == b"if-none-match" and b'"a"' in value for name, value in scope["headers"])
        await (sending(start(304, etag='"a"'), piece()) if has else whole(etag='"a"'))(scope, receive, send)

    padded = Compress(app, breach_padding=10)
    tag = (await get(padded, "br")).headers["etag"]
    again = await get(padded, "br", if_none_match=tag)
    assert (again.status, again.headers["etag"]) == (304, tag)


# -- options


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"encodings": []}, ValueError, "encodings must be a list of some of 'zstd', 'br', 'gzip', 'deflate'"),
        ({"encodings": "gzip"}, ValueError, "each once, not 'gzip'"),
        ({"encodings": ["gzip", "gzip"]}, ValueError, "each once"),
        ({"encodings": ["gzip", "lzma"]}, ValueError, "not \\['gzip', 'lzma'\\]"),
        ({"encodings": ["GZIP"]}, ValueError, "encodings must be"),
        ({"level": 6}, ValueError, "level must be one of 'fastest', 'default', 'best', not 6"),
        ({"levels": {"lzma": 1}}, ValueError, "levels names 'lzma'"),
        ({"levels": {"br": 12}}, ValueError, "the level of br must be from 0 to 11, not 12"),
        ({"min_length": -1}, ValueError, "must not be negative"),
        ({"min_length": "1zb"}, ValueError, "invalid size '1zb'"),
        ({"min_length": None}, TypeError, "a size is"),
        ({"types": "text/html"}, ValueError, "types must be a list of types, not 'text/html'"),
        ({"types": ["html5"]}, ValueError, "types has 'html5', which is no type"),
        ({"types": ["text/html/x"]}, ValueError, "which is no type"),
        ({"types": [""]}, ValueError, "types has ''"),
        ({"types": [None]}, ValueError, "types has None"),
        ({"breach_padding": -1}, ValueError, "must not be negative"),
        ({"breach_padding": "5kb"}, ValueError, "breach_padding must be 4096 bytes or less, not '5kb'"),
        ({"cache_bytes": "much"}, ValueError, "invalid size 'much'"),
        ({"cache_bytes": 1000, "breach_padding": 10}, ValueError, "breach_padding needs it to be 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Compress(**options)


def test_a_coding_asked_for_by_name_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(ImportError, match=r"pip install 'asgi-express\[compress\]'"):
        Compress(encodings=["br", "gzip"])
    assert Compress()._names == ("zstd", "gzip", "deflate")


def examples() -> list[str]:
    text = textwrap.dedent((Compress.__doc__ or "").partition("Examples::")[2])
    return [part.strip() for part in re.split(r"\n\n(?=app)", text.strip())]


@pytest.mark.parametrize("number", [0, 1])
async def test_the_examples_of_its_documentation_run(number: int) -> None:
    app = Express()
    exec(examples()[number], {"app": app, "Compress": Compress})
    app.get("/", lambda req, res: res.type("text").send(TEXT.decode()))
    answer = await get(app)
    assert answer.headers["content-encoding"] == ("zstd", "br")[number]
    assert body_of(answer) == TEXT


# -- a real server


@asynccontextmanager
async def served(*layers: Any) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve a text, a stream that waits in the middle, and events; yield the address and what the stream waits for."""
    go_on = asyncio.Event()
    app = Express()
    for layer in layers:
        app.use(layer)

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        go_on.clear()
        await send(start(200, scope["query_string"].decode() or "text/plain"))
        await send(piece(b"before", more=True))
        await go_on.wait()
        await send(piece(b"after"))

    app.get("/", lambda req, res: res.type("text").send(TEXT.decode()))
    app.get("/stream", Opaque(stream))
    async with app.serve(port=0) as server:
        yield f"http://127.0.0.1:{server.port}", go_on


@EACH
async def test_a_real_client_reads_what_a_real_server_sends(name: str) -> None:
    async with served(Compress()) as (url, _), httpx2.AsyncClient(headers={"accept-encoding": name}) as client:
        answer = await client.get(url)
        assert answer.headers["content-encoding"] == name
        assert answer.content == TEXT
        again = await client.get(url, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.headers["etag"]) == (304, answer.headers["etag"])
        head = await client.head(url)
        assert (head.headers["content-length"], head.headers["vary"]) == (str(len(TEXT)), "Accept-Encoding")


@pytest.mark.parametrize("media_type", ["text/plain", "text/event-stream"])
@EACH
async def test_a_real_client_has_a_piece_while_the_server_waits_to_send_the_next(name: str, media_type: str) -> None:
    async with (
        served(Compress(types=["text/*", "text/event-stream"])) as (url, go_on),
        httpx2.AsyncClient(headers={"accept-encoding": name}) as client,
        client.stream("GET", f"{url}/stream?{media_type}") as answer,
    ):
        assert answer.headers["content-encoding"] == name
        decode, seen = Decoder(name), b""
        async with asyncio.timeout(10):
            async for chunk in answer.aiter_raw():
                seen += decode(chunk)
                if seen == b"before":
                    go_on.set()
        assert seen == b"beforeafter"
