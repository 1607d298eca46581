"""Server-sent events: their text, read back as WHATWG HTML section 9.2.6 says, and streams over a real server."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import ClientDisconnect, Express, HeadersSentError, Request, Response
from asgi_express.server import Server
from asgi_express.sse import Event, EventStream
from tests.asgi import Answer, Client, ask, http_scope

PATIENCE = 10.0
PROMPT = 1.0
"""Seconds in which a source must be closed when its client has gone."""


# -- a parser of our own, to the letter of the standard


@dataclass
class Browser:
    """What an ``EventSource`` makes of a stream."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_id: str = ""
    retry: int | None = None
    comments: int = 0

    def read(self, text: str) -> Browser:
        """Read a whole stream: events as type, data and last id."""
        data: list[str] = []
        kind = ""
        for line in re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))[:-1]:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    self.events.append((kind or "message", "\n".join(data), self.last_id))
                data, kind = [], ""
            elif not name:
                self.comments += 1
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id" and "\0" not in value:
                self.last_id = value
            elif name == "retry" and value.isascii() and value.isdigit():
                self.retry = int(value)
        return self


def lines(text: str) -> str:
    """Return text as a browser gives it back: every line end is a line feed."""
    return re.sub("\r\n|\r", "\n", text)


# -- events as text


@pytest.mark.parametrize(
    "data",
    [
        "a",
        "",
        " a",
        "a\nb",
        "a\rb",
        "a\r\nb",
        "a\n\nb",
        "\n\n",
        "\r",
        "data: x\n\nevent: y",
        "\n\nid: 1\nretry: 1\n\n",
        ": comment",
        "\ufeffa",
        "é ❤ \u2028 \u2029 \x85 \x0b \x0c",
        "a\0b",
    ],
)
def test_data_arrives_as_it_was_sent(data: str) -> None:
    text = str(Event(data, event="kind", id="7"))
    assert Browser().read(text).events == [("kind", lines(data), "7")]


@given(
    st.lists(
        st.builds(
            Event,
            data=st.text(),
            event=st.none() | st.text(st.characters(exclude_characters="\r\n\0"), min_size=1),
            id=st.none() | st.text(st.characters(exclude_characters="\r\n\0")),
            comment=st.none() | st.text(),
            retry=st.none() | st.integers(0, 10**6),
        ),
        max_size=5,
    )
)
def test_any_events_arrive_each_for_itself(events: list[Event]) -> None:
    browser = Browser().read("".join(map(str, events)))
    last = ""
    for event, (kind, data, last_id) in zip(events, browser.events, strict=True):
        last = last if event.id is None else event.id
        assert (kind, data, last_id) == (event.event or "message", lines(event.data), last)


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "5\nid: 1", "x\n\ndata: y"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_a_name_or_id_that_would_break_out_of_its_line_is_refused(name: str, bad: str) -> None:
    with pytest.raises(ValueError, match=f"Event: {name} must have no line end"):
        Event("x", **{name: bad})


@pytest.mark.parametrize("retry", [-1, "-1s", "1e3", "5\nid: 1", float("inf"), float("nan"), timedelta(seconds=-1)])
def test_a_wait_that_is_none_is_refused(retry: Any) -> None:
    with pytest.raises(ValueError, match=r"retry|duration"):
        Event("x", retry=retry)


@pytest.mark.parametrize(
    ("retry", "milliseconds"), [(0, 0), (3, 3000), (1.5, 1500), ("2m", 120_000), (timedelta(seconds=1), 1000)]
)
def test_the_wait_before_connecting_again_is_in_milliseconds(retry: Any, milliseconds: int) -> None:
    assert Browser().read(str(Event(retry=retry))).retry == milliseconds


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        (7, "7"),
        (False, "false"),
        ([], "[]"),
        ({"line": "a\nb"}, '{"line":"a\\nb"}'),
        ({"at": datetime(2026, 1, 2, tzinfo=UTC)}, '{"at":"2026-01-02T00:00:00.000Z"}'),
        (float("nan"), "null"),
    ],
)
def test_data_that_is_no_text_is_json(data: Any, text: str) -> None:
    assert Browser().read(str(Event(data))).events == [("message", text, "")]


@pytest.mark.parametrize("data", [b"bytes", object()])
def test_data_that_has_no_json_form_is_an_error(data: Any) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        str(Event(data))


@pytest.mark.parametrize("comment", ["", "hello", "a\nb", "a\r\rdata: x", "\n\ndata: x\n\n"])
def test_a_comment_is_no_event_however_many_lines_it_has(comment: str) -> None:
    browser = Browser().read(str(Event(comment=comment)))
    assert browser.events == []
    assert browser.comments == len(lines(comment).split("\n"))


def test_an_event_without_data_only_sets_what_it_has() -> None:
    browser = Browser().read(str(Event(event="x", id="9")))
    assert (browser.events, browser.last_id) == ([], "9")


# -- a stream, in process


Source = Callable[[], AsyncIterator[Any]]


def serving(source: Source, **options: Any) -> Express:
    app = Express()

    @app.get("/")
    async def events(req: Request, res: Response) -> None:
        await res.sse(source(), **options)

    return app


async def three() -> AsyncIterator[Any]:
    yield "a"
    yield {"b": 1}
    yield Event("c", event="kind", id="3")


async def test_a_source_is_sent_to_its_end() -> None:
    answer = await ask(serving(three))
    assert answer.status == 200
    assert answer.complete
    assert {name: answer.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")} == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    }
    assert "content-length" not in answer.headers
    browser = Browser().read(answer.text)
    assert browser.events == [("message", "a", ""), ("message", '{"b":1}', ""), ("kind", "c", "3")]
    assert answer.chunks[0] == b": \n\n"


async def test_a_stream_may_be_returned_or_written_by_hand() -> None:
    app = Express()
    app.get("/returned", lambda req, res: res.sse(three()))

    @app.get("/by-hand")
    async def by_hand(req: Request, res: Response) -> None:
        async with res.sse(keep_alive=None) as stream:
            assert not stream.closed
            await stream.send("a", event="kind", id="1")
            await stream.send({"b": 1})
            await stream.send(Event(comment="x"))

    @app.get("/empty")
    async def empty(req: Request, res: Response) -> None:
        await res.sse()

    assert len(Browser().read((await ask(app, "/returned")).text).events) == 3
    by_hand_answer = await ask(app, "/by-hand")
    assert Browser().read(by_hand_answer.text).events == [("kind", "a", "1"), ("message", '{"b":1}', "1")]
    assert (await ask(app, "/empty")).text == ": \n\n"


async def test_any_asynchronous_iterable_is_a_source() -> None:
    class Rows:
        def __init__(self) -> None:
            self.left = ["x", "y"]

        def __aiter__(self) -> Rows:
            return self

        async def __anext__(self) -> str:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    assert [data for _, data, _ in Browser().read((await ask(serving(Rows))).text).events] == ["x", "y"]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([["a"]], {}),
        ([three], {}),
        ([], {"keep_alive": 0}),
        ([], {"keep_alive": -1}),
        ([], {"keep_alive": "often"}),
    ],
)
async def test_what_is_no_stream_is_an_error_before_anything_is_sent(
    arguments: list[Any], options: dict[str, Any]
) -> None:
    app = Express()
    app.get("/", lambda req, res: res.sse(*arguments, **options))
    answer = await ask(app)
    assert (answer.status, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")


async def test_a_stream_cannot_follow_an_answer() -> None:
    app = Express()

    @app.get("/")
    def handler(req: Request, res: Response) -> None:
        res.send("x")
        with pytest.raises(HeadersSentError):
            res.sse()

    assert (await ask(app)).text == "x"


@pytest.mark.parametrize(
    ("given_id", "seen"),
    [
        (None, None),
        ("", None),
        ("42", "42"),
        ("é❤".encode().decode("latin-1"), "é❤"),
        ("\xe9", "\xe9"),
        ("a" * 10_000, "a" * 256),
        ("a\0b", None),
        ("a\nb", None),
        ("a\rid: b", None),
        ("<script>", "<script>"),
    ],
)
async def test_the_last_event_id_of_the_client_is_bounded_text(given_id: str | None, seen: str | None) -> None:
    app = Express()
    found: list[str | None] = []

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        async with res.sse() as stream:
            found.append(stream.last_event_id)

    await ask(app, headers={} if given_id is None else {"last-event-id": given_id})
    assert found == [seen]


async def test_a_head_request_gets_the_headers_and_starts_no_stream() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[Any]:
        try:
            while True:
                yield "x"
                await asyncio.Event().wait()
        finally:
            closed.set()

    app = serving(endless)

    @app.get("/by-hand")
    async def by_hand(req: Request, res: Response) -> None:
        async with res.sse() as stream:
            while True:
                await stream.send("x")

    for path in ("/", "/by-hand"):
        answer = await ask(app, path, "HEAD")
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


async def failing() -> AsyncIterator[Any]:
    yield "a"
    raise LookupError("no more rows")


async def unwritable() -> AsyncIterator[Any]:
    yield "a"
    yield object()


@pytest.mark.parametrize("source", [failing, unwritable])
async def test_a_source_that_fails_cuts_the_stream_and_is_logged_by_the_server(source: Source) -> None:
    answer = Answer()
    with pytest.raises((LookupError, TypeError)):
        await ask(serving(source), answer=answer)
    assert Browser().read(answer.text).events == [("message", "a", "")]
    assert not answer.complete


async def test_a_slow_client_is_waited_for() -> None:
    produced: list[int] = []
    took, go = asyncio.Event(), asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            produced.append(number)
            yield number

    async def send(message: Any) -> None:
        if b"data: 0" in message.get("body", b""):
            took.set()
            await go.wait()

    asking = asyncio.ensure_future(_call(serving(numbers), Client(), send))
    async with asyncio.timeout(PATIENCE):
        await took.wait()
        assert produced == [0]
        go.set()
        await asking
    assert produced == [0, 1, 2, 3, 4]


async def _call(app: Express, client: Client, send: Callable[[Any], Awaitable[None]]) -> None:
    await app(http_scope("/"), client.receive, send)


async def test_a_source_runs_in_one_task_so_that_it_may_use_timeouts() -> None:
    tasks: list[Any] = []

    async def source() -> AsyncIterator[int]:
        async with asyncio.timeout(PATIENCE):
            for number in range(3):
                tasks.append(asyncio.current_task())
                yield number
            tasks.append(asyncio.current_task())

    assert (await ask(serving(source))).complete
    assert len(set(tasks)) == 1


async def test_a_client_that_the_server_reports_as_an_error_of_send_has_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The ASGI specification 2.4 lets ``send`` raise ``OSError`` then."""
    closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"] != b": \n\n":
            raise ConnectionResetError

    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(PATIENCE):
            await _call(serving(source), Client(), send)
    assert closed.is_set()
    assert caplog.records == []


async def test_sending_to_a_client_that_has_gone_raises_and_ends_the_block() -> None:
    client = Client()
    after: list[str] = []
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        gone = asyncio.Event()
        res.on("close", gone.set)
        async with res.sse() as stream:
            client.leave()
            await gone.wait()
            assert stream.closed
            with pytest.raises(ClientDisconnect):
                await stream.send("x")
            await stream.send("y")
            after.append("unreachable")
        after.append("over")

    await ask(app, client=client)
    assert after == ["over"]


async def test_a_stream_that_is_cancelled_from_outside_closes_its_source() -> None:
    waiting, closed = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            waiting.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    asking = asyncio.ensure_future(ask(serving(source)))
    async with asyncio.timeout(PATIENCE):
        await waiting.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert closed.is_set()


async def test_an_error_of_the_block_is_not_hidden() -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        async with res.sse():
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await ask(app)


# -- over a server


class Reader:
    """One connection to a server, and what came over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.text = ""

    @classmethod
    async def open(cls, server: Server, path: str = "/", headers: str = "") -> Reader:
        """Connect and ask, and return once the first comment is there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{headers}\r\n".encode())
        self = cls(reader, writer)
        await self.until(": \n\n")
        return self

    async def until(self, mark: str, times: int = 1) -> None:
        """Read until some text has come some times."""
        async with asyncio.timeout(PATIENCE):
            while self.text.count(mark) < times:
                chunk = await self._reader.read(4096)
                assert chunk, f"the connection ended before {mark!r}: {self.text!r}"
                self.text += chunk.decode()

    async def to_the_end(self) -> str:
        """Read until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            self.text += (await self._reader.read()).decode()
            self._writer.close()
            await self._writer.wait_closed()
        return self.text

    def leave(self) -> None:
        """Close the connection without a word."""
        self._writer.transport.abort()


@asynccontextmanager
async def no_task_is_left() -> AsyncIterator[None]:
    """Check that what was started inside is over soon after."""
    before = asyncio.all_tasks()
    yield
    extra = asyncio.all_tasks() - before
    if extra:
        _, pending = await asyncio.wait(extra, timeout=PROMPT)
        assert pending == set()


class Sources:
    """Sources that tell when they wait and when they are closed."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()
        self.open = 0

    def _over(self) -> None:
        self.open -= 1
        if not self.open:
            self.closed.set()

    async def silent(self) -> AsyncIterator[str]:
        self.open += 1
        try:
            yield "first"
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self._over()

    async def busy(self) -> AsyncIterator[str]:
        self.open += 1
        self.waiting.set()
        try:
            while True:
                yield "x" * 1000
                await asyncio.sleep(0)
        finally:
            self._over()

    async def stubborn(self) -> AsyncIterator[str]:
        self.open += 1
        try:
            yield "first"
            self.waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield "I go on"
        finally:
            self._over()


@pytest.mark.parametrize("kind", ["silent", "busy", "stubborn"])
async def test_the_source_is_closed_and_no_task_is_left_when_the_client_leaves(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    sources = Sources()
    async with serving(getattr(sources, kind)).serve(port=0) as server, no_task_is_left():
        reader = await Reader.open(server)
        await reader.until("data: ")
        async with asyncio.timeout(PATIENCE):
            await sources.waiting.wait()
        reader.leave()
        async with asyncio.timeout(PROMPT):
            await sources.closed.wait()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_crowd_of_clients_comes_and_goes_and_leaves_nothing() -> None:
    sources = Sources()
    async with serving(sources.silent, keep_alive=60).serve(port=0) as server, no_task_is_left():
        for _ in range(3):
            sources.closed.clear()
            readers = await asyncio.gather(*(Reader.open(server) for _ in range(30)))
            await asyncio.gather(*(reader.until("data: first") for reader in readers))
            assert sources.open == 30
            for reader in readers:
                reader.leave()
            async with asyncio.timeout(PATIENCE):
                await sources.closed.wait()


async def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    sources = Sources()
    async with serving(sources.silent, keep_alive="10ms").serve(port=0) as server, no_task_is_left():
        reader = await Reader.open(server)
        await reader.until(": \n\n", times=4)
        reader.leave()
        async with asyncio.timeout(PROMPT):
            await sources.closed.wait()


async def test_a_stream_by_hand_learns_that_its_client_has_left() -> None:
    over: asyncio.Event = asyncio.Event()
    streams: list[EventStream] = []
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        async with res.sse(keep_alive=0.01) as stream:
            streams.append(stream)
            while True:
                await stream.send("tick")
                await asyncio.sleep(0)
        over.set()

    async with app.serve(port=0) as server, no_task_is_left():
        reader = await Reader.open(server)
        await reader.until("data: tick")
        reader.leave()
        async with asyncio.timeout(PROMPT):
            await over.wait()
    assert streams[0].closed


async def test_a_client_that_connects_again_says_where_it_was() -> None:
    async def after(last: str | None) -> AsyncIterator[Event]:
        for number in range(int(last or 0) + 1, 4):
            yield Event(number, id=str(number))

    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        await res.sse(after(req.get("Last-Event-ID")))

    async with app.serve(port=0) as server:
        first = await Reader.open(server, headers="Connection: close\r\n")
        assert "data: 1\nid: 1\n\n" in await first.to_the_end()
        again = await Reader.open(server, headers="Connection: close\r\nLast-Event-ID: 2\r\n")
        text = await again.to_the_end()
        assert "data: 3\nid: 3\n\n" in text
        assert "data: 2" not in text


async def test_a_server_that_stops_does_not_wait_for_streams_for_ever() -> None:
    sources = Sources()
    async with asyncio.timeout(PATIENCE):
        async with serving(sources.silent).serve(port=0, timeout_graceful_shutdown=1, log_level="critical") as server:
            readers = [await Reader.open(server) for _ in range(5)]
            await asyncio.gather(*(reader.until("data: first") for reader in readers))
        await sources.closed.wait()
    for reader in readers:
        reader.leave()


async def test_a_source_that_ignores_that_it_is_cancelled_is_told_of_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asgi_express.sse._PATIENCE", 0.01)
    client, waiting, logged = Client(), asyncio.Event(), asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    async def deaf() -> AsyncIterator[int]:
        waiting.set()
        while not logged.is_set():
            try:
                await logged.wait()
            except asyncio.CancelledError:
                continue
        yield 1

    handler = Listener()
    logging.getLogger("asgi_express").addHandler(handler)
    try:
        asking = asyncio.ensure_future(ask(serving(deaf), client=client))
        async with asyncio.timeout(PATIENCE):
            await waiting.wait()
            client.leave()
            await asking
    finally:
        logging.getLogger("asgi_express").removeHandler(handler)
    assert "goes on though its client has gone" in caplog.text


async def test_events_that_interleave_are_never_mixed() -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        async with res.sse() as stream:

            async def talk(name: str) -> None:
                for number in range(20):
                    await stream.send(f"{name}\n{number}", event=name)

            await asyncio.gather(*(talk(name) for name in "abc"))

    async def slow_answer() -> Sequence[tuple[str, str, str]]:
        return Browser().read((await ask(app)).text).events

    events = await slow_answer()
    assert sorted(events) == sorted((name, f"{name}\n{number}", "") for name in "abc" for number in range(20))
