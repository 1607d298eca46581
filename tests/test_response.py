"""The response: status, headers, send, write and end, and what becomes of them on the way to the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.datastructures import URL
from starlette.responses import PlainTextResponse, StreamingResponse

from asgi_express import ClientDisconnect, Express, HeadersSentError, MisuseError, Router
from asgi_express._headers import HeaderValueError
from asgi_express._verbs import METHODS
from tests.asgi import Answer, Client, Headers, Socket, ask, http_scope

Handler = Callable[[Any, Any], Any]

PLAIN = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"
BYTES = "application/octet-stream"


async def answered(
    write: Callable[[Any], Any], *, method: str = "GET", headers: Headers = (), target: str = "/", **settings: Any
) -> Answer:
    """Return the answer of an application that writes it so."""
    defaults: dict[str, Any] = {"env": "test", "x_powered_by": False}
    app = Express(**defaults | settings)
    app.all("/", lambda req, res: write(res))
    return await ask(app, target, method, headers=headers)


async def raised(write: Callable[[Any], Any]) -> Exception:
    """Return the error that writing an answer so raises."""
    errors: list[Exception] = []
    app = Express(env="test")

    def note(err: Exception, req: Any, res: Any, next: Any) -> None:
        errors.append(err)
        next(err)

    app.get("/", lambda req, res: write(res)).use(note)
    await ask(app)
    return errors[0]


# -- status


@pytest.mark.parametrize("status", [200, 201, 299, 404, 500, 599, 999])
async def test_a_status_is_sent(status: int) -> None:
    assert (await answered(lambda res: res.status(status).end())).status == status

    def write(res: Any) -> None:
        res.status_code = status
        assert res.status_code == status
        res.end()

    assert (await answered(write)).status == status


@pytest.mark.parametrize("status", ["200", None, True, 200.0, 200.1, float("nan"), [], b"200"])
async def test_a_status_that_is_no_integer_is_a_type_error(status: Any) -> None:
    for write in (lambda res: res.status(status), lambda res: setattr(res, "status_code", status)):
        error = await raised(write)
        assert isinstance(error, TypeError)
        assert str(error) == f"Invalid status code: {status!r}. Status code must be an integer."


@pytest.mark.parametrize("status", [-1, 0, 99, 1000, 10**30])
async def test_a_status_out_of_range_is_a_value_error(status: int) -> None:
    for write in (lambda res: res.status(status), lambda res: res.send_status(status)):
        error = await raised(write)
        assert isinstance(error, ValueError)
        assert str(error).endswith("Status code must be greater than 99 and less than 1000.")


@pytest.mark.parametrize("status", [100, 101, 103, 199])
@pytest.mark.parametrize("finish", ["send", "end", "json", "write"])
async def test_a_status_that_only_announces_an_answer_is_a_clean_500(status: int, finish: str) -> None:
    answer = await answered(lambda res: getattr(res.status(status), finish)("x"))
    assert answer.status == 500
    assert isinstance(await raised(lambda res: getattr(res.status(status), finish)("x")), MisuseError)


@pytest.mark.parametrize(("status", "text"), [(200, "OK"), (201, "Created"), (404, "Not Found"), (599, "599")])
async def test_send_status_sends_the_phrase_as_text(status: int, text: str) -> None:
    answer = await answered(lambda res: res.send_status(status))
    assert (answer.status, answer.text, answer.headers["content-type"]) == (status, text, "text/plain; charset=utf-8")
    assert "etag" in answer.headers


# -- headers


async def test_headers_are_set_read_and_taken_back() -> None:
    def write(res: Any) -> None:
        assert res.get("X-A") is None
        assert res.set("X-A", 1).get("x-a") == "1"
        assert res.set({"X-B": "é", "X-C": ["1", 2]}) is res
        assert (res.get("X-B"), res.get("X-C")) == ("é", ["1", "2"])
        assert res.header("X-D", True).get("X-D") == "true"
        assert res.remove_header("X-D").remove_header("X-Never").get("X-D") is None
        res.set("X-A", "2").end()

    answer = await answered(write)
    assert answer.raw_headers == [
        (b"x-a", b"2"),
        (b"x-b", b"\xe9"),
        (b"x-c", b"1"),
        (b"x-c", b"2"),
        (b"content-length", b"0"),
    ]


@pytest.mark.parametrize("name", [5, None, "a b", "", "a:"])
async def test_a_header_needs_a_name_that_is_a_token(name: Any) -> None:
    for write in (
        lambda res: res.set(name, "x"),
        lambda res: res.get(name),
        lambda res: res.append(name, "x"),
        lambda res: res.remove_header(name),
        lambda res: res.set({name: "x"}),
    ):
        assert isinstance(await raised(write), HeaderValueError)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("text/plain; charset=latin1", "text/plain; charset=latin1"),
        ("json", "application/json; charset=utf-8"),
        (".txt", "text/plain; charset=utf-8"),
        ("image/png", "image/png"),
        ("application/json", "application/json; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
async def test_a_content_type_gets_its_charset_and_a_word_is_an_extension(given: str, sent: str) -> None:
    answer = await answered(lambda res: res.set("content-type", given).end())
    assert answer.headers["content-type"] == sent


@pytest.mark.parametrize("given", ["nonsense", "", "text/html\r\nX: 1", None])
async def test_a_content_type_that_is_neither_type_nor_extension_is_an_error(given: Any) -> None:
    assert isinstance(await raised(lambda res: res.set("Content-Type", given)), HeaderValueError)


@pytest.mark.parametrize(
    ("name", "valid", "words"),
    [
        ("content-type", "a/b", "Content-Type cannot be set to an Array"),
        ("Content-Length", "5", "Content-Length cannot be set to an Array"),
    ],
)
async def test_a_header_that_stands_once_takes_no_list(name: str, valid: str, words: str) -> None:
    for write in (
        lambda res: res.set(name, ["a/b", "c/d"]),
        lambda res: res.append(name, ("1",)),
        lambda res: res.set(name, valid).append(name, valid),
    ):
        error = await raised(write)
        assert isinstance(error, TypeError)
        assert str(error) == words


@pytest.mark.parametrize("length", ["abc", "", "-1", "+3", "3,3", "0x3", "1_0", "1.5", "٣", -1, 1.5])
async def test_a_content_length_is_a_number_of_bytes(length: Any) -> None:
    assert isinstance(await raised(lambda res: res.set("Content-Length", length)), HeaderValueError)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("json", JSON),
        (".html", PLAIN),
        ("file.tar.gz", "application/gzip"),
        ("FILE.PNG", "image/png"),
        ("text/x-mine", "text/x-mine; charset=utf-8"),
        ("", BYTES),
        ("nonsense", BYTES),
        ("../x", "../x"),
    ],
)
async def test_type_takes_a_type_an_extension_or_a_file_name(kind: str, sent: str) -> None:
    assert (await answered(lambda res: res.type(kind).end())).headers["content-type"] == sent


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        (["a"], ["a"]),
        (["a", "b"], ["a", "b"]),
        (["a", ["b", "c"]], ["a", "b", "c"]),
        ([["a", "b"], "c"], ["a", "b", "c"]),
        ([["a"], ["b"]], ["a", "b"]),
        ([[], "a"], ["a"]),
        ([("a", 1), 2], ["a", "1", "2"]),
        ([[]], []),
    ],
)
async def test_append_adds_lines_and_set_replaces_them_all(steps: list[Any], lines: list[str]) -> None:
    def write(res: Any) -> None:
        for step in steps:
            res.append("Set-Cookie", step)
        res.end()

    answer = await answered(write)
    assert [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"] == lines

    def replaced(res: Any) -> None:
        for step in steps:
            res.append("Set-Cookie", step)
        res.set("Set-Cookie", "z").end()

    assert (await answered(replaced)).headers["set-cookie"] == "z"


@pytest.mark.parametrize(
    ("steps", "vary"),
    [
        (["Accept"], "Accept"),
        (["Accept", "accept", "Origin"], "Accept, Origin"),
        (["Accept, Origin"], "Accept, Origin"),
        ([["Accept", "Origin"]], "Accept, Origin"),
        ([("Accept",), iter(["Origin"])], "Accept, Origin"),
        (["*", "Accept"], "*"),
        (["Accept", "*"], "*"),
        ([[]], None),
        ([()], None),
        ([[], "A"], "A"),
    ],
)
async def test_vary_grows(steps: list[Any], vary: str | None) -> None:
    def write(res: Any) -> None:
        for step in steps:
            res.vary(step)
        res.end()

    assert (await answered(write)).headers.get("vary") == vary


async def test_vary_joins_lines_that_were_set_apart() -> None:
    answer = await answered(lambda res: res.set("Vary", ["A", "B"]).vary("C").end())
    assert answer.headers["vary"] == "A, B, C"


@pytest.mark.parametrize(
    ("field", "kind"),
    [("", TypeError), (None, TypeError), (5, TypeError), ("a b", HeaderValueError), ("a\r\nb: c", HeaderValueError)],
)
async def test_vary_needs_a_field_that_is_a_header_name(field: Any, kind: type[Exception]) -> None:
    assert isinstance(await raised(lambda res: res.vary(field)), kind)


# -- send


@pytest.mark.parametrize(
    ("body", "content", "kind"),
    [
        ("text", b"text", PLAIN),
        ("", b"", PLAIN),
        ("é❤", "é❤".encode(), PLAIN),
        ("\ud800", b"?", PLAIN),
        (b"bytes", b"bytes", BYTES),
        (bytearray(b"x"), b"x", BYTES),
        (memoryview(b"x"), b"x", BYTES),
        (None, b"", None),
        (True, b"true", JSON),
        (1000, b"1000", JSON),
        (1.5, b"1.5", JSON),
        (float("nan"), b"null", JSON),
        ({"a": [1]}, b'{"a":[1]}', JSON),
        ([], b"[]", JSON),
        ((1, 2), b"[1,2]", JSON),
    ],
)
async def test_send_takes_text_bytes_and_anything_else_as_json(body: Any, content: bytes, kind: str | None) -> None:
    answer = await answered(lambda res: res.send(body))
    assert (answer.status, answer.body, answer.headers.get("content-type")) == (200, content, kind)
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["etag"].startswith('W/"')
    assert answer.complete


async def test_send_of_nothing_is_an_empty_answer_without_an_entity_tag() -> None:
    assert (await answered(lambda res: res.send())).headers == {"content-length": "0"}


@pytest.mark.parametrize(
    ("before", "body", "kind"),
    [
        ("text/plain", "x", "text/plain; charset=utf-8"),
        ("text/plain; charset=latin1", "é", "text/plain; charset=utf-8"),
        ("image/png", "x", "image/png; charset=utf-8"),
        ('A/B; X="1"; Charset=latin1; y=2', "x", "a/b; x=1; charset=utf-8; y=2"),
        ("a/b; x=1", "x", "a/b; x=1; charset=utf-8"),
        ("a/b;", "x", "a/b; charset=utf-8"),
        ("text/plain; charset=latin1", b"\xe9", "text/plain; charset=latin1"),
        ("application/problem+json", {}, "application/problem+json; charset=utf-8"),
    ],
)
async def test_a_type_that_was_set_stays_and_text_is_utf_8(before: str, body: Any, kind: str) -> None:
    answer = await answered(lambda res: res.set("Content-Type", before).send(body))
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize("kind", ["a/b/c", "a/b; x y=1", "a /b", "a/"])
async def test_text_of_something_that_is_no_type_is_an_error(kind: str) -> None:
    assert isinstance(await raised(lambda res: res.set("Content-Type", kind).send("x")), HeaderValueError)


@pytest.mark.parametrize("body", [print, object(), type, 1j])
async def test_send_of_something_without_a_form_is_a_type_error(body: Any) -> None:
    assert isinstance(await raised(lambda res: res.send(body)), TypeError)


async def test_send_of_the_response_itself_is_a_type_error() -> None:
    assert "cannot send" in str(await raised(lambda res: res.send(res)))


@pytest.mark.parametrize(
    ("status", "method", "content", "headers"),
    [
        (200, "GET", b"text", {"content-type": PLAIN, "content-length": "4"}),
        (200, "HEAD", b"", {"content-type": PLAIN, "content-length": "4"}),
        (404, "HEAD", b"", {"content-type": PLAIN, "content-length": "4"}),
        (204, "GET", b"", {}),
        (304, "GET", b"", {}),
        (205, "GET", b"", {"content-type": PLAIN, "content-length": "0"}),
        (205, "HEAD", b"", {"content-type": PLAIN, "content-length": "0"}),
    ],
)
async def test_a_status_or_method_without_a_body_sends_none(
    status: int, method: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = await answered(lambda res: res.status(status).send("text"), method=method)
    assert (answer.status, answer.body) == (status, content)
    assert answer.headers.pop("etag", None) is not None
    assert {name: value for name, value in answer.headers.items() if name != "etag"} == headers


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_a_transfer_encoding_goes_with_the_body(status: int) -> None:
    answer = await answered(lambda res: res.status(status).set("Transfer-Encoding", "chunked").send("text"))
    assert "transfer-encoding" not in answer.headers
    assert answer.body == b""


@pytest.mark.parametrize("coding", ["chunked", "compress", "deflate", "gzip"])
@pytest.mark.parametrize(
    ("text", "tag"), [("", "0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"), ("hello", "5-qvTGHdzF6KLavt4PO0gs2a6pQ00")]
)
async def test_an_answer_in_a_transfer_encoding_has_a_tag_and_no_length(coding: str, text: str, tag: str) -> None:
    answer = await answered(lambda res: res.set("Transfer-Encoding", coding).send(text))
    assert "content-length" not in answer.headers
    assert answer.headers["transfer-encoding"] == coding
    assert (answer.headers["etag"], answer.text) == (f'W/"{tag}"', text)


@pytest.mark.parametrize(
    ("method", "status", "headers", "sent"),
    [
        ("GET", 200, {"If-None-Match": '"5-mine"'}, 304),
        ("GET", 201, {"If-None-Match": '"5-mine"'}, 304),
        ("HEAD", 200, {"If-None-Match": '"5-mine"'}, 304),
        ("GET", 200, {"If-None-Match": "*"}, 304),
        ("GET", 200, {"If-None-Match": '"other"'}, 200),
        ("GET", 404, {"If-None-Match": '"5-mine"'}, 404),
        ("POST", 200, {"If-None-Match": '"5-mine"'}, 200),
    ],
)
async def test_a_copy_that_is_fresh_is_answered_304(
    method: str, status: int, headers: dict[str, str], sent: int
) -> None:
    answer = await answered(
        lambda res: res.status(status).set("ETag", '"5-mine"').send("text"), method=method, headers=headers
    )
    assert (answer.status, answer.headers["etag"]) == (sent, '"5-mine"')
    assert (answer.body == b"") == (sent == 304 or method == "HEAD")
    assert ("content-type" in answer.headers) == (sent != 304)


@pytest.mark.parametrize(("tag", "status", "text"), [('"12345"', 304, ""), ('"123"', 200, "false")])
async def test_a_query_with_a_body_is_fresh_as_a_get_is(tag: str, status: int, text: str) -> None:
    app = Express()
    app.query("/", lambda req, res: res.set("ETag", tag).send(req.fresh))
    answer = await ask(app, "/", "QUERY", headers={"If-None-Match": '"12345"'}, body=b'{"ids":["a","b"]}')
    assert (answer.status, answer.text) == (status, text)


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_gets_an_entity_tag(method: str) -> None:
    answer = await answered(lambda res: res.send("kajdslfkasdf"), method=method)
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"c-IgR/L5SF7CJQff4wxKGF/vfPuZ0"')


async def test_what_answers_returns_the_response() -> None:
    same: list[bool] = []
    await answered(lambda res: same.append(res.send("hey") is res))
    await answered(lambda res: same.append(res.json(1) is res))
    await answered(lambda res: same.append(res.send_status(404) is res))
    assert same == [True, True, True]


async def test_an_answer_to_a_copy_that_was_made_before_is_304() -> None:
    first = await answered(lambda res: res.json({"a": 1}))
    again = await answered(lambda res: res.json({"a": 1}), headers={"If-None-Match": first.headers["etag"]})
    changed = await answered(lambda res: res.json({"a": 2}), headers={"If-None-Match": first.headers["etag"]})
    assert [answer.status for answer in (first, again, changed)] == [200, 304, 200]


async def test_json_keeps_a_type_and_leaves_nothing_behind_when_it_fails() -> None:
    def write(res: Any) -> None:
        with pytest.raises(TypeError):
            res.json(object())
        assert not res.headers_sent
        assert res.get("Content-Type") is None
        res.send("text")

    answer = await answered(write)
    assert (answer.text, answer.headers["content-type"]) == ("text", PLAIN)


# -- location and redirect


@pytest.mark.parametrize(
    ("arguments", "status", "location"),
    [
        (("/a",), 302, "/a"),
        (("/a", 301), 301, "/a"),
        ((301, "/a"), 301, "/a"),
        (("https://h/ü?a=b c",), 302, "https://h/%C3%BC?a=b%20c"),
        (("/%20%zz",), 302, "/%20%25zz"),
        (("/\r\nX-Injected: 1",), 302, "/%0D%0AX-Injected:%201"),
        (("..",), 302, ".."),
        ((299, "/a"), 299, "/a"),
        (("",), 302, ""),
    ],
)
async def test_a_redirect_takes_its_arguments_in_both_orders(
    arguments: tuple[Any, ...], status: int, location: str
) -> None:
    answer = await answered(lambda res: res.redirect(*arguments))
    assert (answer.status, answer.headers["location"]) == (status, location)
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        (None, "text/plain; charset=utf-8", "Found. Redirecting to /a?b&c='d'"),
        ("*/*", "text/plain; charset=utf-8", "Found. Redirecting to /a?b&c='d'"),
        (
            "text/html",
            PLAIN,
            "<!DOCTYPE html><head><title>Found</title></head>"
            "<body><p>Found. Redirecting to /a?b&amp;c=&#39;d&#39;</p></body>",
        ),
        ("application/json", None, ""),
    ],
)
async def test_a_redirect_says_where_to_in_the_form_that_is_liked(
    accept: str | None, kind: str | None, body: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    answer = await answered(lambda res: res.redirect("/a?b&c='d'"), headers=headers)
    assert (answer.text, answer.headers.get("content-type"), answer.headers["vary"]) == (body, kind, "Accept")
    assert answer.headers["content-length"] == str(len(body))
    assert "etag" not in answer.headers
    head = await answered(lambda res: res.redirect("/a?b&c='d'"), headers=headers, method="HEAD")
    assert (head.body, head.headers) == (b"", answer.headers)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((None,), TypeError),
        ((301,), TypeError),
        (("/a", "/b"), TypeError),
        (("/a", None), TypeError),
        (("/a", "301"), TypeError),
        ((301, 302), TypeError),
        ((b"/a",), TypeError),
        (("/a", True), TypeError),
        (("/a", 99), ValueError),
        ((1000, "/a"), ValueError),
    ],
)
async def test_a_redirect_with_other_arguments_is_an_error(arguments: tuple[Any, ...], kind: type[Exception]) -> None:
    assert isinstance(await raised(lambda res: res.redirect(*arguments)), kind)


async def test_location_encodes_what_it_must() -> None:
    answer = await answered(lambda res: res.location("/ü <b>").status(201).end())
    assert (answer.status, answer.headers["location"]) == (201, "/%C3%BC%20%3Cb%3E")


async def test_a_location_may_be_a_url_object() -> None:
    url: Any = URL("http://google.com/a b")
    assert (await answered(lambda res: res.location(url).end())).headers["location"] == "http://google.com/a%20b"


# -- write and end


@pytest.mark.parametrize(
    ("write", "content", "length"),
    [
        (lambda res: res.end(), b"", "0"),
        (lambda res: res.end("é"), "é".encode(), "2"),
        (lambda res: res.end(b"x"), b"x", "1"),
        (lambda res: res.end(None), b"", "0"),
        (lambda res: res.end("x").end(), b"x", "1"),
        (lambda res: res.write("a").end("b"), b"ab", None),
        (lambda res: res.write("").write(bytearray(b"a")).write(memoryview(b"b")).end(), b"ab", None),
    ],
)
async def test_end_sends_what_there_is_without_a_type_or_an_entity_tag(
    write: Any, content: bytes, length: str | None
) -> None:
    answer = await answered(write)
    assert (answer.status, answer.body, answer.complete) == (200, content, True)
    assert answer.headers == ({} if length is None else {"content-length": length})


@pytest.mark.parametrize("chunk", [5, {}, None, ["a"]])
async def test_a_chunk_is_text_or_bytes(chunk: Any) -> None:
    assert isinstance(await raised(lambda res: res.write(chunk)), TypeError)
    if chunk is not None:
        assert isinstance(await raised(lambda res: res.end(chunk)), TypeError)


@pytest.mark.parametrize(
    ("write", "content", "headers"),
    [
        (lambda res: res.set("Content-Length", 1).end("abc"), b"abc", {"content-length": "3"}),
        (lambda res: res.set("Content-Length", 99).end("abc"), b"abc", {"content-length": "3"}),
        (lambda res: res.set("Content-Length", 99).write("a").end("bc"), b"abc", {"content-length": "3"}),
        (lambda res: res.set("Content-Length", 3).end(), b"", {"content-length": "0"}),
        (
            lambda res: res.set({"Content-Length": 9, "Transfer-Encoding": "chunked"}).end("abc"),
            b"abc",
            {"transfer-encoding": "chunked"},
        ),
        (
            lambda res: res.set({"Content-Length": 9, "Transfer-Encoding": "chunked"}).write("abc").end(),
            b"abc",
            {"transfer-encoding": "chunked"},
        ),
        (lambda res: res.status(204).set("Content-Length", 3).end("abc"), b"", {}),
        (lambda res: res.status(304).set("Content-Length", 3).end("abc"), b"", {}),
        (lambda res: res.status(204).set("Transfer-Encoding", "chunked").write("abc").end(), b"", {}),
    ],
)
async def test_a_wrong_length_cannot_tear_the_connection(write: Any, content: bytes, headers: dict[str, str]) -> None:
    answer = await answered(write)
    assert (answer.body, answer.headers, answer.complete) == (content, headers, True)


async def test_a_length_that_is_promised_to_head_is_kept() -> None:
    answer = await answered(lambda res: res.set("Content-Length", 99).end(), method="HEAD")
    assert (answer.headers, answer.body) == ({"content-length": "99"}, b"")


async def test_pieces_go_out_one_by_one_when_they_are_awaited() -> None:
    counts: list[int] = []
    app = Express(x_powered_by=False)

    async def handler(req: Any, res: Any) -> None:
        assert not res.headers_sent
        for piece in ("a", "", "b"):
            assert await res.write(piece) is None
            counts.append(len(answer.messages))
            assert res.headers_sent
            assert not res.finished
        await res.end("c")
        assert res.finished
        counts.append(len(answer.messages))

    answer = Answer()
    app.get("/", handler)
    await ask(app, answer=answer)
    assert counts == [2, 2, 3, 4]
    assert answer.chunks == [b"a", b"b", b"c"]
    assert "content-length" not in answer.headers


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_pieces_of_an_answer_without_a_body_are_dropped(method: str, status: int) -> None:
    async def write(res: Any) -> None:
        await res.status(status).write("a")
        await res.write("b")
        res.end("c")

    answer = await answered(write, method=method)
    assert (answer.chunks, answer.complete) == ([b""], True)


async def test_a_hundred_thousand_pieces_are_linear_work() -> None:
    async def timed(count: int) -> float:
        async def write(res: Any) -> None:
            for _ in range(count):
                res.write(b"x")
            await res
            res.end()

        start = time.perf_counter()
        assert len((await answered(write)).body) == count
        return time.perf_counter() - start

    await timed(100)
    assert await timed(100_000) < 40 * await timed(10_000)


async def test_awaiting_waits_until_the_server_has_taken_what_was_written() -> None:
    taken = asyncio.Event()
    seen: list[str] = []

    async def handler(req: Any, res: Any) -> None:
        await res.write("a")
        seen.append("written")
        res.end()

    async def send(message: Any) -> None:
        seen.append(message["type"])
        if message.get("body") == b"a":
            await taken.wait()

    asking = asyncio.ensure_future(Express().get("/", handler)(http_scope(), Client().receive, send))
    while len(seen) < 2:
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert seen == ["http.response.start", "http.response.body"]
    taken.set()
    await asking
    assert seen[2:] == ["written", "http.response.body"]


FINISHERS: list[Any] = [
    lambda res: res.send("x"),
    lambda res: res.json("x"),
    lambda res: res.end("x"),
    lambda res: res.redirect("/x"),
    lambda res: res.send_status(200),
]


@pytest.mark.parametrize("finish", FINISHERS)
@pytest.mark.parametrize("shape", ["plain", "async", "awaited", "awaited twice", "returned", "returned from async"])
async def test_it_is_the_same_whether_a_finisher_is_awaited_returned_or_neither(finish: Any, shape: str) -> None:
    def plain(req: Any, res: Any) -> None:
        finish(res)

    async def asynchronous(req: Any, res: Any) -> None:
        finish(res)

    async def awaited(req: Any, res: Any) -> None:
        await finish(res)
        if shape == "awaited twice":
            await res

    async def returned_from_async(req: Any, res: Any) -> Any:
        return finish(res)

    handlers: dict[str, Handler] = {
        "plain": plain,
        "async": asynchronous,
        "awaited": awaited,
        "awaited twice": awaited,
        "returned": lambda req, res: finish(res),
        "returned from async": returned_from_async,
    }
    expected = await answered(finish)
    answer = await ask(Express(env="test", x_powered_by=False).get("/", handlers[shape]))
    assert answer.messages == expected.messages


async def test_awaiting_a_response_that_is_not_decided_sends_nothing() -> None:
    async def write(res: Any) -> None:
        await res
        assert not res.headers_sent
        res.send("x")

    assert (await answered(write)).text == "x"


LATE: list[Any] = [
    lambda res: res.status(500),
    lambda res: res.set("X", "1"),
    lambda res: res.append("X", "1"),
    lambda res: res.remove_header("X"),
    lambda res: res.vary("X"),
    lambda res: res.type("txt"),
    lambda res: res.location("/"),
    lambda res: res.redirect("/"),
    lambda res: res.send("again"),
    lambda res: res.json("again"),
    lambda res: res.send_status(500),
]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("first", [*FINISHERS, lambda res: res.write("x"), lambda res: res.write("")])
@pytest.mark.parametrize("pushed", [False, True])
async def test_after_the_headers_were_decided_they_cannot_change(late: Any, first: Any, pushed: bool) -> None:
    async def write(res: Any) -> None:
        first(res)
        if pushed:
            await res
        assert res.headers_sent
        with pytest.raises(HeadersSentError, match="Cannot set headers after they are sent to the client"):
            late(res)
        res.end()

    answer = await answered(write)
    assert answer.complete
    assert "x" not in answer.headers


@pytest.mark.parametrize("late", [lambda res: res.write("more"), lambda res: res.end("more")])
@pytest.mark.parametrize("pushed", [False, True])
async def test_after_the_end_nothing_can_be_added(late: Any, pushed: bool) -> None:
    async def write(res: Any) -> None:
        res.end("x")
        if pushed:
            await res
        with pytest.raises(HeadersSentError, match="Cannot write after the end of the answer"):
            late(res)
        res.end()

    assert (await answered(write)).body == b"x"


async def test_a_server_that_says_the_client_has_left_ends_an_endless_answer(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []
    seen: list[type[BaseException]] = []

    async def handler(req: Any, res: Any) -> None:
        try:
            while len(sent) < 1000:
                await res.write("x")
        except Exception as error:
            seen.append(type(error))
            raise

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if len(sent) > 5:
            raise OSError("broken pipe")

    await Express().get("/", handler)(http_scope(), Client().receive, send)
    assert len(sent) < 10
    assert seen == [ClientDisconnect]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


# -- events and waiting


async def test_finish_comes_when_the_server_has_all_and_close_when_the_request_is_over() -> None:
    heard: list[str] = []

    async def write(res: Any) -> None:
        async def finish() -> None:
            heard.append(f"finish {res.finished}")

        res.on("close", lambda: heard.append("close")).on("finish", finish)
        await res.write("a")
        heard.append("written")
        await res.end()
        heard.append("ended")

    await answered(write)
    assert heard == ["written", "finish True", "ended", "close"]


async def test_close_comes_without_finish_when_the_answer_failed() -> None:
    heard: list[str] = []

    async def write(res: Any) -> None:
        res.on("finish", lambda: heard.append("finish")).on("close", lambda: heard.append("close"))
        await res.write("a")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await answered(write)
    assert heard == ["close"]


@pytest.mark.parametrize("event", ["end", "aborted", "", None])
async def test_an_event_that_a_response_lacks_is_an_error_with_words(event: Any) -> None:
    error = await raised(lambda res: res.on(event, print))
    assert isinstance(error, ValueError)
    assert str(error) == f"res.on: there is no event {event!r}; there are 'finish' and 'close'"


async def test_a_handler_can_leave_the_answer_to_another_task() -> None:
    async def write(res: Any) -> None:
        asyncio.get_running_loop().call_soon(res.send, "later")
        await res.wait_finished()
        await res.wait_finished()

    assert (await answered(write)).text == "later"


async def test_next_ends_the_waiting_too() -> None:
    app = Express()

    async def handler(req: Any, res: Any, next: Any) -> None:
        asyncio.get_running_loop().call_soon(next)
        await res.wait_finished()

    app.get("/", handler, lambda: "next")
    assert (await ask(app)).text == "next"


async def test_who_waits_for_an_answer_in_another_task_hears_of_an_apps_too() -> None:
    app = Router()
    waiting: list[asyncio.Task[None]] = []

    def watch(req: Any, res: Any, next: Any) -> None:
        waiting.append(asyncio.ensure_future(res.wait_finished()))
        next()

    app.use(watch).mount("/", PlainTextResponse("x"))
    await ask(app)
    async with asyncio.timeout(5):
        await waiting[0]


async def test_locals_belong_to_one_request_and_all_its_handlers() -> None:
    app = Express()
    app.use(lambda req, res, next: (res.locals.setdefault("seen", []).append(req.path), next())[1])
    app.use("/a", Express().use(lambda req, res: res.json([res.locals, res.req is req, res.app is req.app])))
    for _ in range(2):
        assert (await ask(app, "/a/b")).json == [{"seen": ["/a/b"]}, True, True]


async def test_locals_are_empty_and_shared_with_what_is_mounted() -> None:
    app, blog = Express(), Express()
    app.get("/empty", lambda req, res: res.json(res.locals))
    app.use(blog)
    blog.use(lambda req, res, next: (res.locals.update(foo="bar"), next())[1])
    app.use(lambda req, res: res.json(res.locals))
    assert (await ask(app, "/empty")).json == {}
    assert (await ask(app)).json == {"foo": "bar"}


# -- apps on the stack


async def test_headers_that_were_set_before_an_app_are_added_to_its_answer() -> None:
    def before(req: Any, res: Any, next: Any) -> None:
        res.set({"X-Mine": ["1", "2"], "X-Both": "mine", "Vary": "Accept", "Set-Cookie": "a=1"})
        res.set({"Content-Length": 99, "ETag": '"x"', "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"})
        next()

    response = PlainTextResponse("app", headers={"X-Both": "app", "Vary": "Origin", "Set-Cookie": "b=2"})
    answer = await ask(Router().use(before).mount("/", response))
    assert answer.text == "app"
    assert answer.headers == {
        "content-length": "3",
        "content-type": "text/plain; charset=utf-8",
        "x-both": "app",
        "vary": "Origin, Accept",
        "set-cookie": "b=2, a=1",
        "x-mine": "1, 2",
    }


async def test_an_answer_of_an_app_is_finished_with_its_last_piece() -> None:
    heard: list[Any] = []

    async def pieces() -> AsyncIterator[str]:
        for piece in ("a", "b"):
            heard.append(responses[0].finished)
            yield piece

    responses: list[Any] = []

    def watch(req: Any, res: Any, next: Any) -> None:
        responses.append(res.on("finish", lambda: heard.append("finish")))
        next()

    answer = await ask(Router().use(watch).mount("/", StreamingResponse(pieces())))
    assert answer.body == b"ab"
    assert heard == [False, False, "finish"]
    assert responses[0].headers_sent


@pytest.mark.parametrize(
    ("messages", "finished"),
    [
        ([{"type": "http.response.pathsend", "path": "/x"}], True),
        ([{"type": "http.response.zerocopysend", "file": 0}], True),
        ([{"type": "http.response.zerocopysend", "file": 0, "more_body": True}], False),
        ([{"type": "http.response.body", "more_body": True}], False),
        ([{"type": "http.response.body"}], True),
        ([{"type": "http.response.debug", "info": {}}], False),
    ],
)
async def test_extensions_that_send_a_body_pass_and_finish_the_answer(
    messages: list[dict[str, Any]], finished: bool
) -> None:
    seen: list[Any] = []

    class App:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            for message in ({"type": "http.response.start", "status": 200}, *messages):
                await send(message)
            seen.append(responses[0].finished)
            if not finished:
                await send({"type": "http.response.body"})

    responses: list[Any] = []
    app = Router().use(lambda req, res, next: (responses.append(res), next())[1]).mount("/", App())
    answer = await ask(app)
    assert seen == [finished]
    assert answer.messages[1 : len(messages) + 1] == messages


# -- WebSockets


@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_is_refused_with_an_answer_where_the_server_offers_it(denial: bool) -> None:
    app = Express(x_powered_by=False)
    app.use(lambda req, res: res.status(403).set("X-Why", "no").send("forbidden"))
    socket = await Socket().connect(app, denial=denial)
    if not denial:
        assert socket.sent == [{"type": "websocket.close", "code": 1000, "reason": ""}]
        return
    start, body = socket.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert dict(start["headers"])[b"x-why"] == b"no"
    assert body == {"type": "websocket.http.response.body", "body": b"forbidden", "more_body": False}


@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_can_be_refused_piece_by_piece(denial: bool) -> None:
    async def handler(req: Any, res: Any) -> None:
        await res.status(403).write("for")
        if not res.finished:
            await res.write("bidden")
        res.end()

    socket = await Socket().connect(Express().use(handler), denial=denial)
    kind = "websocket.http.response."
    assert socket.types == ([kind + "start", *[kind + "body"] * 3] if denial else ["websocket.close"])
