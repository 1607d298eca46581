"""The body of a request and the news that the client has gone, as handlers and mounted apps see them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse

from asgi_express import BodyError, ClientDisconnect, Express, MisuseError, Router, next_app
from tests.asgi import Answer, Client, ask

CHUNKS = [b"first,", b"", b"second,", b"third"]
BODY = b"".join(CHUNKS)


class SlowClient(Client):
    """A client whose messages take a turn of the loop, as over a socket."""

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        return await super().receive()


class Many(Client):
    """A client that sends one chunk very often."""

    def __init__(self, chunk: bytes, count: int, *, leaves: bool = False) -> None:
        super().__init__([], leaves=leaves)
        self.chunk = chunk
        self.count = count
        self.leaves = leaves

    async def receive(self) -> dict[str, Any]:
        if self.count == 0:
            return await super().receive()
        self.count -= 1
        return {"type": "http.request", "body": self.chunk, "more_body": self.leaves or self.count > 0}


class App:
    """An ASGI app that answers with what it was sent."""

    def __init__(self, app: Any = None) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await StarletteRequest(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)


async def post(app: Any, body: bytes | Sequence[bytes] = CHUNKS, client: Client | None = None) -> Answer:
    return await ask(app, "/", "POST", body=body, client=client)


def answering(handler: Any) -> Express:
    app = Express(env="test")
    app.post("/", handler)
    app.use(lambda err, req, res, next: res.status(getattr(err, "status", 500)).send(f"{type(err).__name__}: {err}"))
    return app


# -- reading


@pytest.mark.parametrize("body", [b"", b"x", [b"", b""], CHUNKS, [b"x"] * 1000])
async def test_a_body_is_whole_however_it_arrives_and_can_be_read_again(body: bytes | list[bytes]) -> None:
    async def handler(req: Any, res: Any) -> None:
        first, second = await req.read(), await req.read()
        streamed = b"".join([chunk async for chunk in req.stream()])
        assert first == second == streamed
        res.send(first)

    answer = await post(answering(handler), body)
    assert answer.body == (body if isinstance(body, bytes) else b"".join(body))


async def test_a_message_without_a_body_is_an_empty_one() -> None:
    class Terse(Client):
        async def receive(self) -> dict[str, Any]:
            return {"type": "http.request"}

    async def handler(req: Any, res: Any) -> None:
        res.json(len(await req.read()))

    assert (await post(answering(handler), client=Terse())).json == 0


async def test_a_stream_gives_the_pieces_as_they_arrive() -> None:
    async def handler(req: Any, res: Any) -> None:
        res.json([chunk.decode() async for chunk in req.stream()])

    assert (await post(answering(handler))).json == ["first,", "second,", "third"]


@pytest.mark.parametrize("again", ["read", "stream"])
async def test_a_body_that_was_streamed_is_gone_and_the_error_says_so(again: str) -> None:
    async def handler(req: Any, res: Any) -> None:
        async for _ in req.stream():
            break
        if again == "read":
            await req.read()
        else:
            async for _ in req.stream():
                pass

    answer = await post(answering(handler))
    assert answer.text == ("MisuseError: the request body was streamed already; read it with read() to use it twice")


@pytest.mark.parametrize(
    ("limit", "status"),
    [(len(BODY), 200), (len(BODY) - 1, 413), (0, 413), ("18b", 200), ("1b", 413), (None, 200), ("1kb", 200)],
)
async def test_a_limit_counts_the_bytes_that_arrive(limit: Any, status: int) -> None:
    async def handler(req: Any, res: Any) -> None:
        res.send(await req.read(limit=limit))

    assert (await post(answering(handler))).status == status


@pytest.mark.parametrize("limit", [-1, "1zb", "", True, 1.5])
async def test_a_limit_that_is_none_is_an_error_and_no_open_door(limit: Any) -> None:
    async def handler(req: Any, res: Any) -> None:
        res.send(await req.read(limit=limit))

    assert (await post(answering(handler))).status == 500


@pytest.mark.parametrize(
    "headers", [{}, {"content-length": "1"}, {"content-length": "1", "transfer-encoding": "chunked"}]
)
async def test_a_body_of_a_megabyte_is_the_most_by_default_whatever_its_headers_say(headers: dict[str, str]) -> None:
    async def handler(req: Any, res: Any) -> None:
        res.json(len(await req.read()))

    app = answering(handler)
    mega = b"x" * 1024 * 1024
    assert (await ask(app, "/", "POST", headers=headers, body=mega)).json == len(mega)
    client = Client([mega, b"x", b"never taken"])
    answer = await ask(app, "/", "POST", headers=headers, client=client)
    assert (answer.status, answer.text) == (413, "BodyError: request entity too large")
    assert client.received == 2


async def test_what_was_read_over_a_limit_can_be_read_with_a_higher_one() -> None:
    facts: list[Any] = []

    async def handler(req: Any, res: Any) -> None:
        try:
            await req.read(limit=8)
        except BodyError as error:
            facts.append((error.status, error.type, error.limit, error.received))
        body = await req.read(limit=100)
        with pytest.raises(BodyError):
            await req.read(limit=8)
        res.send(body)

    assert (await post(answering(handler))).body == BODY
    assert facts == [(413, "entity.too.large", 8, 13)]


async def test_a_reader_that_gave_up_waiting_can_try_again() -> None:
    go = asyncio.Event()

    class Stalling(Client):
        async def receive(self) -> dict[str, Any]:
            if self.received == 2:
                await go.wait()
            return await super().receive()

    async def handler(req: Any, res: Any) -> None:
        reading = asyncio.ensure_future(req.read())
        while client.received < 2:
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        go.set()
        res.send(await req.read())

    client = Stalling(CHUNKS)
    assert (await post(answering(handler), client=client)).body == BODY


async def test_a_reader_takes_over_from_one_that_gave_up() -> None:
    go = asyncio.Event()

    class Stalling(Client):
        asked = 0

        async def receive(self) -> dict[str, Any]:
            self.asked += 1
            await go.wait()
            return await super().receive()

    async def handler(req: Any, res: Any) -> None:
        first, second, third = (asyncio.ensure_future(req.read()) for _ in range(3))
        while not client.asked:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        go.set()
        assert await second == await third
        res.send(await req.read())

    client = Stalling(CHUNKS)
    assert (await post(answering(handler), client=client)).body == BODY
    assert client.asked == len(CHUNKS) + 1


async def test_two_tasks_can_read_one_body() -> None:
    async def handler(req: Any, res: Any) -> None:
        bodies = await asyncio.gather(*(req.read() for _ in range(5)))
        assert len(set(bodies)) == 1
        res.send(bodies[0])

    assert (await post(answering(handler), client=SlowClient(CHUNKS))).body == BODY


@pytest.mark.parametrize("reader", ["read", "text", "json", "form"])
async def test_a_client_that_leaves_in_its_body_is_a_400(reader: str) -> None:
    async def handler(req: Any, res: Any) -> None:
        await getattr(req, reader)()

    app = Express(env="test")
    app.post("/", handler)
    seen: list[Any] = []

    def note(err: Any, req: Any, res: Any, next: Any) -> None:
        seen.append((type(err), err.type, err.received))
        next(err)

    app.use(note)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await ask(app, "/", "POST", headers=headers, client=Client([b"abc", b"de"], leaves=True))
    assert answer.status == 400
    assert seen == [(ClientDisconnect, "request.aborted", 5)]


@pytest.mark.parametrize("chunk", [b"", b"x"])
async def test_a_hundred_thousand_messages_are_linear_work(chunk: bytes) -> None:
    async def timed(count: int) -> float:
        start = time.perf_counter()
        await post(answering(handler), client=Many(chunk, count))
        return time.perf_counter() - start

    async def handler(req: Any, res: Any) -> None:
        res.json(len(await req.read()))

    await timed(100)
    assert await timed(100_000) < 40 * await timed(10_000)


# -- whether the client is there


@pytest.mark.parametrize(("client", "gone"), [(Client(leaves=True), True), (Client(), False)])
async def test_a_handler_can_ask_whether_the_client_has_gone_and_read_on(client: Client, gone: bool) -> None:
    async def handler(req: Any, res: Any) -> None:
        looks = [await req.disconnected() for _ in range(3)]
        res.json(looks)

    assert (await post(answering(handler), client=client)).json == [False, gone, gone]


async def test_looking_for_the_client_loses_no_body() -> None:
    async def handler(req: Any, res: Any) -> None:
        for _ in range(10):
            assert not await req.disconnected()
        res.send(await req.read())

    assert (await post(answering(handler))).body == BODY


async def test_looking_for_the_client_does_not_read_an_upload_into_memory() -> None:
    client = Client([b"x" * 1024] * 10_000)

    async def handler(req: Any, res: Any) -> None:
        for _ in range(200):
            assert not await req.disconnected()
        res.json(client.received)

    assert (await post(answering(handler), client=client)).json < 70


async def test_an_error_of_the_server_reaches_who_looks_or_reads() -> None:
    class Broken(Client):
        async def receive(self) -> dict[str, Any]:
            raise OSError("broken pipe")

    for reader in ("disconnected", "read"):

        async def handler(req: Any, res: Any, reader: str = reader) -> None:
            await getattr(req, reader)()

        assert (await post(answering(handler), client=Broken())).text == "OSError: broken pipe"


async def test_who_looks_and_is_cancelled_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()

    async def handler(req: Any, res: Any) -> None:
        looking = asyncio.ensure_future(req.disconnected())
        await asyncio.sleep(0)
        looking.cancel()
        await asyncio.wait([looking])
        await asyncio.sleep(0)
        res.json(len(asyncio.all_tasks() - before))

    assert (await post(answering(handler), client=Client([]))).json == 0


# -- watching


async def test_listeners_hear_at_once_that_the_client_has_left() -> None:
    heard: list[str] = []
    client = Client()

    async def handler(req: Any, res: Any) -> None:
        aborted = asyncio.Event()
        req.on("aborted", aborted.set).on("aborted", lambda: heard.append("req aborted"))
        req.on("close", lambda: heard.append("req close"))
        res.on("close", lambda: heard.append("res close"))
        client.leave()
        await aborted.wait()
        heard.append("handler")
        res.send("too late")

    await post(answering(handler), client=client)
    assert sorted(heard[:2]) == ["handler", "req aborted"] or heard[0] == "req aborted"
    assert sorted(heard) == ["handler", "req aborted", "req close", "res close"]


async def test_listeners_of_an_answered_request_hear_of_its_end_once_and_of_no_abort() -> None:
    heard: list[str] = []
    app = answering(lambda req, res: res.send("x"))
    watching = Express()

    def watch(req: Any, res: Any, next: Any) -> None:
        req.on("aborted", lambda: heard.append("aborted")).on("close", lambda: heard.append("req close"))
        res.on("finish", lambda: heard.append("finish")).on("close", lambda: heard.append("res close"))
        next()

    watching.use(watch, app)
    assert (await post(watching)).text == "x"
    assert heard == ["finish", "req close", "res close"]


async def test_a_client_that_leaves_after_its_answer_has_not_aborted_it() -> None:
    heard: list[str] = []
    client = Client()

    async def handler(req: Any, res: Any) -> None:
        req.on("aborted", lambda: heard.append("aborted")).on("close", lambda: heard.append("close"))
        await res.send("x")
        client.leave()
        while not await req.disconnected():
            pass
        for _ in range(5):
            await asyncio.sleep(0)
        heard.append("handler")

    assert (await post(answering(handler), client=client)).text == "x"
    assert heard == ["handler", "close"]


@pytest.mark.parametrize("client", [Client, SlowClient])
async def test_a_body_can_be_read_while_the_client_is_watched(client: type[Client]) -> None:
    chunks = [b"x" * 40_000] * 20

    async def handler(req: Any, res: Any) -> None:
        req.on("close", lambda: None)
        for _ in range(50):
            await asyncio.sleep(0)
        res.json(len(await req.read()))

    assert (await post(answering(handler), client=client(chunks))).json == 800_000


async def test_a_watch_reads_ahead_no_more_than_64_kb_and_goes_on_when_that_was_read() -> None:
    aborted: list[int] = []
    client = SlowClient([b"x" * 1000] * 1000, leaves=True)

    async def handler(req: Any, res: Any) -> None:
        done = asyncio.Event()
        req.on("aborted", lambda: (aborted.append(client.received), done.set()))
        for _ in range(500):
            await asyncio.sleep(0)
        ahead = client.received
        with pytest.raises(ClientDisconnect):
            async for _ in req.stream():
                pass
        await done.wait()
        res.json(ahead)

    assert (await post(answering(handler), client=client)).json < 70
    assert aborted == [1001]


async def test_a_watch_over_many_small_messages_is_linear_work() -> None:
    async def timed(count: int) -> float:
        start = time.perf_counter()
        await post(answering(handler), client=Many(b"x", count, leaves=True))
        return time.perf_counter() - start

    async def handler(req: Any, res: Any) -> None:
        done = asyncio.Event()
        req.on("aborted", done.set)
        await done.wait()

    await timed(100)
    assert await timed(40_000) < 40 * await timed(4000)


async def test_a_watch_that_fails_is_logged_and_the_answer_is_given(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Client):
        async def receive(self) -> dict[str, Any]:
            raise OSError("broken pipe")

    async def handler(req: Any, res: Any) -> None:
        req.on("close", lambda: None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        res.send("answer")

    assert (await post(answering(handler), client=Broken())).text == "answer"
    assert "watching for the client failed" in caplog.text


@pytest.mark.parametrize(("event", "listener"), [("abort", print), ("", print), ("finish", print)])
async def test_an_event_that_a_request_lacks_is_an_error_with_words(event: str, listener: Any) -> None:
    answer = await post(answering(lambda req, res: req.on(event, listener)))
    assert answer.text == f"ValueError: req.on: there is no event {event!r}; there are 'aborted' and 'close'"


# -- apps behind


def reads(req: Any) -> Any:
    return req.read()


async def starts_to_stream(req: Any) -> None:
    async for _ in req.stream():
        break


async def streams(req: Any) -> None:
    async for _ in req.stream():
        pass


async def looks(req: Any) -> None:
    await req.disconnected()


async def watches(req: Any) -> None:
    req.on("close", lambda: None)


async def watches_a_while(req: Any) -> None:
    req.on("close", lambda: None)
    for _ in range(20):
        await asyncio.sleep(0)


async def fails(req: Any) -> None:
    with pytest.raises(BodyError):
        await req.read(limit=1)


async def nothing(req: Any) -> None:
    pass


BEFORE = [
    (nothing, BODY),
    (reads, BODY),
    (looks, BODY),
    (watches, BODY),
    (watches_a_while, BODY),
    (fails, BODY),
    (starts_to_stream, b"second,third"),
    (streams, b""),
]


@pytest.mark.parametrize("client", [Client, SlowClient])
@pytest.mark.parametrize(("before", "body"), BEFORE, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_mounted_app_gets_the_body_that_a_handler_has_read(before: Any, body: bytes, client: Any) -> None:
    async def first(req: Any, res: Any, next: Any) -> None:
        await before(req)
        next()

    app = Express(env="test").use(first).mount("/", App())
    assert (await post(app, client=client(CHUNKS))).body == body


@pytest.mark.parametrize("client", [Client, SlowClient])
@pytest.mark.parametrize(("before", "body"), BEFORE[:6], ids=lambda value: getattr(value, "__name__", ""))
async def test_a_handler_behind_a_middleware_that_wraps_receive_gets_the_body(
    before: Any, body: bytes, client: Any
) -> None:
    class Wrapping:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def shouting() -> Any:
                message = await receive()
                return {**message, "body": message.get("body", b"").upper()}

            await next_app(scope, shouting, send)

    async def first(req: Any, res: Any, next: Any) -> None:
        await before(req)
        next()

    async def handler(req: Any, res: Any) -> None:
        res.send(await req.read())

    app = Express(env="test").use(first, Wrapping()).post("/", handler)
    assert (await post(app, client=client(CHUNKS))).body == body.upper()


@pytest.mark.parametrize("before", [nothing, looks, reads, watches])
async def test_a_mounted_app_hears_that_the_client_has_left(before: Any) -> None:
    heard: list[str] = []

    class Listening:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            while not heard or heard[-1] != "http.disconnect":
                heard.append((await receive())["type"])
            await JSONResponse(heard)(scope, receive, send)

    async def first(req: Any, res: Any, next: Any) -> None:
        await before(req)
        client.leave()
        next()

    client = Client(CHUNKS)
    await post(Router().use(first).mount("/", Listening()), client=client)
    assert heard[-1] == "http.disconnect"


async def test_a_mounted_app_hears_of_a_client_that_left_in_its_body() -> None:
    heard: list[Any] = []

    class Listening:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            for _ in range(3):
                heard.append(await receive())
            await PlainTextResponse("x")(scope, receive, send)

    async def first(req: Any, res: Any, next: Any) -> None:
        with pytest.raises(ClientDisconnect):
            await req.read()
        next()

    await post(Router().use(first).mount("/", Listening()), client=Client([b"abc"], leaves=True))
    assert heard == [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


async def test_a_watch_goes_on_while_a_mounted_app_reads_a_long_body() -> None:
    heard = asyncio.Event()
    client = SlowClient([b"x" * 10_000] * 50)

    class Waiting(App):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            body = await StarletteRequest(scope, receive).body()
            client.leave()
            await heard.wait()
            await JSONResponse(len(body))(scope, receive, send)

    async def first(req: Any, res: Any, next: Any) -> None:
        req.on("aborted", heard.set)
        for _ in range(100):
            await asyncio.sleep(0)
        next()

    assert (await post(Router().use(first).mount("/", Waiting()), client=client)).json == 500_000


async def test_an_endless_answer_behind_a_middleware_ends_when_the_client_leaves() -> None:
    client = SlowClient()
    written: list[int] = []

    class Wrapping:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def passing() -> Any:
                return await receive()

            await next_app(scope, passing, send)

    async def handler(req: Any, res: Any) -> None:
        while len(written) < 10_000:
            written.append(1)
            if len(written) == 10:
                client.leave()
            await res.write("x")
            await asyncio.sleep(0)

    app = Express(env="test")
    app.use(lambda req, res, next: (res.on("close", lambda: None), next())[1], Wrapping())
    app.post("/", handler)
    await post(app, client=client)
    assert len(written) < 100


def test_misuse_is_not_the_clients_fault() -> None:
    assert not hasattr(MisuseError("x"), "status")
