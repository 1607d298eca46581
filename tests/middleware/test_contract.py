"""What every middleware does, whatever it is for, through every door."""

from __future__ import annotations

import asyncio
import copy
import inspect
import re
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from asgi_express import MisuseError, middleware, next_app, stores
from asgi_express.security import TokenStore
from tests.asgi import Socket, ask, http_scope
from tests.docstrings.examples import examples_of
from tests.middleware.doors import DOORS

OPTIONS: dict[str, dict[str, Any]] = {
    "CORS": {"allow_origins": ["https://a.example"]},
    "CSRF": {},
    "Compress": {},
    "EndpointFirewall": {"enforce": False},
    "ErrorHandler": {},
    "Metrics": {},
    "OTel": {"tracer_provider": TracerProvider()},  # without one it does nothing
    "RateLimit": {},
    "RealIP": {},
    "ResourceFirewall": {"target": "x", "enforce": False},
    "SSERelay": {},
    "Sendfile": {"fs": "."},
    "Session": {"secret": "a secret of some length"},
    "TokenAuth": {"store": TokenStore(stores.MemoryStore())},
    "WebSocketRelay": {},
}
"""What each middleware cannot do without, and nothing more."""

NAMES = pytest.mark.parametrize("name", middleware.__all__)
# It is there to answer errors; all others let them pass.
PASSING_ERRORS = pytest.mark.parametrize("name", [name for name in middleware.__all__ if name != "ErrorHandler"])
AT_DOORS = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


def the(name: str) -> type[Any]:
    found: type[Any] = getattr(middleware, name)
    return found


def busy(session: Any) -> None:
    """Do what makes a middleware write headers, where it offers that to the program."""
    if session is not None:
        session["count"] = session.get("count", 0) + 1


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body of the request, in pieces."""
    busy(scope.get("session"))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-inner", b"1")]})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})
        await send({"type": "websocket.close", "code": 3000})
        return
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [(b"content-type", b"text/plain"), (b"x-inner", b"1"), (b"x-inner", b"2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def test_every_middleware_is_in_the_table_of_these_tests() -> None:
    assert sorted(OPTIONS) == sorted(middleware.__all__)


# -- the shape


@NAMES
def test_it_takes_the_app_first_and_its_options_by_keyword(name: str) -> None:
    app, *options = inspect.signature(the(name)).parameters.values()
    assert (app.name, app.kind, app.default) == ("app", app.POSITIONAL_OR_KEYWORD, next_app)
    assert [option.name for option in options if option.kind is not option.KEYWORD_ONLY] == []
    parameters = list(inspect.signature(the(name).__call__).parameters)
    assert parameters == ["self", "scope", "receive", "send"]
    assert inspect.iscoroutinefunction(the(name).__call__)


@NAMES
def test_its_documentation_names_every_option(name: str) -> None:
    text = inspect.getdoc(the(name)) or ""
    assert [option for option in inspect.signature(the(name)).parameters if f"\n    {option}: " not in text] == []
    assert "Example" in text


@NAMES
def test_its_documentation_shows_a_default_and_a_customised_example(name: str) -> None:
    """They are run by ``tests/test_docstring_examples.py``."""
    examples = examples_of(inspect.getdoc(the(name)) or "")
    assert [len(re.findall(rf"\b{name}\b(?!\.)", example.source)) for example in examples] == [1, 1]


@NAMES
def test_an_option_that_it_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="no_such_option"):
        the(name)(**OPTIONS[name], no_such_option=1)


@NAMES
def test_a_switch_is_on_or_off_and_no_text(name: str) -> None:
    parameters = inspect.signature(the(name)).parameters.values()
    for option in (each.name for each in parameters if str(each.annotation).startswith("bool")):
        for given in ("false", 0, 1.0, ""):
            with pytest.raises(ValueError, match=f"{name}: {option} must be True"):
                the(name)(**OPTIONS[name] | {option: given})


@PASSING_ERRORS
async def test_outside_of_a_router_it_asks_for_the_app_to_wrap(name: str) -> None:
    with pytest.raises(MisuseError, match="pass the app to wrap as its first argument"):
        await ask(the(name)(**OPTIONS[name]))


# -- through every door


@NAMES
@AT_DOORS
async def test_a_request_and_its_answer_pass(name: str, door: Any) -> None:
    app = door(the(name), OPTIONS[name], inner)
    for _ in range(2):
        answer = await ask(app, "/", "POST", body=[b"a", b"", b"bc"])
        assert (answer.status, answer.text, answer.complete) == (201, "abc", True)
        assert [value for key, value in answer.raw_headers if key == b"x-inner"] == [b"1", b"2"]


@NAMES
@AT_DOORS
async def test_a_websocket_passes(name: str, door: Any) -> None:
    app = door(the(name), OPTIONS[name], inner)
    socket = await Socket({"type": "websocket.receive", "text": "hello"}).connect(app)
    assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]
    assert (b"x-inner", b"1") in socket.sent[0]["headers"]
    assert (socket.sent[1]["text"], socket.sent[2]["code"]) == ("hello", 3000)


@NAMES
@AT_DOORS
async def test_the_lifespan_passes(name: str, door: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})

    received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async with asyncio.timeout(10):
        await door(the(name), OPTIONS[name], app)({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# -- what it must leave alone


@NAMES
async def test_a_scope_of_another_type_passes_untouched(name: str) -> None:
    given = {"type": "telegram", "headers": None}
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    await the(name)(app, **OPTIONS[name])(given, receive, send)
    assert seen == [(given, receive, send)]
    assert seen[0][0] is given
    assert given == {"type": "telegram", "headers": None}


UNKNOWN: list[dict[str, Any]] = [
    {"type": "http.response.early_hint", "links": [b"</a.css>"]},
    {"type": "http.response.debug", "info": {"template": 1}},
    {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
    {"type": "http.response.pathsend", "path": "/a"},
    {"type": "http.response.zerocopysend", "file": 3},
    {"type": "http.response.push", "path": "/b", "headers": []},
    {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": False},
    {"type": "made.up", "anything": object()},
]


@NAMES
async def test_messages_that_it_does_not_know_pass_in_order(name: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in UNKNOWN:
            await send(message)

    answer = await ask(the(name)(app, **OPTIONS[name]))
    assert [message["type"] for message in answer.messages] == [message["type"] for message in UNKNOWN]
    for given, sent in zip(UNKNOWN, answer.messages, strict=True):
        assert {key: value for key, value in sent.items() if key != "headers"} == {
            key: value for key, value in given.items() if key != "headers"
        }


@NAMES
@pytest.mark.parametrize("kind", [list, tuple, iter, None])
async def test_the_headers_of_a_message_are_copied_before_they_change(name: str, kind: Any) -> None:
    pairs = [(b"Content-Type", b"text/plain"), (b"vary", b"Accept")]
    start: dict[str, Any] = {"type": "http.response.start", "status": 200}
    if kind is not None:
        start["headers"] = kind(pairs)
    given = dict(start)
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        busy(scope.get("session"))
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any: ...

    async def send(message: Any) -> None:
        sent.append(message)

    await the(name)(app, **OPTIONS[name])(http_scope(), receive, send)
    assert start == given
    assert pairs == [(b"Content-Type", b"text/plain"), (b"vary", b"Accept")]
    names = [key for key, _ in sent[0].get("headers", [])]
    assert kind is None or names[:2] == [b"Content-Type", b"vary"]


@NAMES
async def test_the_headers_of_a_request_stay_as_they_are(name: str) -> None:
    headers = [(b"cookie", b"a=1"), (b"accept", b"*/*")]
    scope = {**http_scope(), "headers": headers}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None: ...

    await the(name)(inner, **OPTIONS[name])(scope, receive, send)
    assert scope["headers"] is headers
    assert headers == [(b"cookie", b"a=1"), (b"accept", b"*/*")]


@PASSING_ERRORS
async def test_an_error_of_the_app_passes(name: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        busy(scope.get("session"))
        raise LookupError("the app's own")

    with pytest.raises(LookupError, match="the app's own"):
        await ask(the(name)(app, **OPTIONS[name]))


@NAMES
async def test_a_request_that_is_cancelled_is_cancelled(name: str) -> None:
    entered = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask(the(name)(app, **OPTIONS[name])))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- what it must not keep


@NAMES
async def test_nothing_is_written_to_it_after_it_was_made(name: str) -> None:
    made = False

    class Sealed(the(name)):  # type: ignore[misc]  # a class that is only known when the tests run
        def __setattr__(self, key: str, value: Any) -> None:
            assert not made, f"{key} is written while a request is answered"
            super().__setattr__(key, value)

    app = Sealed(inner, **OPTIONS[name])
    made = True
    before = copy.copy(vars(app))
    answers = await asyncio.gather(*(ask(app, "/", "POST", body=b"%d" % number) for number in range(20)))
    assert [answer.text for answer in answers] == [str(number) for number in range(20)]
    await Socket({"type": "websocket.receive", "text": "x"}).connect(app)
    assert vars(app) == before
