"""Other people's ASGI middleware on our stack, by ``use``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route

from asgi_express import Express, HTTPError, Request, Response, next_app
from asgi_express.types import ASGIApp, Message, Next, Receive, Scope, Send
from tests.asgi import Client, Socket, ask


class Wrap:
    """A middleware made of a function of the app and the three arguments."""

    def __init__(
        self, run: Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]], app: ASGIApp = next_app
    ) -> None:
        self.run = run
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.run(self.app, scope, receive, send)


def hello(*middleware: ASGIApp) -> Express:
    app = Express()
    for each in middleware:
        app.use(each)
    app.get("/hello", lambda req, res: res.send("hello " * 200))
    app.get("/where/:name", lambda req, res: res.json([req.original_url, req.url, req.params, req.query]))

    @app.get("/boom")
    async def boom(req: Request, res: Response) -> None:
        raise ValueError("secret")

    @app.post("/echo")
    async def echo(req: Request, res: Response) -> None:
        res.send(await req.read())

    return app


# -- Starlette's


async def test_gzip_compresses_answers_and_errors() -> None:
    app = hello(GZipMiddleware(next_app, minimum_size=10))
    answer = await ask(app, "/hello", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(answer.body) < 200
    missing = await ask(app, "/nope", headers={"Accept-Encoding": "gzip"})
    assert (missing.status, missing.headers["content-encoding"]) == (404, "gzip")
    assert (await ask(app, "/hello")).text == "hello " * 200


async def test_cors_answers_preflights_and_marks_even_errors() -> None:
    app = hello(CORSMiddleware(next_app, allow_origins=["https://a.test"], allow_methods=["GET"]))
    origin = {"Origin": "https://a.test"}
    preflight = await ask(app, "/hello", "OPTIONS", headers={**origin, "Access-Control-Request-Method": "GET"})
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, "https://a.test")
    for target, status in {"/hello": 200, "/nope": 404, "/boom": 500}.items():
        answer = await ask(app, target, headers=origin)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "https://a.test")


async def test_a_session_lives_from_one_request_to_the_next() -> None:
    app = Express()
    app.use(SessionMiddleware(next_app, secret_key="not a secret"))

    @app.get("/count")
    def count(req: Request, res: Response) -> None:
        session = req.scope["session"]
        session["count"] = session.get("count", 0) + 1
        res.json(session)

    first = await ask(app, "/count")
    cookie = first.headers["set-cookie"].partition(";")[0]
    second = await ask(app, "/count", headers={"Cookie": cookie})
    assert (first.json, second.json) == ({"count": 1}, {"count": 2})


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request: StarletteRequest, call_next: RequestResponseEndpoint) -> StarletteResponse:
        if request.url.path == "/refused":
            return PlainTextResponse("refused", 403)
        answer = await call_next(request)
        answer.headers["X-Timing"] = "1"
        return answer


async def test_a_middleware_on_base_http_middleware_goes_on_or_refuses() -> None:
    app = hello(Timing(next_app))
    for target, status in {"/hello": 200, "/nope": 404, "/boom": 500}.items():
        answer = await ask(app, target)
        assert (answer.status, answer.headers["x-timing"]) == (status, "1")
    refused = await ask(app, "/refused")
    assert (refused.status, refused.text) == (403, "refused")
    assert (await ask(app, "/echo", "POST", body=[b"a", b"b"])).text == "ab"


async def test_several_middlewares_wrap_each_other_in_the_order_of_use() -> None:
    app = hello(
        Timing(next_app), GZipMiddleware(next_app, minimum_size=10), CORSMiddleware(next_app, allow_origins=["*"])
    )
    answer = await ask(app, "/hello", headers={"Accept-Encoding": "gzip", "Origin": "https://a.test"})
    assert answer.headers["x-timing"] == "1"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_middleware_on_one_route_wraps_that_route_only() -> None:
    app = Express()
    app.get("/zipped", GZipMiddleware(next_app, minimum_size=10), lambda req, res: res.send("x" * 1000))
    app.get("/plain", lambda req, res: res.send("x" * 1000))
    zipped = await ask(app, "/zipped", headers={"Accept-Encoding": "gzip"})
    plain = await ask(app, "/plain", headers={"Accept-Encoding": "gzip"})
    assert (zipped.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)


async def test_a_middleware_wraps_a_mounted_app() -> None:
    app = Express().use(GZipMiddleware(next_app, minimum_size=10))
    sub = Starlette(routes=[Route("/x", lambda request: PlainTextResponse("x" * 1000))])
    app.mount("/sub", sub)
    answer = await ask(app, "/sub/x", headers={"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")


# -- made by hand


async def test_a_copied_scope_is_what_follows_sees() -> None:
    async def mark(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "mark": "seen"}, receive, send)

    app = Express().use(Wrap(mark))
    app.get("/", lambda req, res: res.json(req.scope["mark"]))
    assert (await ask(app)).json == "seen"


async def test_what_a_middleware_sees_in_the_scope_afterwards_is_the_match() -> None:
    seen = []

    async def note(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        seen.append((scope["path_params"], scope["asgi_express.match"].template))

    await ask(hello(Wrap(note)), "/where/x")
    assert seen == [({"name": "x"}, "/where/:name")]


async def test_a_rewritten_path_is_routed_anew_and_the_original_is_kept() -> None:
    async def rewrite(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": "/where/ü x", "query_string": b"q=1"}, receive, send)

    answer = await ask(hello(Wrap(rewrite)), "/old")
    assert answer.json == ["/old", "/where/%C3%BC%20x?q=1", {"name": "ü x"}, {"q": "1"}]


async def test_a_rewritten_method_is_routed_anew() -> None:
    async def override(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "method": "POST"}, receive, send)

    assert (await ask(hello(Wrap(override)), "/echo", body=b"sent")).text == "sent"


async def test_a_wrapped_receive_is_what_follows_reads() -> None:
    async def shout(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def louder() -> Message:
            message = await receive()
            return {**message, "body": message.get("body", b"").upper()}

        await app(scope, louder, send)

    assert (await ask(hello(Wrap(shout)), "/echo", "POST", body=[b"a", b"b"])).text == "AB"


async def test_a_body_that_was_read_before_a_middleware_is_replayed_to_it() -> None:
    seen = []

    async def peek(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted() -> Message:
            message = await receive()
            seen.append(message)
            return message

        await app(scope, noted, send)

    async def read(req: Request, res: Response, next: Next) -> None:
        assert await req.read() == b"abc"
        next()

    app = Express()
    app.use(read, Wrap(peek))

    @app.post("/")
    async def echo(req: Request, res: Response) -> None:
        res.send(await req.read())

    assert (await ask(app, "/", "POST", body=[b"a", b"bc"])).text == "abc"
    assert seen == [{"type": "http.request", "body": b"abc", "more_body": False}]


async def test_calling_the_app_twice_is_an_error_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def twice(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        await app(scope, receive, send)

    with caplog.at_level(logging.ERROR):
        answer = await ask(hello(Wrap(twice)), "/hello")
    assert (answer.status, answer.text) == (200, "hello " * 200)
    assert "next_app was called twice" in caplog.text


async def test_a_middleware_may_answer_with_its_own_answer_where_raise_errors_hands_it_the_error() -> None:
    async def swallow(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ValueError:
            await PlainTextResponse("swallowed", 503)(scope, receive, send)

    app = Express(raise_errors=True).use(Wrap(swallow))

    def boom(req: Request, res: Response) -> None:
        raise ValueError("secret")

    app.get("/boom", boom)
    answer = await ask(app, "/boom")
    assert (answer.status, answer.text) == (503, "swallowed")


async def test_an_error_is_answered_before_a_middleware_could_swallow_it() -> None:
    async def swallow(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ValueError:  # pragma: no cover
            pytest.fail("the middleware saw the error")

    assert (await ask(hello(Wrap(swallow)), "/boom")).status == 500


async def test_a_middleware_that_raises_has_its_error_answered() -> None:
    async def refuse(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPError(403)

    assert (await ask(hello(Wrap(refuse)), "/hello")).status == 403


async def test_a_middleware_that_does_nothing_is_an_error_and_not_a_request_that_hangs() -> None:
    async def nothing(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Neither answer nor go on."""

    assert (await ask(hello(Wrap(nothing)), "/hello")).status == 500


# -- messages that we do not know


async def test_messages_of_extensions_pass_through_a_mounted_app_untouched() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
    sent: list[Message] = [
        {"type": "http.response.debug", "info": {"a": 1}},
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
        start,
        {"type": "http.response.body", "body": b"x", "more_body": False},
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": False},
    ]

    async def speaks(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["extensions"] == {"http.response.trailers": {}}
        for message in sent:
            await send(message)

    app = Express(x_powered_by=False).mount("/sub", speaks)
    answer = await ask(app, "/sub", extensions={"http.response.trailers": {}})
    assert answer.messages == sent


async def test_a_file_that_the_server_sends_is_an_answer() -> None:
    async def sends(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/etc/hostname"})

    answer = await ask(Express().mount("/sub", sends), "/sub", extensions={"http.response.pathsend": {}})
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.pathsend"]


async def test_messages_to_a_mounted_app_pass_untouched() -> None:
    got = []

    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(await receive())
        await PlainTextResponse("x")(scope, receive, send)

    class Odd(Client):
        async def receive(self) -> dict[str, Any]:
            return {"type": "http.priority", "urgency": 3}

    await ask(Express().mount("/sub", listens), "/sub", client=Odd())
    assert got == [{"type": "http.priority", "urgency": 3}]


async def test_a_websocket_passes_through_middleware_of_http() -> None:
    app = Express().use(GZipMiddleware(next_app)).use(CORSMiddleware(next_app)).use(Timing(next_app))

    async def room(ws: Any, req: Request) -> None:
        await ws.accept()
        await ws.send_text(req.params["name"])

    app.ws("/ws/:name", room)
    socket = await Socket().connect(app, "/ws/x")
    assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_a_scope_of_an_unknown_type_is_refused_with_words() -> None:
    with pytest.raises(RuntimeError, match="a router cannot serve a scope of type 'mqtt'"):
        await ask(Express(), type="mqtt")
