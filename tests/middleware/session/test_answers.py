"""Caches, late changes, WebSockets, routers."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import trio

from asgi_express import Express
from asgi_express.middleware import Session
from asgi_express.stores import MemoryStore, RedisStore
from tests.asgi import Answer, Socket, ask, http_scope
from tests.cases import HOSTILE, assert_linear
from tests.middleware.browsing import SECRET, Browser, Clock, FaultyStore, Programmed, put
from tests.middleware.session.homes import in_cookie, in_store

# -- caches


@pytest.mark.parametrize(
    ("given", "read", "written"),
    [
        ([], {"vary": "Cookie", "cache-control": "private"}, {"vary": "Cookie", "cache-control": "no-store"}),
        (
            [("Vary", "Accept"), ("Cache-Control", "public, max-age=60")],
            {"vary": "Accept, Cookie", "cache-control": "public, max-age=60"},
            {"vary": "Accept, Cookie", "cache-control": "no-store"},
        ),
        (
            [("vary", ""), ("vary", "Accept"), ("vary", "Origin"), ("cache-control", "Private, max-age=60")],
            {"vary": ", Accept, Cookie, Origin", "cache-control": "Private, max-age=60"},
            {"vary": ", Accept, Cookie, Origin", "cache-control": "Private, max-age=60"},
        ),
        (
            [("vary", "x, COOKIE"), ("cache-control", "no-store")],
            {"vary": "x, COOKIE", "cache-control": "no-store"},
            {"vary": "x, COOKIE", "cache-control": "no-store"},
        ),
        (
            [("cache-control", "public")],
            {"vary": "Cookie", "cache-control": "public"},
            {"vary": "Cookie", "cache-control": "no-store"},
        ),
        ([("vary", "*")], {"vary": "*", "cache-control": "private"}, {"vary": "*", "cache-control": "no-store"}),
        (
            [("cache-control", ""), ("vary", "cookies")],
            {"vary": "cookies, Cookie", "cache-control": ", private"},
            {"vary": "cookies, Cookie", "cache-control": "no-store"},
        ),
    ],
)
async def test_no_cache_gives_the_answer_of_one_to_another(given: Any, read: Any, written: Any) -> None:
    browser = in_cookie(Clock())
    browser.inner.headers = [(name.encode(), value.encode()) for name, value in given]
    before = list(browser.inner.headers)
    answer = await browser.visit(put(a=1))
    assert {**answer.headers, "set-cookie": ""} == {**written, "set-cookie": ""}
    answer = await browser.visit(dict)
    assert answer.headers == read
    assert browser.inner.headers == before


# -- answers of other shapes


async def test_what_is_changed_after_the_answer_has_started_is_lost_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["early"] = 1
        await send({"type": "http.response.start", "status": 200})
        scope["session"]["late"] = "a secret"
        await send({"type": "http.response.body", "body": b""})

    store = FaultyStore()
    answer = await ask(Session(app, secret=SECRET, store=store))
    assert answer.headers["vary"] == "Cookie"
    assert json.loads(store.values[0])["d"] == {"early": 1}
    assert "<session: 'early', 'late'> was changed and not saved" in caplog.text
    assert "a secret" not in caplog.text


async def test_an_error_before_the_answer_saves_nothing_and_passes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        raise LookupError

    store = FaultyStore()
    with pytest.raises(LookupError):
        await ask(Session(app, secret=SECRET, store=store))
    assert store.calls == []


@pytest.fixture
async def cookie() -> str:
    """The cookie of a session in the cookie that holds ``{"a": 1}``."""
    browser = Browser(Session, secret=SECRET)
    await browser.visit(put(a=1))
    return f"session={browser.cookies['session']}"


def socket_app(*sent: dict[str, Any], program: Any = dict) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        program(scope["session"])
        for message in sent:
            await send(message)

    return app


async def test_a_websocket_sees_the_session_and_saves_it_with_the_handshake(cookie: str) -> None:
    seen: list[Any] = []
    accept = {"type": "websocket.accept", "headers": [(b"x-a", b"1")]}
    app = socket_app(accept, program=lambda session: seen.append(dict(session)))
    socket = await Socket().connect(Session(app, secret=SECRET), headers=[("cookie", cookie)])
    assert seen == [{"a": 1}]
    assert socket.sent == [accept]
    over_tls = Session(socket_app({"type": "websocket.accept"}, accept, program=put(b=2)), secret=SECRET)

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await over_tls({**scope, "scheme": "wss"}, receive, send)

    socket = await Socket().connect(server, headers=[("cookie", cookie)])
    (name, value), *others = socket.sent[0]["headers"]
    assert (name, value.startswith(b"session="), b"; Secure" in value, others) == (b"set-cookie", True, True, [])


async def test_what_a_websocket_changes_without_or_after_its_handshake_is_lost_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = socket_app({"type": "websocket.close", "code": 1000}, program=put(a=1))
    socket = await Socket().connect(Session(app, secret=SECRET))
    assert socket.sent == [{"type": "websocket.close", "code": 1000}]
    assert "was changed and not saved" in caplog.text


async def test_a_refused_websocket_saves_the_session_with_the_answer_that_refuses() -> None:
    start = {"type": "websocket.http.response.start", "status": 401, "headers": []}
    app = socket_app(start, {"type": "websocket.http.response.body", "body": b""}, program=put(a=1))
    socket = await Socket().connect(Session(app, secret=SECRET), denial=True)
    assert [name for name, _ in socket.sent[0]["headers"]] == [b"vary", b"set-cookie", b"cache-control"]


@pytest.mark.parametrize(
    ("denial", "types"),
    [(False, ["websocket.close"]), (True, ["websocket.http.response.start", "websocket.http.response.body"])],
)
@pytest.mark.parametrize("broken", ["get", "replace"])
async def test_a_websocket_is_refused_where_the_store_is_away(denial: bool, types: list[str], broken: str) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    store.broken.add(broken)
    app = socket_app({"type": "websocket.accept"}, {"type": "websocket.send", "text": "x"}, program=put(b=1))
    headers = [("cookie", f"session={browser.cookies['session']}")]
    session = Session(app, secret=SECRET, store=store, clock=Clock())
    socket = await Socket().connect(session, headers=headers, denial=denial)
    assert socket.types == types
    assert socket.sent[0].get("status", 1013) in (503, 1013)


@pytest.mark.parametrize("header", ["session=", "session=a;" * 9000, "session" * 9000, "session=" + "%41" * 21000])
async def test_a_hostile_cookie_header_costs_little(header: str) -> None:
    session = Session(Programmed(), secret=SECRET)
    scope = http_scope(headers={"cookie": header[:HOSTILE]})

    def load() -> None:
        with pytest.raises(StopIteration) as stopped:
            session._load(scope).send(None)
        assert stopped.value.value is None

    assert_linear(load)


def test_it_needs_no_asyncio() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any: ...

    inner = Programmed()
    inner.program = put(a=1)
    trio.run(Session(inner, secret=SECRET, store=MemoryStore()), http_scope(), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert b"set-cookie" in dict(sent[0]["headers"])


# -- in a router


async def test_the_request_of_a_router_has_the_session() -> None:
    app = Express()
    app.use("/shop", Session(secret=SECRET))
    app.get("/shop/put", lambda req, res: (req.session.update(a=1), res.send("put"))[1])
    app.get("/shop/get", lambda req, res: res.json(dict(req.session)))
    app.get("/other", lambda req, res: res.json(req.session))
    answer = await ask(app, "/shop/put")
    headers = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert (await ask(app, "/shop/get", headers=headers)).json == {"a": 1}
    assert (await ask(app, "/other", headers=headers)).json is None


async def test_sessions_under_two_names_do_not_mix() -> None:
    answers: list[Answer] = []
    app = Express()
    for name in ("one", "two"):
        app.use(f"/{name}", Session(secret=SECRET, cookie=name))
        app.get(f"/{name}", lambda req, res: (req.session.setdefault("at", req.path), res.json(dict(req.session)))[1])
        answers.append(await ask(app, f"/{name}"))
    cookies = [answer.headers["set-cookie"].partition(";")[0] for answer in answers]
    swapped = cookies[0].replace("one=", "two=")
    assert "set-cookie" not in (await ask(app, "/two", headers={"cookie": "; ".join(cookies)})).headers
    assert "set-cookie" in (await ask(app, "/two", headers={"cookie": swapped})).headers


@pytest.mark.parametrize("make", [MemoryStore, partial(RedisStore, "redis://localhost")])
def test_the_stores_of_the_package_are_stores(make: Any) -> None:
    assert Session(secret=SECRET, store=make()).app is not None
