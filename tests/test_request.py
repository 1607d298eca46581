"""The request: where it goes, its headers, and its body as text, JSON or form."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from asgi_express import BodyError, Express, Router
from tests.asgi import Headers, ask
from tests.cases import HOSTILE, assert_linear


def telling(read: Any, **settings: Any) -> Express:
    """An application that answers with what it reads from a request."""
    app = Express(env="test", **settings)

    async def handler(req: Any, res: Any) -> None:
        value = read(req)
        res.json(await value if hasattr(value, "__await__") else value)

    app.use(handler)

    def explain(err: Any, req: Any, res: Any, next: Any) -> None:
        facts = [err.type, err.message] if isinstance(err, BodyError) else [type(err).__name__, str(err)]
        res.status(getattr(err, "status", 500)).json(facts)

    app.use(explain)
    return app


async def told(read: Any, target: str = "/", *, headers: Headers = (), **more: Any) -> Any:
    return (await ask(telling(read), target, headers=headers, **more)).json


# -- where to


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b?c=d", "/a/b"),
        ("/a%20b?c", "/a%20b"),
        ("/a#b?c", "/a"),
        ("//host/a", "//host/a"),
        ("http://host/a?b", "/a"),
        ("http://host", "/"),
        ("http://host?a/b", "/"),
        ("*", "*"),
    ],
)
async def test_the_path_is_that_of_the_url_without_the_query(target: str, path: str) -> None:
    assert await told(lambda req: req.path, target) == path


@pytest.mark.parametrize(
    ("url", "path"),
    [("", ""), ("/x?y", "/x"), ("x?a://b", "x"), ("?a", ""), ("https://h:1/p/q#f", "/p/q")],
)
async def test_the_path_follows_a_url_that_a_handler_changes(url: str, path: str) -> None:
    def read(req: Any) -> str:
        req.url = url
        found: str = req.path
        return found

    assert await told(read) == path


async def test_a_query_is_parsed_once_and_again_when_the_url_changes() -> None:
    def read(req: Any) -> Any:
        first = req.query
        assert req.query is first
        req.url = "/x?b=2"
        return [first, req.query]

    assert await told(read, "/?a=1&a=2&c") == [{"a": ["1", "2"], "c": ""}, {"b": "2"}]


@pytest.mark.parametrize(
    ("target", "query"), [("/?a=1#b=2", {"a": "1"}), ("/#?a=1", {}), ("/?#a=1", {}), ("/?a=%23b", {"a": "#b"})]
)
async def test_a_fragment_is_no_part_of_a_query(target: str, query: Any) -> None:
    assert await told(lambda req: req.query, target) == query


async def test_a_request_knows_where_it_was_mounted() -> None:
    inner = Router(merge_params=True)

    def handler(req: Any, res: Any) -> None:
        res.json([req.url, req.base_url, req.original_url, req.method, req.params, req.route.path, req.app is app])

    inner.get("/users/:id", handler)
    app = Express().use("/:v", inner)
    answer = await ask(app, "/host/v1/users/5?q=1", root_path="/host")
    assert answer.json == [
        "/users/5?q=1",
        "/host/v1",
        "/host/v1/users/5?q=1",
        "GET",
        {"v": "v1", "id": "5"},
        "/users/:id",
        True,
    ]


async def test_what_is_absent_is_none() -> None:
    assert await told(lambda req: [req.body, req.route, req.session, req.get("X")]) == [None] * 4


# -- headers


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        ({"X-A": "1"}, "x-a", "1"),
        ({"x-a": "1"}, "X-A", "1"),
        ({"X-A": ""}, "X-A", ""),
        ({"X-A": "é"}, "X-A", "é"),
        ({}, "X-A", None),
        ({}, "é", None),
        ({}, "€", None),
        ([("X-A", "1"), ("X-A", "2")], "X-A", "1, 2"),
        ([("Cookie", "a=1"), ("Cookie", "b=2")], "Cookie", "a=1; b=2"),
        ([("Host", "good"), ("Host", "evil")], "Host", "good"),
        ([("Content-Type", "a/b"), ("Content-Type", "c/d")], "Content-Type", "a/b"),
        ([("Content-Length", "1"), ("Content-Length", "2")], "Content-Length", "1"),
        ([("Authorization", "a"), ("Authorization", "b")], "Authorization", "a"),
        ([("User-Agent", "a"), ("User-Agent", "b")], "User-Agent", "a"),
        ([("Accept", "a/b"), ("Accept", "c/d")], "Accept", "a/b, c/d"),
        ({"Referer": "r"}, "Referrer", "r"),
        ({"Referrer": "rr"}, "Referer", "rr"),
        ({"Referer": "r", "Referrer": "rr"}, "Referer", "rr"),
        ({"X_A": "1"}, "X-A", None),
    ],
)
async def test_a_header_is_read_as_in_node(headers: Headers, name: str, value: str | None) -> None:
    assert await told(lambda req: [req.get(name), req.header(name)], headers=headers) == [value, value]


@pytest.mark.parametrize("name", ["", None, 5, ["x"]])
async def test_a_header_needs_a_name(name: Any) -> None:
    assert await told(lambda req: req.get(name)) == [
        "TypeError",
        f"req.get: expected the name of a header, got {name!r}",
    ]


async def test_headers_can_be_changed_for_all_that_follow() -> None:
    class App:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            body = dict(scope["headers"])[b"x-user"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

    def add(req: Any, res: Any, next: Any) -> None:
        req.headers["X-User"] = "Ada"
        assert req.headers is req.headers
        assert req.get("x-user") == "Ada"
        next()

    assert (await ask(Router().use(add).mount("/", App()))).text == "Ada"


async def test_headers_of_a_megabyte_are_linear_work() -> None:
    headers = [("x-a", "b" * 40)] * 20_000

    def read(req: Any) -> bool:
        assert_linear(lambda: req.get("X-A"))
        assert_linear(lambda: req.fresh)
        return True

    assert await told(read, headers=headers)


async def test_state_of_the_lifespan_and_of_middleware_is_at_hand() -> None:
    def read(req: Any) -> Any:
        req.state.user = "Ada"
        return [req.state.pool, req.state.user, req.scope["state"]["user"]]

    assert await told(read, state={"pool": "db"}) == ["db", "Ada", "Ada"]
    assert await told(lambda req: hasattr(req.state, "pool")) is False


@pytest.mark.parametrize(
    ("method", "status", "headers", "fresh"),
    [
        ("GET", 200, {"If-None-Match": '"a"'}, True),
        ("HEAD", 204, {"If-None-Match": 'W/"a", "b"'}, True),
        ("QUERY", 200, {"If-None-Match": "*"}, True),
        ("QUERY", 200, {"If-None-Match": '"b"'}, False),
        ("GET", 304, {"If-None-Match": '"a"'}, True),
        ("GET", 200, {"If-None-Match": '"b"'}, False),
        ("POST", 200, {"If-None-Match": '"a"'}, False),
        ("GET", 404, {"If-None-Match": '"a"'}, False),
        ("GET", 200, {"If-None-Match": '"a"', "Cache-Control": "no-cache"}, False),
        ("GET", 200, {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, True),
        ("GET", 200, {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"}, False),
        ("GET", 200, {"If-Modified-Since": "nonsense"}, False),
        ("GET", 200, {}, False),
    ],
)
async def test_a_copy_of_the_client_is_fresh_or_stale(
    method: str, status: int, headers: dict[str, str], fresh: bool
) -> None:
    seen: list[Any] = []
    app = Express()

    def handler(req: Any, res: Any) -> None:
        res.status(status).set("ETag", ['"a"']).set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        seen.append([req.fresh, req.stale])
        res.end()

    app.all("/", handler)
    await ask(app, "/", method, headers=headers)
    assert seen == [[fresh, not fresh]]


# -- text


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (None, "é❤😀".encode(), "é❤😀"),
        ("text/plain", b"", ""),
        ("text/plain; charset=utf-8", b"\xef\xbb\xbfx", "x"),
        ('text/plain; a=b; Charset = "ISO-8859-1"', b"\xe9", "é"),
        ("text/plain; charset=", b"x", "x"),
        ("text/plain; charset=latin1", b"\x80", "\x80"),
        ("text/plain; charset=windows-1252", b"\x80", "€"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("text/plain; charset=utf-16le", "é".encode("utf-16-le"), "é"),
        ("text/plain; charset=utf-32", "é".encode("utf-32"), "é"),
        ("text/plain; charset=shift_jis", "日本".encode("shift_jis"), "日本"),
        ("text/plain; charset=us-ascii", b"x", "x"),
        ("text/plain; format=flowed", "é".encode(), "é"),
        ("text/plain; charset=gbk", "中".encode("gbk"), "中"),
        ("text/plain; charset=koi8-r", "я".encode("koi8-r"), "я"),
    ],
)
async def test_text_is_decoded_by_the_charset_of_its_type(kind: str | None, body: bytes, text: str) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert await told(lambda req: req.text(), body=body, headers=headers) == text


@pytest.mark.parametrize(
    ("charset", "body", "status", "facts"),
    [
        ("nonsense", b"x", 415, ["charset.unsupported", 'unsupported charset "NONSENSE"']),
        ("utf-8", b"ab\xff", 400, ["entity.parse.failed", "the body is not utf-8: invalid start byte at byte 2"]),
        ("ascii", b"\xff", 400, ["entity.parse.failed", "the body is not ascii: ordinal not in range(128) at byte 0"]),
        *(
            (charset, b"x", 415, ["charset.unsupported", f'unsupported charset "{charset[:40].upper()}"'])
            for charset in (
                *("punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "utf-8-sig"),
                *("rot13", "hex", "base64", "zlib", "bz2", "mbcs", "x" * 5000, "a\0b", "../../etc/passwd", "é"),
            )
        ),
    ],
)
async def test_text_in_another_charset_is_the_clients_fault(
    charset: str, body: bytes, status: int, facts: list[str]
) -> None:
    headers = {"content-type": f"text/plain; charset={charset}"}
    answer = await ask(telling(lambda req: req.text()), body=body, headers=headers)
    assert (answer.status, answer.json) == (status, facts)


async def test_no_charset_makes_a_megabyte_slow() -> None:
    app = telling(lambda req: req.text())
    start = time.process_time()
    for charset in ("punycode", "utf-8", ";" * HOSTILE, "x" * HOSTILE):
        headers = {"content-type": f"text/plain; charset={charset}"}
        assert (await ask(app, body=b"a-" * 500_000, headers=headers)).status in (200, 415)
    assert time.process_time() - start < 1


# -- JSON


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' [1, 2.5, -0, 1e3, "\\u00e9", null, true]\n', [1, 2.5, 0, 1000.0, "é", None, True]),
        (b'"text"', "text"),
        (b"null", None),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"__proto__":{"a":1}}', {"__proto__": {"a": 1}}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud800"', "\ud800"),
        (b'"\\u0000"', "\0"),
        (b"1" * 4000, int("1" * 4000)),
        (b"1e-400", 0.0),
        (b"[" * 200 + b"]" * 200, None),
    ],
)
async def test_json_is_read_whatever_its_value(body: bytes, value: Any) -> None:
    def read(req: Any) -> Any:
        return req.json()

    answer = await ask(telling(read), body=body)
    assert answer.status == 200
    assert value is None or answer.json == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Expecting value"),
        (b" ", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{'a': 1}", "Expecting property name"),
        (b"[1,]", "Expecting value"),
        (b"1 2", "Extra data"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e400", "a number is too large"),
        (b"-1" + b"0" * 5000 + b".5", "a number is too large"),
        (b"1" * 5000, "a number has more than 4300 digits"),
        (b"[" * 100_000, "the body is nested deeper than 200 levels"),
        (b'{"a":' * 100_000, "the body is nested deeper than 200 levels"),
        (b'"\n"', "Invalid control character"),
        (b'"\xff"', "the body is not utf-8"),
        ("{}".encode("utf-16"), "the body is not utf-8"),
        (b"\x80\x04}q\x00.", "the body is not utf-8"),
    ],
)
async def test_what_is_no_json_is_a_400_with_words(body: bytes, words: str) -> None:
    answer = await ask(telling(lambda req: req.json()), body=body)
    assert answer.status == 400
    assert answer.json[0] == "entity.parse.failed"
    assert answer.json[1].startswith(words)
    assert len(answer.json[1]) < 200


@pytest.mark.parametrize(("charset", "status"), [("utf-16", 200), ("UTF-8", 200), ("latin1", 415), ("utf-7", 415)])
async def test_json_comes_in_a_utf_only(charset: str, status: int) -> None:
    body = "{}".encode("utf-16" if charset == "utf-16" else "ascii")
    answer = await ask(
        telling(lambda req: req.json()), body=body, headers={"content-type": f"a/json;charset={charset}"}
    )
    assert answer.status == status


async def test_the_error_of_a_body_shows_the_body_to_the_program_only() -> None:
    seen: list[Any] = []
    app = Express(env="test")
    app.use(lambda req: req.json())

    def note(err: Any, req: Any, res: Any, next: Any) -> None:
        seen.append((err.status, err.type, err.body))
        next(err)

    app.use(note)
    answer = await ask(app, body=b"{secret")
    assert seen == [(400, "entity.parse.failed", "{secret")]
    assert "secret" not in answer.text


async def test_what_was_read_can_be_sent_back() -> None:
    for text in (b'"\\ud800"', b"[1e308, 1.5]", b'"\\u0000\\u2028"'):
        answer = await ask(telling(lambda req: req.json()), body=text)
        assert answer.status == 200
        assert answer.text.isprintable() or answer.body


@pytest.mark.parametrize("reader", ["read", "text", "json"])
@pytest.mark.parametrize(("limit", "status"), [(4, 200), (3, 413), ("4b", 200), (None, 200)])
async def test_each_reader_takes_a_limit(reader: str, limit: Any, status: int) -> None:
    async def read(req: Any) -> Any:
        return len(str(await getattr(req, reader)(limit=limit)))

    assert (await ask(telling(read), body=b"1234")).status == status


async def test_a_megabyte_of_json_is_linear_work() -> None:
    app = telling(lambda req: req.json())
    for body in (b'"' + b"a" * 1_000_000 + b'"', b"[" + b"1," * 500_000 + b"1]", b'{"a":1,' * 100 + b"}" * 100):
        start = time.perf_counter()
        await ask(app, body=body)
        assert time.perf_counter() - start < 1
    assert math.isfinite(await told(lambda req: req.json(), body=b"1.5"))
