"""Event streams that are fed by processes: how they begin, what each side is told, and every way that they end."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Response

from asgi_express import Express, MisuseError
from asgi_express.middleware import SSERelay
from asgi_express.middleware._relay import GRACE
from asgi_express.processes import Processes
from asgi_express.security import OriginPolicy
from tests.asgi import ask
from tests.middleware.cancelling import cancelled_at
from tests.relaying import Told, Wire
from tests.virtual import now, play

READS = {"accept": "text/event-stream", "host": "own.example"}


class Feed:
    """An app with a relay, and the process that feeds it.

    Attributes:
        told: what the process is told.
    """

    def __init__(self, *, buffer_size: int = 1024, **options: Any) -> None:
        self.processes = Processes(buffer_size=buffer_size)
        self.told = Told()
        self.pid = self.processes.spawn(self.told)
        self.asked: dict[str, Any] = {"target_pid": self.pid}
        self.handled = 0
        self.app: Any = Express()
        self.app.post_match(SSERelay(processes=self.processes, **options))
        self.app.get("/news", self.news)

    def news(self, req: Any, res: Any) -> None:
        self.handled += 1
        res.set("X-SSE-Relay", json.dumps(self.asked)).set("X-Own", "1").cookie("a", "1").send("the body is dropped")

    def send(self, topic: str, payload: Any = None) -> bool:
        """Send to the stream that has begun."""
        return self.processes.send(self.client, topic, payload)

    @asynccontextmanager
    async def streamed(self, *, detached: bool = False, **more: Any) -> AsyncIterator[Wire]:
        """Read the stream, and leave in the end if it is still there; nothing stays behind."""
        before = asyncio.all_tasks()
        async with Wire(self.app, "/news", kind="http", **{"headers": READS, **more}) as wire:
            self.start = await wire.next("http.response.start")
            first = await wire.event()
            if detached:
                event, data = first.split("\n")
                assert event == "event: ready"
                self.ready = json.loads(data.removeprefix("data: "))
                self.client = self.ready["stream_pid"]
            else:
                assert first == ": "
                self.join = await self.told.next("sse.join")
                self.client = self.join["client_pid"]
            yield wire
        assert asyncio.all_tasks() - before == set()
        assert self.client not in self.processes


def virtual(scene: Any) -> Any:
    """Play a scene in virtual time."""

    def test() -> None:
        play(scene())

    test.__name__ = scene.__name__
    return test


async def done(wire: Wire, reason: str) -> None:
    """See that the stream ends, for a reason."""
    assert await wire.event() == f'event: done\ndata: {{"reason":"{reason}"}}'
    assert await wire.next("http.response.body") == {"type": "http.response.body", "body": b"", "more_body": False}
    await wire.over()


# -- how it begins


async def test_the_answer_becomes_a_stream_with_the_other_headers_of_the_handler() -> None:
    feed = Feed()
    async with feed.streamed():
        headers = dict(feed.start["headers"])
        assert feed.start["status"] == 200
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-cache, no-transform"
        assert (headers[b"x-own"], headers[b"x-accel-buffering"]) == (b"1", b"no")
        assert headers[b"set-cookie"].startswith(b"a=1")
        assert not {b"x-sse-relay", b"content-length", b"etag"} & headers.keys()


async def test_events_are_what_is_sent_on_the_topic(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    feed.asked |= {"message_topic": "news", "metadata": {"user": "ada"}}
    async with feed.streamed() as wire:
        assert feed.join == {"client_pid": feed.client, "metadata": {"user": "ada"}}
        for payload in ("one\ntwo", {"a": [1]}, b"\x00\xff", object(), 7):
            assert feed.send("news", payload)
        feed.send("other", "not for the client")
        assert [await wire.event() for _ in range(4)] == [
            "event: news\ndata: one\ndata: two",
            'event: news\ndata: {"a":[1]}',
            'event: news\ndata: "AP8="',
            "event: news\ndata: 7",
        ]
        assert "a message cannot be written as JSON, and is dropped" in caplog.text
    assert await feed.told.next("sse.leave") == {
        "client_pid": feed.client,
        "reason": "client",
        "metadata": {"user": "ada"},
    }


async def test_without_a_process_it_is_detached_and_says_its_pid_first() -> None:
    feed = Feed()
    feed.asked = {}
    async with feed.streamed(detached=True) as wire:
        assert feed.ready == {"stream_pid": feed.client, "message_topic": "sse.message"}
        feed.send("sse.message", "hello")
        assert await wire.event() == "event: sse.message\ndata: hello"
        feed.send("sse.control", {"target_pid": feed.pid})
        assert (await feed.told.next("sse.join"))["client_pid"] == feed.client
        feed.send("sse.control", {"target_pid": ""})
        assert (await feed.told.next("sse.leave"))["reason"] == "moved"
        feed.processes.send(feed.pid, "end")
        await feed.processes.ended(feed.pid)
        feed.send("sse.message", "still here")
        assert await wire.event() == "event: sse.message\ndata: still here"


async def test_head_has_the_headers_and_no_stream() -> None:
    feed = Feed()
    answer = await ask(feed.app, "/news", "HEAD", headers=READS)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (answer.body, answer.complete) == (b"", True)
    assert (await feed.told.next("sse.leave"))["client_pid"] is None
    feed.asked = {}
    assert (await ask(feed.app, "/news", "HEAD", headers=READS)).status == 200


async def test_another_answer_passes_without_the_header() -> None:
    feed = Feed()
    feed.app.get("/no", lambda req, res: res.status(403).set("X-SSE-Relay", "{}").send("no"))
    feed.app.get("/plain", lambda req, res: res.send("plain"))
    answer = await ask(feed.app, "/no")
    assert (answer.status, answer.text, "x-sse-relay" in answer.headers) == (403, "no", False)
    assert (await ask(feed.app, "/plain", headers=READS)).text == "plain"


async def test_in_fastapi_it_is_a_middleware_like_any_other() -> None:
    feed = Feed()
    app = FastAPI()
    app.add_middleware(SSERelay, processes=feed.processes)

    @app.get("/news")
    async def news() -> Response:
        return Response(headers={"X-SSE-Relay": json.dumps(feed.asked)})

    feed.app = app
    async with feed.streamed() as wire:
        feed.send("sse.message", 1)
        assert await wire.event() == "event: sse.message\ndata: 1"


# -- who may read it


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"cookie": "a=1"}, True),
        ({"origin": "http://own.example"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://app.example.com"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "null"}, False),
    ],
)
@pytest.mark.parametrize("accepts", [True, False])
async def test_pages_of_other_origins_are_refused(headers: dict[str, str], passes: bool, accepts: bool) -> None:
    feed = Feed(allowed_origins=["https://app.example.com"])
    headers = {"host": "own.example", **headers, **({"accept": "text/event-stream"} if accepts else {})}
    if passes:
        async with feed.streamed(headers=headers):
            assert feed.handled == 1
        return
    answer = await ask(feed.app, "/news", headers=headers)
    assert (answer.status, answer.text, "x-sse-relay" in answer.headers) == (403, "Forbidden\n", False)
    assert feed.handled == (0 if accepts else 1)
    if not accepts:  # the handler has started a process, which need not wait
        assert await feed.told.next("sse.leave") == {"client_pid": None, "reason": "refused", "metadata": {}}


async def test_an_app_of_yours_may_refuse() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    feed = Feed(on_refused=refuse)
    assert (await ask(feed.app, "/news", headers={**READS, "origin": "https://evil.example"})).status == 418


# -- what is wrong


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "it is no JSON"),
        ('{"target": "x"}', "there is no target; there are hard_timeout, heartbeat_interval, idle_timeout"),
        ('{"idle_timeout": "never"}', "idle_timeout: invalid duration"),
        ('{"message_topic": "a\\nb"}', "message_topic must be"),
    ],
)
async def test_a_wrong_header_is_500_and_told_in_the_log(
    value: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed()
    feed.app.get("/wrong", lambda req, res: res.set("X-SSE-Relay", value).end())
    answer = await ask(feed.app, "/wrong", headers=READS)
    assert (answer.status, answer.text) == (500, "Internal Server Error\n")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("asgi_express.relay", logging.ERROR)
    assert re.search(words, record.getMessage())


async def test_a_process_that_is_not_there_or_too_many_streams_are_503(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    feed.processes._max = 1
    assert (await ask(feed.app, "/news", headers=READS)).status == 503
    assert (await feed.told.next("sse.leave"))["reason"] == "refused"
    feed.asked = {"target_pid": "nobody"}
    assert (await ask(feed.app, "/news", headers=READS)).status == 503
    assert "there are 1 processes already" in caplog.text
    assert "there is no process 'nobody'" in caplog.text


async def test_without_processes_it_says_what_is_missing() -> None:
    app = Express(raise_errors=True)
    app.post_match(SSERelay())
    app.get("/", lambda req, res: res.set("X-SSE-Relay", "{}").end())
    with pytest.raises(MisuseError, match=r"SSERelay: no gateway is around it; give it the option processes"):
        await ask(app)


# -- time


@virtual
async def test_a_heartbeat_is_a_comment_to_the_client_and_a_message_to_the_process() -> None:
    feed = Feed()
    async with feed.streamed() as wire:
        feed.send("sse.message", 1)
        await wire.event()
        assert await wire.event() == ": "
        beat = await feed.told.next("sse.heartbeat")
        assert now() == 30
        assert beat == {"client_pid": feed.client, "uptime": 30, "message_count": 1, "metadata": {}}
        wire.reading.clear()
        for _ in range(3):
            await feed.told.next("sse.heartbeat")
        wire.reading.set()
        assert now() == 120


@virtual
async def test_a_stream_without_events_ends_and_one_with_events_goes_on() -> None:
    feed = Feed()
    feed.asked |= {"idle_timeout": "40s"}
    async with feed.streamed() as wire:
        await asyncio.sleep(35)
        assert await wire.event() == ": "  # a heartbeat is no event
        feed.send("sse.message", 1)
        await wire.event()
        assert await wire.event() == ": "
        await done(wire, "idle")
        assert now() == 75
        assert [(await feed.told.messages.get()).topic for _ in range(3)][-1] == "sse.leave"


@virtual
async def test_a_stream_ends_after_its_time() -> None:
    feed = Feed()
    feed.asked |= {"hard_timeout": "1m", "heartbeat_interval": 0}
    async with feed.streamed() as wire:
        await asyncio.sleep(50)
        feed.send("sse.message", 1)
        await wire.event()
        feed.send("sse.control", {"hard_timeout": "70s"})
        await done(wire, "timeout")
        assert now() == 70
        assert (await feed.told.next("sse.leave"))["reason"] == "timeout"


# -- every way that it ends


@pytest.mark.parametrize(("topic", "reason"), [("end", "target"), ("fail", "target")])
async def test_it_ends_with_its_process_after_what_is_on_its_way(topic: str, reason: str) -> None:
    feed = Feed()
    async with feed.streamed() as wire:
        feed.send("sse.message", "last words")
        feed.processes.send(feed.pid, topic)
        assert await wire.event() == "event: sse.message\ndata: last words"
        await done(wire, reason)


@pytest.mark.parametrize(("payload", "reason"), [("session expired", "session expired"), (None, "closed")])
async def test_a_process_ends_it(payload: Any, reason: str) -> None:
    feed = Feed()
    async with feed.streamed() as wire:
        feed.send("sse.close", payload)
        await done(wire, reason)
        assert (await feed.told.next("sse.leave"))["reason"] == "closed"


async def test_closing_the_processes_ends_it() -> None:
    feed = Feed()
    async with feed.streamed() as wire:
        await feed.processes.aclose()
        assert (await wire.event()).startswith("event: done")
        await wire.next("http.response.body")


@virtual
async def test_a_client_that_does_not_read_is_left() -> None:
    feed = Feed(buffer_size=2)
    async with feed.streamed() as wire:
        wire.reading.clear()
        feed.send("sse.message", 0)
        await asyncio.sleep(0.1)
        assert [feed.send("sse.message", number) for number in range(3)] == [True, True, False]
        await wire.over()
        assert (now(), wire.sent.empty()) == (0.1 + GRACE, True)
        assert (await feed.told.next("sse.leave"))["reason"] == "overflow"


@virtual
async def test_or_it_loses_events() -> None:
    feed = Feed(buffer_size=2, overflow="drop_oldest")
    async with feed.streamed() as wire:
        wire.reading.clear()
        feed.send("sse.message", 0)
        await asyncio.sleep(0.1)
        assert all(feed.send("sse.message", number) for number in range(1, 6))
        wire.reading.set()
        assert [(await wire.event())[-1] for _ in range(3)] == ["0", "4", "5"]


@virtual
async def test_the_rest_of_a_slow_stream_has_a_deadline() -> None:
    feed = Feed()
    async with feed.streamed() as wire:
        wire.reading.clear()
        feed.send("sse.message", 0)
        await asyncio.sleep(0.1)
        feed.processes.send(feed.pid, "end")
        await wire.over()
        assert now() == 0.1 + 2 * GRACE


async def test_a_client_that_has_gone_before_it_began_is_told_to_the_process() -> None:
    feed = Feed()

    async def lost(scope: Any, receive: Any, send: Any) -> None:
        async def fail(message: Any) -> None:
            raise OSError("gone")

        await feed.app(scope, receive, fail)

    await Wire(lost, "/news", kind="http", headers=READS).over()
    assert await feed.told.next("sse.leave") == {"client_pid": None, "reason": "client", "metadata": {}}


# -- nothing stays behind


async def test_many_streams_that_drop_leave_nothing_behind() -> None:
    feed = Feed()
    before = asyncio.all_tasks()
    for _ in range(20):
        wires = [Wire(feed.app, "/news", kind="http", headers=READS) for _ in range(50)]
        for wire in wires:
            await wire.next("http.response.start")
        for number, wire in enumerate(wires):
            (wire.running.cancel if number % 2 else wire.leave)()
        await asyncio.wait([wire.running for wire in wires])
    assert asyncio.all_tasks() - before == set()
    assert len(feed.processes) == 1


async def test_cancelled_at_any_await_it_is_over() -> None:
    feed = Feed()
    for number in range(1, 200):
        said: list[dict[str, Any]] = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

        async def receive(said: list[dict[str, Any]] = said) -> Any:
            await asyncio.sleep(0)
            return said.pop(0)

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        scope = {"type": "http", "method": "GET", "path": "/news", "headers": [], "query_string": b"", "scheme": "http"}
        reached, outcome, left = await cancelled_at(feed.app(scope, receive, send), number)
        assert left == set(), number
        assert len(feed.processes) == 1, number
        if not reached:
            assert (outcome, number > 4) == ("returned", True)
            break
        assert outcome == "cancelled", number


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"processes": {}}, r"processes must be a Processes, not \{\}"),
        ({"buffer_size": -1}, "buffer_size must be an integer of 1 or more, not -1"),
        ({"overflow": "wait"}, "overflow must be 'drop_newest' or 'drop_oldest' or 'close', not 'wait'"),
        ({"on_refused": 7}, "on_refused must be an ASGI app"),
        ({"allowed_origins": "null"}, "allowed_origins: any site can make a page of origin 'null'"),
        ({"allowed_origins": OriginPolicy("https://a.example")}, "made without credentials=True"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"SSERelay: .*{words}|SSERelay: {words}"):
        SSERelay(**options)
