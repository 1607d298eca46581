"""Lifespans: started in order, stopped in reverse, rolled back when one fails, bounded in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from starlette.middleware.gzip import GZipMiddleware

from asgi_express import Express, Router, _lifespan, next_app
from asgi_express._lifespan import LifespanError, serve_lifespan, started
from asgi_express.types import Message, Receive, Scope, Send
from tests.asgi import PATIENCE, ask


class Part:
    """An ASGI app that notes when it starts and stops.

    Args:
        name: what it notes.
        events: where.
        behaviour: what it does other than well; see ``__call__``.
    """

    def __init__(self, name: str, events: list[str], behaviour: str = "") -> None:
        self.name = name
        self.events = events
        self.behaviour = behaviour
        self.dies = asyncio.Event()
        self.hangs = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            words = f"{self.name}: {sorted(scope.get('state', {}).items())}"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": words.encode()})
            return
        assert (await receive())["type"] == "lifespan.startup"
        self.events.append(f"{self.name} starts")
        scope["state"]["from"] = self.name
        try:
            await self.start(send)
            await self.stop(receive, send)
        finally:
            self.events.append(f"{self.name} returns")

    async def start(self, send: Send) -> None:
        match self.behaviour:
            case "fails to start":
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                raise ValueError(self.name)
            case "fails to start without a word":
                await send({"type": "lifespan.startup.failed"})
                await asyncio.Event().wait()
            case "hangs in its start":
                self.hangs.set()
                await asyncio.Event().wait()
        await send({"type": "lifespan.startup.complete"})

    async def stop(self, receive: Receive, send: Send) -> None:
        if self.behaviour == "dies":
            await self.dies.wait()
            raise ValueError(self.name)
        assert (await receive())["type"] == "lifespan.shutdown"
        self.events.append(f"{self.name} stops")
        match self.behaviour:
            case "fails to stop":
                await send({"type": "lifespan.shutdown.failed", "message": "still busy"})
            case "fails to stop without a word":
                await send({"type": "lifespan.shutdown.failed"})
            case "raises in its stop":
                raise ValueError(self.name)
            case "hangs in its stop":
                await asyncio.Event().wait()
            case "stays after its stop":
                await send({"type": "lifespan.shutdown.complete"})
                await asyncio.Event().wait()
            case "returns in its stop":
                return
            case _:
                await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for apps that hang for a fraction of a second."""
    monkeypatch.setattr(_lifespan, "_PATIENCE", 0.25)


def whole(*names: str) -> list[str]:
    """Return the notes of parts that start in order and stop in reverse."""
    stops = [f"{name} {verb}" for name in reversed(names) for verb in ("stops", "returns")]
    return [*(f"{name} starts" for name in names), *stops]


# -- several apps


async def test_apps_start_in_order_and_stop_in_reverse(events: list[str]) -> None:
    async with started([Part(name, events) for name in "ABC"]):
        assert events == ["A starts", "B starts", "C starts"]
    assert events == whole("A", "B", "C")


async def test_an_app_that_is_mounted_twice_starts_once(events: list[str]) -> None:
    part = Part("A", events)
    async with started([part, Part("B", events), part]) as states:
        assert len(states) == 2
    assert events == whole("A", "B")


async def test_each_app_has_a_state_of_its_own(events: list[str]) -> None:
    one, two = Part("A", events), Part("B", events)
    async with started([one, two]) as states:
        assert states == {id(one): {"from": "A"}, id(two): {"from": "B"}}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("fails to start", "no database"), ("fails to start without a word", "it gave no reason")],
)
async def test_when_one_fails_to_start_those_before_it_stop_and_those_after_it_never_start(
    events: list[str], behaviour: str, words: str
) -> None:
    parts = [Part("A", events), Part("B", events), Part("C", events, behaviour), Part("D", events)]
    with pytest.raises(LifespanError, match=f"Part failed to start: {words}") as failure:
        async with started(parts):
            pytest.fail("it started")
    assert events == ["A starts", "B starts", "C starts", "C returns", "B stops", "B returns", "A stops", "A returns"]
    assert isinstance(failure.value.__cause__, ValueError if words == "no database" else asyncio.CancelledError)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fails to stop", "still busy"),
        ("fails to stop without a word", "it gave no reason"),
        ("raises in its stop", r"ValueError\('B'\)"),
        ("hangs in its stop", r"it did not answer within 0\.25 seconds"),
    ],
)
async def test_when_one_fails_to_stop_the_others_stop_all_the_same(
    events: list[str], behaviour: str, words: str
) -> None:
    with pytest.raises(LifespanError, match=f"Part failed to stop: {words}"):
        async with started([Part("A", events), Part("B", events, behaviour), Part("C", events)]):
            pass
    assert events == whole("A", "B", "C")


async def test_when_several_fail_to_stop_the_first_is_raised_and_the_others_are_logged(
    events: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    parts = [Part("A", events, "fails to stop"), Part("B", events, "raises in its stop")]
    with pytest.raises(LifespanError, match="ValueError"):
        async with started(parts):
            pass
    assert events == whole("A", "B")
    assert [record.getMessage() for record in caplog.records] == ["tests.test_lifespan.Part failed to stop: still busy"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", ["stays after its stop", "returns in its stop"])
async def test_an_app_that_has_stopped_is_gone(events: list[str], behaviour: str) -> None:
    async with started([Part("A", events), Part("B", events, behaviour)]):
        pass
    assert events == whole("A", "B")


async def test_an_app_that_dies_while_serving_is_an_error_at_the_end(events: list[str]) -> None:
    part = Part("A", events, "dies")
    with pytest.raises(LifespanError, match=r"failed to stop: ValueError\('A'\)") as failure:
        async with started([part]):
            part.dies.set()
    assert isinstance(failure.value.__cause__, ValueError)


async def test_an_error_of_the_block_stops_the_apps_and_comes_out(events: list[str]) -> None:
    with pytest.raises(KeyError, match="block"):
        async with started([Part("A", events), Part("B", events, "fails to stop")]):
            raise KeyError("block")
    assert events == whole("A", "B")


async def test_giving_up_while_an_app_hangs_in_its_start_ends_it_at_once(events: list[str]) -> None:
    hanging = Part("B", events, "hangs in its start")
    stack = AsyncExitStack()
    entering = asyncio.ensure_future(stack.enter_async_context(started([Part("A", events), hanging])))
    await hanging.hangs.wait()
    entering.cancel()
    async with asyncio.timeout(_lifespan._PATIENCE / 2):
        with pytest.raises(asyncio.CancelledError):
            await entering
    assert events == ["A starts", "B starts", "B returns", "A stops", "A returns"]


# -- apps without a lifespan


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"


async def refuses_after_a_while(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise ValueError(scope["type"])


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing."""


async def answers_anything(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def waits_for_the_client_to_leave(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize(
    "app", [refuses, refuses_after_a_while, returns, answers_anything, waits_for_the_client_to_leave]
)
async def test_an_app_that_knows_no_lifespan_is_left_alone(events: list[str], app: Any) -> None:
    async with started([Part("A", events), app, Part("B", events)]) as states:
        assert states[id(app)] == {}
    assert events == whole("A", "B")


async def test_that_an_app_knows_no_lifespan_is_told_to_those_who_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "asgi_express"):
        async with started([refuses]):
            pass
    (record,) = caplog.records
    assert record.getMessage() == "tests.test_lifespan.refuses has no lifespan"
    assert record.exc_info


# -- as a server sees it


class Server:
    """The server's end of a lifespan."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Any], **scope: Any) -> None:
        self.scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, **scope}
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.ensure_future(app(self.scope, self._to_app.get, self._from_app.put))

    async def tell(self, phase: str) -> Message:
        self._to_app.put_nowait({"type": f"lifespan.{phase}"})
        async with asyncio.timeout(PATIENCE):
            return await self._from_app.get()

    @property
    def silent(self) -> bool:
        return self._from_app.empty()


async def test_a_server_is_told_when_all_has_started_and_when_all_has_stopped(events: list[str]) -> None:
    server = Server(Router().mount("/a", Part("A", events)).mount("/b", Part("B", events)))
    assert await server.tell("startup") == {"type": "lifespan.startup.complete"}
    assert events == ["A starts", "B starts"]
    assert await server.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task
    assert events == whole("A", "B")


async def test_a_server_is_told_what_failed_to_start(events: list[str]) -> None:
    server = Server(Router().mount("/a", Part("A", events)).mount("/b", Part("B", events, "fails to start")))
    answer = await server.tell("startup")
    words = "LifespanError: tests.test_lifespan.Part failed to start: no database"
    assert answer == {"type": "lifespan.startup.failed", "message": words}
    with pytest.raises(LifespanError):
        await server.task
    assert events == ["A starts", "B starts", "B returns", "A stops", "A returns"]


async def test_a_server_is_told_what_failed_to_stop(events: list[str]) -> None:
    server = Server(Router().mount("/a", Part("A", events, "fails to stop")))
    await server.tell("startup")
    answer = await server.tell("shutdown")
    words = "LifespanError: tests.test_lifespan.Part failed to stop: still busy"
    assert answer == {"type": "lifespan.shutdown.failed", "message": words}
    with pytest.raises(LifespanError):
        await server.task


async def test_a_server_that_goes_down_without_a_word_still_has_the_apps_stopped(events: list[str]) -> None:
    server = Server(Router().mount("/a", Part("A", events)))
    await server.tell("startup")
    server.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server.task
    assert events == whole("A")
    assert server.silent


@pytest.mark.parametrize(
    ("made", "given", "expected"),
    [
        ({"db": 1}, {"state": {"host": 2}}, {"host": 2, "db": 1}),
        ({"db": 1}, {}, {"db": 1}),
        ({}, {}, None),
        (None, {}, None),
        (None, {"state": {}}, {}),
    ],
    ids=["added to the server's", "without a state of the server", "empty", "none", "none for the server's"],
)
async def test_what_a_lifespan_yields_is_the_state(made: Any, given: Any, expected: Any) -> None:
    @asynccontextmanager
    async def context() -> AsyncIterator[Any]:
        yield made

    server = Server(lambda scope, receive, send: serve_lifespan(context(), scope, receive, send), **given)
    await server.tell("startup")
    assert server.scope.get("state") == expected
    await server.tell("shutdown")
    await server.task


async def test_next_app_alone_agrees_to_start_and_to_stop() -> None:
    server = Server(GZipMiddleware(next_app))
    assert await server.tell("startup") == {"type": "lifespan.startup.complete"}
    assert await server.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
    await server.task


# -- of routers


def lifespan_of(name: str, events: list[str], **state: Any) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(router: Any) -> AsyncIterator[dict[str, Any] | None]:
        assert isinstance(router, Router)
        events.append(f"{name} starts")
        try:
            yield state or None
        finally:
            events.extend([f"{name} stops", f"{name} returns"])

    return lifespan


async def test_the_lifespans_of_routers_at_any_depth_run_outermost_first(events: list[str]) -> None:
    inner = Router(lifespan=lifespan_of("inner", events, c=3))
    middle = Router().use("/inner", inner)
    outer = Express(lifespan=lifespan_of("outer", events, a=1)).use("/middle", middle)
    outer.use("/beside", Router(lifespan=lifespan_of("beside", events)))
    async with outer.lifespan_context() as state:
        assert state == {"a": 1, "c": 3}
    assert events == whole("outer", "inner", "beside")


async def test_what_an_inner_router_makes_does_not_hide_what_the_outer_one_has_made(events: list[str]) -> None:
    outer = Router(lifespan=lifespan_of("outer", events, db=1))
    outer.get("/", lambda req, res: res.json(req.state.db))
    outer.use("/inner", Router(lifespan=lifespan_of("inner", events, db=2)))
    async with outer.lifespan_context() as state:
        assert (await ask(outer, "/", state=dict(state or {}))).json == 1


async def test_a_router_without_any_lifespan_has_no_state() -> None:
    async with Router().lifespan_context() as state:
        assert not state


async def test_a_router_that_is_used_twice_starts_once(events: list[str]) -> None:
    shared = Router(lifespan=lifespan_of("shared", events))
    async with Router().use("/a", shared).use("/b", shared).lifespan_context():
        assert events == ["shared starts"]
    assert events == whole("shared")


async def test_what_a_lifespan_mounts_is_started_too(events: list[str]) -> None:
    @asynccontextmanager
    async def mounting(router: Any) -> AsyncIterator[None]:
        router.mount("/a", Part("A", events))
        yield

    async with Router(lifespan=mounting).lifespan_context():
        assert events == ["A starts"]
    assert events == whole("A")


async def test_a_router_that_fails_to_start_stops_those_before_it(events: list[str]) -> None:
    @asynccontextmanager
    async def failing(router: Any) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    router = Router(lifespan=lifespan_of("A", events)).use("/b", Router(lifespan=failing))
    with pytest.raises(ValueError, match="no database"):
        await AsyncExitStack().enter_async_context(router.lifespan_context())
    assert events == whole("A")


def on_a_mount(router: Router, app: Part) -> None:
    router.mount("/x", app)


def on_a_path(router: Router, app: Part) -> None:
    router.use("/x", app)


def on_a_route(router: Router, app: Part) -> None:
    router.get("/x", app)


def on_a_websocket_route(router: Router, app: Part) -> None:
    router.ws("/x", app)


def after_the_match(router: Router, app: Part) -> None:
    router.post_match(app)


def in_a_router(router: Router, app: Part) -> None:
    router.use("/r", Router().mount("/x", app))


def in_a_router_on_a_route(router: Router, app: Part) -> None:
    router.get("/r/*rest", Router().mount("/x", app))


@pytest.mark.parametrize(
    "place",
    [
        on_a_mount,
        on_a_path,
        on_a_route,
        on_a_websocket_route,
        after_the_match,
        in_a_router,
        in_a_router_on_a_route,
    ],
)
async def test_the_lifespan_of_an_app_runs_wherever_it_is(
    events: list[str], place: Callable[[Router, Part], None]
) -> None:
    router = Router()
    place(router, Part("A", events))
    async with router.lifespan_context():
        assert events == ["A starts"]
    assert events == whole("A")


@pytest.mark.parametrize("place", [on_a_mount, on_a_path, on_a_route])
async def test_an_app_sees_its_own_state_and_not_those_of_its_siblings(
    events: list[str], place: Callable[[Router, Part], None]
) -> None:
    router = Router()
    place(router, Part("A", events))
    router.mount("/b", Part("B", events))
    async with router.lifespan_context():
        assert (await ask(router, "/x", state={"host": 1})).text == "A: [('from', 'A'), ('host', 1)]"
        assert (await ask(router, "/b", state={"host": 1})).text == "B: [('from', 'B'), ('host', 1)]"


async def test_what_a_request_does_to_the_state_is_not_seen_by_the_next(events: list[str]) -> None:
    async def writes(scope: Scope, receive: Receive, send: Send) -> None:
        assert "note" not in scope["state"]
        scope["state"]["note"] = 1
        await Part("A", events)(scope, receive, send)

    class App(Part):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await (super().__call__ if scope["type"] == "lifespan" else writes)(scope, receive, send)

    router = Router().mount("/a", App("A", events))
    async with router.lifespan_context():
        answers = [(await ask(router, "/a", state={})).text for _ in range(2)]
    assert answers == ["A: [('from', 'A'), ('note', 1)]"] * 2


async def test_without_a_lifespan_apps_are_served_all_the_same(events: list[str]) -> None:
    router = Router().mount("/a", Part("A", events))
    assert (await ask(router, "/a")).text == "A: []"
    assert events == []


async def test_a_router_that_was_stopped_can_be_started_again(events: list[str]) -> None:
    router = Router(lifespan=lifespan_of("R", events)).mount("/a", Part("A", events))
    for _ in range(2):
        async with router.lifespan_context():
            assert (await ask(router, "/a")).text == "A: [('from', 'A')]"
    assert events == whole("R", "A") * 2


async def test_an_app_that_takes_long_to_start_is_named_in_the_log_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_lifespan, "_LATE", 0.01)
    told = asyncio.Event()
    monkeypatch.setattr(caplog.handler, "emit", lambda record: (caplog.records.append(record), told.set()))

    async def migrating(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await told.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    app = Express()
    app.mount("/", migrating)
    async with asyncio.timeout(PATIENCE), app.lifespan_context():
        messages = [record.getMessage() for record in caplog.records]
    assert [message.partition("migrating ")[2] for message in messages] == [
        "has not started within 0.01 seconds; it is waited for"
    ]


async def test_whoever_may_wait_no_longer_puts_a_time_out_around_the_lifespan() -> None:
    events: list[str] = []
    app = Express()
    app.mount("/a", Part("a", events)).mount("/b", Part("b", events, "hangs in its start"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), app.lifespan_context():
            pytest.fail("it started")
    assert events == ["a starts", "b starts", "b returns", "a stops", "a returns"]
