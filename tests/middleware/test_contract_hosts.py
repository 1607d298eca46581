"""What every middleware does in every host: native endpoints, hostile chunks, and cancelled at every await."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import zlib
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from asgi_express import middleware, stores
from asgi_express.security import Actor, Grant
from tests.asgi import Answer, Socket, ask, http_scope
from tests.middleware.cancelling import cancelled_at
from tests.middleware.doors import DOORS, Opaque
from tests.middleware.native import NATIVE, WITH_SOCKETS
from tests.middleware.test_contract import OPTIONS, busy, the

NAMES = pytest.mark.parametrize("name", middleware.__all__)
AT_DOORS = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
IN_HOSTS = pytest.mark.parametrize("host", NATIVE.values(), ids=NATIVE)

Messages = list[dict[str, Any]]


def chunk(body: bytes | None = None, *, more: bool | None = None) -> dict[str, Any]:
    """Make a message of a request; what is None is left out, as ASGI allows."""
    message: dict[str, Any] = {"type": "http.request"}
    if body is not None:
        message["body"] = body
    if more is not None:
        message["more_body"] = more
    return message


BODY = bytes(range(97, 123)) * 3

CHUNKS: dict[str, tuple[Messages, bytes]] = {
    "one message": ([chunk(BODY, more=False)], BODY),
    "bytes one by one": ([*[chunk(bytes((byte,)), more=True) for byte in BODY], chunk(b"", more=False)], BODY),
    "the last byte with the end": ([chunk(BODY[:-1], more=True), chunk(BODY[-1:], more=False)], BODY),
    "empty messages": (
        [chunk(b"", more=True)] * 5 + [chunk(BODY, more=True)] + [chunk(b"", more=True), chunk(b"")],
        BODY,
    ),
    "no more_body": ([chunk(BODY)], BODY),
    "no body": ([chunk(more=True), chunk(BODY, more=True), chunk(more=False)], BODY),
    "nothing": ([chunk()], b""),
    "an empty body": ([chunk(b"", more=False)], b""),
}

AS_CHUNKS = pytest.mark.parametrize(("messages", "body"), CHUNKS.values(), ids=CHUNKS)


class Line:
    """A connection that gives messages as they are, and gives way to others before each."""

    def __init__(self, messages: Messages) -> None:
        self._messages = [dict(message) for message in messages]
        self.answer = Answer()

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self._messages:
            return self._messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.answer.messages.append(dict(message))


async def put(app: Any, messages: Messages, target: str = "/", **more: Any) -> Answer:
    line = Line(messages)
    async with asyncio.timeout(10):
        await app(http_scope(target, "POST", **more), line.receive, line.send)
    return line.answer


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, each message of it as one of the answer."""
    busy(scope.get("session"))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        await send({"type": "websocket.close", "code": 3000})
        return
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        answer = {key: message[key] for key in ("body", "more_body") if key in message}
        await send({"type": "http.response.body", **answer})


# -- between a firewall and the routes

CHANGES_THE_PATH = {"RealIP", "WebSocketRelay"}
"""The one may set the prefix, the other makes a request of a WebSocket."""


@NAMES
async def test_a_firewall_looks_through_it_unless_it_may_change_the_path(name: str) -> None:
    told: list[Any] = []
    host: Any = Starlette(routes=[Route("/echo", Opaque(echo), methods=["GET"])])
    host.add_middleware(the(name), **OPTIONS[name])
    host.add_middleware(middleware.EndpointFirewall, audit=told.append)
    assert (await ask(host, "/echo")).status == 401
    assert told[0].resource == (None if name in CHANGES_THE_PATH else "/echo")


# -- endpoints of the host's own


# Litestar reads message["body"], which ASGI lets a server leave out: there it fails by itself.
HOSTS_AND_CHUNKS = [
    pytest.param(host, messages, body, id=f"{name}, {words}")
    for name, host in NATIVE.items()
    for words, (messages, body) in CHUNKS.items()
    if name != "Litestar" or all("body" in message for message in messages)
]


@NAMES
@pytest.mark.parametrize(("host", "messages", "body"), HOSTS_AND_CHUNKS)
async def test_an_endpoint_of_the_host_gets_and_gives_the_body(
    name: str, host: Any, messages: Messages, body: bytes
) -> None:
    app = host(the(name), OPTIONS[name])
    for _ in range(2):
        answer = await put(app, messages, "/echo", headers={"content-type": "text/plain"})
        assert (answer.status, answer.body, answer.headers["x-inner"]) == (201, body, "1")
        assert answer.complete


@NAMES
@pytest.mark.parametrize("host", WITH_SOCKETS.values(), ids=WITH_SOCKETS)
async def test_a_websocket_of_the_host_talks(name: str, host: Any) -> None:
    app = host(the(name), OPTIONS[name])
    for _ in range(2):
        socket = await Socket({"type": "websocket.receive", "text": "hello"}).connect(app, "/live")
        assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]
        assert (socket.sent[1]["text"], socket.sent[2]["code"]) == ("hello", 3000)


@NAMES
@IN_HOSTS
async def test_what_the_host_does_not_have_is_its_404(name: str, host: Any) -> None:
    assert (await ask(host(the(name), OPTIONS[name]), "/nothing")).status == 404


# -- hostile chunks, through every door


@NAMES
@AT_DOORS
@AS_CHUNKS
async def test_chunks_pass_whatever_they_are_like(name: str, door: Any, messages: Messages, body: bytes) -> None:
    app = door(the(name), OPTIONS[name], echo)
    for encoding in ("identity", "gzip"):
        answer = await put(app, messages, headers={"accept-encoding": encoding})
        assert (answer.status, answer.complete) == (201, True)
        coded = answer.headers.get("content-encoding") == "gzip"
        assert (zlib.decompress(answer.body, 31) if coded else answer.body) == body


# -- cancelled at every await


class Yielding(stores.MemoryStore):
    """A store that gives way to others before and after it has done something, as one over a network does."""

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        value = await super().get(key)
        await asyncio.sleep(0)
        return value

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        await asyncio.sleep(0)
        await super().set(key, value, ttl=ttl)
        await asyncio.sleep(0)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        await asyncio.sleep(0)
        added = await super().add(key, value, ttl=ttl)
        await asyncio.sleep(0)
        return added


class Tokens:
    """Knows every token, after a while."""

    async def validate(self, token: str) -> Grant:
        await asyncio.sleep(0)
        return Grant(Actor(token), None, 0.0)


async def one_for_all(scope: Any) -> str:
    await asyncio.sleep(0)
    return "all"


STATEFUL: dict[str, dict[str, Any]] = {
    # What would stay behind after half a request: a place that is taken, a session that is half written.
    "RateLimit": {"policies": [{"algorithm": "concurrency", "requests": 1, "key": one_for_all}]},
    "Session": {"secret": "a secret of some length", "store": Yielding()},
    "TokenAuth": {"store": Tokens()},
}

TOKEN = {"authorization": "Bearer ada", "content-type": "text/plain"}

MANY = 200
"""More suspensions than any request here has."""

TALK: Messages = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]


async def cancel_everywhere(app: Any, scope: dict[str, Any], messages: Messages, *, strict: bool = True) -> set[str]:
    """Cancel at each suspension in turn; return what was left behind, if that is allowed."""
    leaked: set[str] = set()
    for number in range(1, MANY):
        line = Line(messages)
        reached, outcome, left = await cancelled_at(app(dict(scope), line.receive, line.send), number)
        if not reached:
            assert outcome == "returned"
            assert number > 2, "nothing was cancelled"
            return leaked
        if strict:
            assert outcome == "cancelled", number
            assert left == set(), number
        leaked |= left
    raise AssertionError


@NAMES
@AT_DOORS
async def test_a_request_that_is_cancelled_at_any_await_is_over(name: str, door: Any) -> None:
    app = door(the(name), STATEFUL.get(name, OPTIONS[name]), echo)
    messages = [chunk(b"a", more=True), chunk(b"b", more=False)]
    await cancel_everywhere(app, http_scope("/", "POST", TOKEN), messages)
    answer = await put(app, messages)
    assert (answer.status, answer.body) == (201, b"ab")


@NAMES
@AT_DOORS
async def test_a_websocket_that_is_cancelled_at_any_await_is_over(name: str, door: Any) -> None:
    app = door(the(name), STATEFUL.get(name, OPTIONS[name]), echo)
    scope = {**http_scope(headers=TOKEN), "type": "websocket", "scheme": "ws", "subprotocols": []}
    del scope["method"]
    await cancel_everywhere(app, scope, TALK)
    socket = await Socket({"type": "websocket.receive", "text": "hello"}).connect(app)
    assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]


# Django does not close the file of a body whose request is cancelled.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
@NAMES
@IN_HOSTS
async def test_cancelled_anywhere_in_a_host_it_leaves_nothing_behind_of_its_own(name: str, host: Any) -> None:
    app = host(the(name), STATEFUL.get(name, OPTIONS[name]))
    messages = [chunk(b"a", more=True), chunk(b"b", more=False)]
    scope = http_scope("/echo", "POST", TOKEN)
    left = await cancel_everywhere(app, scope, messages, strict=False)
    gc.collect()
    assert [task for task in left if "asgi_express" in task] == []
    answer = await put(app, messages, "/echo", headers={"content-type": "text/plain"})
    assert (answer.status, answer.body) == (201, b"ab")


# -- that these tests can fail


class Leaves:
    """Leaves a task behind."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        await self.app(scope, receive, send)
        task.cancel()


class Swallows(Leaves):
    """Takes a cancellation for an end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.app(scope, receive, send)


class Goes(Leaves):
    """Goes on where it was cancelled."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.ensure_future(self.app(scope, receive, send))
        await asyncio.shield(task)


@pytest.mark.parametrize("broken", [Leaves, Swallows, Goes])
async def test_a_middleware_that_is_not_over_when_it_is_cancelled_is_found(broken: Any) -> None:
    with pytest.raises(AssertionError, match=r"assert|nothing"):
        await cancel_everywhere(broken(echo), http_scope("/", "POST"), [chunk(b"a"), chunk(b"b")])
