"""Whose body it is, how long it may be, and what is left of it: the same for every parser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_express import Express, HTTPError
from asgi_express.body import _read, json, raw, text, urlencoded
from tests.asgi import Answer, Client, ask
from tests.body.driver import application, post

JSON = "application/json"


@pytest.mark.parametrize("length", ["", "abc", "-1", "1e3", "5, 5", "+5", "9" * 19])
async def test_a_length_that_is_no_number_is_no_body(length: str) -> None:
    assert (await post(application(json()), b'{"a":1}', JSON, content_length=length)).json == {"body": None}


async def test_a_request_without_a_body_is_passed_on() -> None:
    answer = await ask(application(json()), "/", "GET", headers={"content-type": JSON})
    assert answer.json == {"body": None}


async def test_an_empty_body_is_one_if_the_headers_say_so() -> None:
    assert (await post(application(json()), b"", JSON)).json == {"body": {}}
    assert (await post(application(json()), b"", JSON, chunked=True)).json == {"body": {}}


async def test_http_2_may_leave_out_the_length() -> None:
    app = application(json())
    headers = {"content-type": JSON}
    answer = await ask(app, "/", "POST", headers=headers, body=b"[1]", http_version="2")
    assert answer.json == {"body": [1]}
    answer = await ask(app, "/", "POST", headers=headers, http_version="2")
    assert answer.json == {"body": None}


async def test_a_length_above_the_limit_is_refused_before_anything_is_read() -> None:
    client = Client([b"x"])
    answer = await post(application(json(limit=10)), client=client, kind=JSON, content_length="1000000000")
    assert answer.status == 413
    assert answer.json["error"] == {
        "status": 413,
        "type": "entity.too.large",
        "message": "request entity too large",
        "limit": 10,
        "length": 1000000000,
        "expected": 1000000000,
    }
    assert client.received == 0
    assert answer.headers["connection"] == "close"


async def test_a_length_beside_a_transfer_coding_is_not_believed() -> None:
    answer = await post(application(json(limit=10)), b'["0123456789"]', JSON, chunked=True, content_length="5")
    assert answer.status == 413
    answer = await post(application(json()), b"[1]", JSON, chunked=True, content_length="999999999")
    assert answer.json == {"body": [1]}


@pytest.mark.parametrize(("length", "received"), [("5", 3), ("2", 3)])
async def test_a_body_that_is_not_as_long_as_promised_is_refused(length: str, received: int) -> None:
    error = (await post(application(json()), b"[1]", JSON, content_length=length)).json["error"]
    assert error == {
        "status": 400,
        "type": "request.size.invalid",
        "message": "request size did not match content length",
        "expected": int(length),
        "length": int(length),
        "received": received,
    }


async def test_a_chunked_body_is_refused_at_the_chunk_that_is_too_much() -> None:
    client = Client([b"x" * 10] * 5)
    answer = await post(application(text(limit=25)), client=client, kind="text/plain", chunked=True)
    assert answer.json["error"]["received"] == 30
    assert client.received == 5  # the rest was read, so that the connection can go on
    assert "connection" not in answer.headers


async def test_of_a_refused_body_no_more_than_a_little_is_read() -> None:
    client = Client([b"x" * 10_000] * 100)
    answer = await post(application(text(limit=25)), client=client, kind="text/plain", chunked=True)
    assert answer.status == 413
    assert client.received < 10
    assert answer.headers["connection"] == "close"


async def test_a_client_that_does_not_send_the_rest_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_read, "_DRAIN_SECONDS", 0.01)
    client = Client([b"x" * 30])
    client._messages[0]["more_body"] = True
    answer = await post(application(text(limit=25)), client=client, kind="text/plain", chunked=True)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_a_client_that_waits_for_leave_to_send_is_not_asked_for_the_body() -> None:
    client = Client([b"x" * 30])
    answer = await post(
        application(text(limit=25)), client=client, kind="text/plain", content_length="30", expect="100-continue"
    )
    assert (answer.status, answer.headers["connection"], client.received) == (413, "close", 0)


async def test_http_2_has_no_connection_to_close() -> None:
    headers = {"content-type": "text/plain", "content-length": "1000000"}
    answer = await ask(application(text()), "/", "POST", headers=headers, http_version="2")
    assert answer.status == 413
    assert "connection" not in answer.headers


async def test_a_client_that_leaves_is_an_error_and_no_body() -> None:
    called: list[Any] = []
    errors: list[Any] = []
    app = Express()
    app.use(json())
    app.use(lambda req, res: called.append(req))

    def keep(error: Any, req: Any, res: Any, next: Any) -> None:
        errors.append(error)
        res.end()

    app.use(keep)
    client = Client([b'{"a":'], leaves=True)
    await post(app, client=client, kind=JSON, content_length="100")
    assert called == []
    assert [(error.status, error.type, error.received) for error in errors] == [(400, "request.aborted", 5)]


async def test_a_body_is_parsed_once() -> None:
    app = application(json(), text(type="json"), json())
    assert (await post(app, b'{"a":1}', JSON)).json == {"body": {"a": 1}}


async def test_after_an_error_no_other_parser_tries() -> None:
    app = Express()
    app.use(json())

    def go_on(error: Any, req: Any, res: Any, next: Any) -> None:
        next()

    app.use(go_on)
    app.use(text(type="json"))
    app.use(lambda req, res: res.json({"body": req.body}))
    assert (await post(app, b"{", JSON)).json == {"body": None}


async def test_a_body_that_was_read_before_is_parsed() -> None:
    async def first(req: Any, res: Any, next: Any) -> None:
        assert await req.read() == b'{"a":1}'
        next()

    assert (await post(application(first, json()), b'{"a":1}', JSON)).json == {"body": {"a": 1}}


async def test_a_body_that_was_parsed_can_be_read_again() -> None:
    async def after(req: Any, res: Any) -> None:
        res.json([await req.text(), await req.json(), req.body])

    app = Express()
    app.post("/", json(), after)
    assert (await post(app, [b'{"a"', b":1}"], JSON)).json == ['{"a":1}', {"a": 1}, {"a": 1}]


async def test_an_app_behind_the_parser_gets_the_body_as_it_came() -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    app = Express()
    app.use(urlencoded())
    app.mount("/", mounted)
    assert (await post(app, b"a=1&b=2", "application/x-www-form-urlencoded")).body == b"a=1&b=2"


async def test_a_body_that_was_streamed_away_is_passed_on() -> None:
    async def stream(req: Any, res: Any, next: Any) -> None:
        async for _ in req.stream():
            pass
        next()

    assert (await post(application(stream, json()), b"[1]", JSON)).json == {"body": None}


async def test_a_body_that_was_streamed_in_part_is_the_programs_error() -> None:
    async def begin(req: Any, res: Any, next: Any) -> None:
        async for _ in req.stream():
            break
        next()

    answer = await post(application(begin, json()), [b"[1", b"]"], JSON)
    assert answer.status == 500
    assert "streamed already" in answer.json["error"]["message"]


async def test_verify_sees_the_bytes_and_the_charset() -> None:
    seen: list[Any] = []

    def verify(req: Any, res: Any, content: bytes, charset: str | None) -> None:
        seen.append((req.method, content, charset))

    await post(application(json(verify=verify)), b"[1]", f"{JSON}; charset=UTF-16LE")
    await post(application(json(verify=verify)), b"[1]", JSON)
    await post(application(raw(verify=verify)), b"x", "application/octet-stream")
    assert seen == [("POST", b"[1]", "utf-16le"), ("POST", b"[1]", "utf-8"), ("POST", b"x", None)]


class Teapot(Exception):
    status_code = 418
    type = "tea"


class Strange(Exception):
    status = 999
    type = 5


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (ValueError("no"), (403, "entity.verify.failed", "no", True)),
        (Teapot("tea"), (418, "tea", "tea", True)),
        (Strange("odd"), (403, "entity.verify.failed", "odd", True)),
        (HTTPError(401, "who", headers={"x-a": "b"}, expose=False), (401, "entity.verify.failed", "who", False)),
    ],
)
@pytest.mark.parametrize("later", [False, True])
async def test_what_verify_raises_refuses_the_body(error: Exception, want: Any, later: bool) -> None:
    caught: list[Any] = []

    def verify(*args: Any) -> Any:
        async def fail() -> None:
            raise error

        if later:
            return fail()
        raise error

    def keep(error: Any, req: Any, res: Any, next: Any) -> None:
        caught.append(error)
        res.end()

    app = Express()
    app.use(json(verify=verify), keep)
    await post(app, b"[1]", JSON)
    (found,) = caught
    assert (found.status, found.type, str(found), found.expose) == want
    assert found.body == b"[1]"
    assert found.__cause__ is error
    assert found.headers == getattr(error, "headers", found.headers)


@pytest.mark.parametrize("later", [False, True])
async def test_verify_that_raises_nothing_lets_the_body_pass(later: bool) -> None:
    async def fine(*args: Any) -> None:
        await asyncio.sleep(0)

    verify = fine if later else lambda *args: None
    assert (await post(application(json(verify=verify)), b"[1]", JSON)).json == {"body": [1]}


async def test_a_charset_that_is_not_known_is_told_before_verify_and_before_the_length() -> None:
    called: list[Any] = []
    app = application(text(limit=3, verify=lambda *args: called.append(args)))
    answer = await post(app, b"too long", "text/plain; charset=bogus")
    assert answer.json["error"]["type"] == "charset.unsupported"
    assert called == []


async def test_answers_in_production_say_no_more_than_the_status() -> None:
    app = Express()
    app.set("env", "test")
    app.use(json())
    answer: Answer = await post(app, b"{", JSON)
    assert answer.status == 400
    assert "Bad Request" in answer.text
    assert "Expecting" not in answer.text


async def test_an_answer_that_was_begun_is_not_touched() -> None:
    async def begin(req: Any, res: Any, next: Any) -> None:
        res.write("begun")
        next()

    app = Express()
    app.use(begin, text(limit=1))

    def end(error: Any, req: Any, res: Any, next: Any) -> None:
        res.end()

    app.use(end)
    answer = await post(app, b"too long", "text/plain", content_length="1000000")
    assert (answer.text, answer.status) == ("begun", 200)
    assert "connection" not in answer.headers
