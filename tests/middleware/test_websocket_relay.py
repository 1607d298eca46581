"""WebSockets that are handed to processes: the handshake, what each side is told, and every way that it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.websockets import WebSocket

from asgi_express import Express, MisuseError, Router
from asgi_express.middleware import EndpointFirewall, ResourceFirewall, SSERelay, WebSocketRelay
from asgi_express.middleware._relay import GRACE, STALL
from asgi_express.processes import Processes
from asgi_express.security import Actor, Condition, OriginPolicy, Policy
from tests.asgi import Socket, ask
from tests.middleware.cancelling import cancelled_at
from tests.relaying import Told, Wire
from tests.virtual import now, play


def config(pid: str, **more: Any) -> str:
    return json.dumps({"target_pid": pid, **more})


class Room:
    """An app with a relay, and the process that it leads to.

    Attributes:
        told: what the process is told.
    """

    def __init__(self, *, buffer_size: int = 1024, **options: Any) -> None:
        self.processes = Processes(buffer_size=buffer_size)
        self.told = Told()
        self.pid = self.processes.spawn(self.told)
        self.asked: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[Any] = []
        self.app: Any = Express()
        self.app.post_match(WebSocketRelay(processes=self.processes, **options))
        self.app.get("/chat/:room", self.chat)

    async def chat(self, req: Any, res: Any) -> None:
        scope = req.scope
        assert "subprotocols" not in scope
        facts = (req.method, scope["type"], req.base_url + req.url, dict(req.params), req.protocol)
        self.requests.append((*facts, scope.get("extensions", {}), await req.text()))
        res.set("X-WS-Relay", config(self.pid, **self.asked)).set(self.headers).send("the body is dropped")

    def send(self, topic: str, payload: Any = None) -> bool:
        """Send to the connection that has joined."""
        return self.processes.send(self.client, topic, payload)

    @asynccontextmanager
    async def joined(self, target: str = "/chat/7", **more: Any) -> AsyncIterator[Wire]:
        """Connect, and leave in the end if the connection is still there; nothing stays behind."""
        before = asyncio.all_tasks()
        async with Wire(self.app, target, **more) as wire:
            self.accepted = await wire.next("websocket.accept")
            self.join = await self.told.next("ws.join")
            self.client = self.join["client_pid"]
            yield wire
        assert asyncio.all_tasks() - before == set()
        assert self.client not in self.processes


# -- the handshake


async def test_the_handler_of_get_decides_about_the_handshake() -> None:
    room = Room()
    room.headers = {"Set-Cookie": "a=1", "X-Own": "1", "Content-Type": "text/x", "Sec-WebSocket-Protocol": "chat"}
    headers = {"host": "a.example", "origin": "http://a.example"}
    async with room.joined("/chat/7?a=b", headers=headers, subprotocols=["chat", "other"]):
        assert room.requests == [("GET", "http", "/chat/7?a=b", {"room": "7"}, "http", {}, "")]
        assert room.accepted["subprotocol"] == "chat"
        assert dict(room.accepted["headers"]).keys() == {b"set-cookie", b"x-own", b"x-powered-by"}


@pytest.mark.parametrize("offered", [[], ["other"]])
async def test_a_subprotocol_that_was_not_offered_is_not_chosen(offered: list[str]) -> None:
    room = Room()
    room.headers = {"Sec-WebSocket-Protocol": "chat"}
    async with room.joined(subprotocols=offered):
        assert room.accepted["subprotocol"] is None


async def test_a_handler_that_reads_the_request_does_not_take_what_the_client_says() -> None:
    room = Room()
    gone: list[Any] = []

    async def chat(req: Any, res: Any) -> None:
        watching.append(asyncio.ensure_future(watch(req)))
        await asyncio.sleep(0)
        res.set("X-WS-Relay", config(room.pid)).end()

    async def watch(req: Any) -> None:
        receive = req._receive
        gone.extend([await receive(), await receive()])

    watching: list[Any] = []
    room.app.get("/watched", chat)
    async with room.joined("/watched") as wire:
        await watching[0]
        wire.say("for the process")
        assert await room.told.next("ws.message") == "for the process"
    assert [message["type"] for message in gone] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(("status", "code"), [(404, 1008), (401, 1008), (302, 1008), (500, 1011), (503, 1013)])
async def test_another_answer_refuses_the_handshake(status: int, code: int) -> None:
    room = Room()
    room.app.get("/no", lambda req, res: res.status(status).set("X-Own", "1").send("no"))
    socket = await Socket().connect(room.app, "/no", denial=True)
    assert socket.types == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (socket.sent[0]["status"], socket.sent[1]["body"]) == (status, b"no")
    assert (b"x-own", b"1") in socket.sent[0]["headers"]
    closed = await Socket().connect(room.app, "/no")
    assert closed.sent == [{"type": "websocket.close", "code": code, "reason": ""}]


async def test_a_refusal_with_the_header_is_a_refusal() -> None:
    room = Room()
    room.app.get("/no", lambda req, res: res.status(403).set("X-WS-Relay", config(room.pid)).send("no"))
    socket = await Socket().connect(room.app, "/no", denial=True)
    assert socket.sent[0]["status"] == 403
    assert b"x-ws-relay" not in dict(socket.sent[0]["headers"])
    answer = await ask(room.app, "/no")
    assert (answer.status, "x-ws-relay" in answer.headers) == (426, False)


async def test_an_error_of_the_handler_refuses_the_handshake(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()

    def fail(req: Any) -> None:
        raise ValueError("no database")

    room.app.get("/fail", fail)
    socket = await Socket().connect(room.app, "/fail", denial=True)
    assert socket.sent[0]["status"] == 500
    assert "no database" in caplog.text

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("no database")

    with pytest.raises(ValueError, match="no database"):
        await Socket().connect(WebSocketRelay(broken, paths="/*", processes=room.processes), "/x")


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
def test_a_stream_without_an_end_is_no_refusal_that_goes_on_for_ever(extensions: dict[str, Any]) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.debug", "info": {}})
        try:
            while True:
                await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
                await asyncio.sleep(1)
        finally:
            ended.append(now())

    async def scene() -> None:
        before = asyncio.all_tasks()
        relay = WebSocketRelay(endless, paths="/*", processes=Processes())
        wire = Wire(relay, "/events", extensions=extensions)
        first = await wire.next("websocket.http.response.start" if extensions else "websocket.close")
        assert first.get("code") == (None if extensions else 1008)
        await wire.over()
        assert asyncio.all_tasks() == before

    ended: list[float] = []
    play(scene())
    assert GRACE <= ended[0] <= GRACE + 1


def test_a_stream_that_never_waits_does_not_hold_the_loop_where_its_answer_is_dropped() -> None:
    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-ws-relay", b"{}")]})
        while not done:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def scene(kind: str) -> None:
        done.clear()
        wire = Wire(WebSocketRelay(busy, paths="/*", processes=Processes()), "/busy", kind=kind)
        await asyncio.sleep(0)
        done.append(True)
        await wire.over()

    done: list[bool] = []
    for kind in ("websocket", "http"):
        play(scene(kind))


async def test_a_handler_that_fails_after_it_has_asked_lets_no_process_wait() -> None:
    room = Room()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        header = (f"x-{scope['path'][1:]}-relay".encode(), config(room.pid).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        await send({"type": "http.response.body", "body": b""})
        raise ValueError("no database")

    sockets = WebSocketRelay(failing, paths="/ws", processes=room.processes)
    with pytest.raises(ValueError, match="no database"):
        await Socket().connect(sockets, "/ws")
    assert (await room.told.next("ws.leave"))["reason"] == "failed"
    with pytest.raises(ValueError, match="no database"):
        await ask(sockets, "/ws")
    assert (await room.told.next("ws.leave"))["reason"] == "no upgrade"
    with pytest.raises(ValueError, match="no database"):
        await ask(SSERelay(failing, processes=room.processes), "/sse")
    assert (await room.told.next("sse.leave"))["reason"] == "failed"
    with pytest.raises(ValueError, match="no database"):
        await ask(SSERelay(failing, processes=room.processes), "/other")
    assert room.told.messages.empty()


async def test_an_event_stream_is_no_answer_to_a_handshake() -> None:
    room = Room()
    room.app.post_match(SSERelay(processes=room.processes))
    room.app.get("/events", lambda req, res: res.set("X-SSE-Relay", config(room.pid)).end())
    before = len(room.processes)
    socket = await Socket().connect(room.app, "/events", denial=True)
    assert (socket.sent[0]["status"], len(room.processes)) == (400, before)
    assert (await room.told.next("sse.leave"))["reason"] == "refused"


async def test_where_nothing_is_for_it_the_handshake_is_refused() -> None:
    room = Room()
    room.app.post("/post", room.chat)
    for target in ("/nothing", "/post"):
        assert (await Socket().connect(room.app, target)).types == ["websocket.close"]
    assert room.requests == []


async def test_a_route_of_websockets_is_not_its_business() -> None:
    room = Room()

    app: Express = room.app

    @app.ws("/live")
    async def live(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send_text(await ws.receive_text())

    room.app.route("/both").get(room.chat).ws(live)
    for target in ("/live", "/both"):
        socket = await Socket({"type": "websocket.receive", "text": "hello"}).connect(room.app, target)
        assert socket.types == ["websocket.accept", "websocket.send", "websocket.close"]
        assert socket.sent[1]["text"] == "hello"


async def test_it_covers_the_routers_below_and_no_others() -> None:
    room = Room()
    below, beside = Router(), Router()
    below.get("/chat", room.chat)
    beside.get("/chat", room.chat)
    guarded = Router()
    guarded.post_match(WebSocketRelay(processes=room.processes))
    guarded.use("/below", below)
    app = Express()
    app.use("/guarded", guarded)
    app.use("/beside", beside)
    room.app = app
    async with room.joined("/guarded/below/chat"):
        assert room.requests[0][2] == "/guarded/below/chat"
    assert (await Socket().connect(app, "/beside/chat")).types == ["websocket.close"]


async def test_a_handler_that_passes_on_goes_on_among_the_routes_of_get() -> None:
    room = Room()
    app = Express()
    app.post_match(WebSocketRelay(processes=room.processes))
    app.get("/chat", lambda req, res, next: next("route"))
    app.get("/chat", room.chat)
    room.app = app
    async with room.joined("/chat"):
        assert len(room.requests) == 1


async def test_a_firewall_before_it_decides_on_the_endpoint() -> None:
    room = Room()
    told: list[Any] = []

    def known(req: Any, res: Any, next: Any) -> None:
        if "ada" in req.url:
            req.scope["asgi_express.actor"] = Actor("ada")
        next()

    app = Express()
    app.use(known)
    app.post_match(EndpointFirewall(default_policy="allow", audit=told.append))
    app.post_match(WebSocketRelay(processes=room.processes))
    app.get("/chat/:room", room.chat)
    room.app = app
    assert (await Socket().connect(app, "/chat/7", denial=True)).sent[0]["status"] == 401
    assert room.requests == []
    async with room.joined("/chat/7?ada"):
        assert [(verdict.resource, verdict.allowed) for verdict in told] == [
            ("/chat/:room", False),
            ("/chat/:room", True),
        ]


@pytest.mark.parametrize("firewall", [EndpointFirewall, lambda **more: ResourceFirewall(target="chat", **more)])
@pytest.mark.parametrize("is_first", [True, False])
async def test_what_denies_get_cannot_be_passed_by_a_handshake(firewall: Any, is_first: bool) -> None:
    room = Room()
    told: list[Any] = []
    app = Express()
    app.use(lambda req, res, next: (req.scope.__setitem__("asgi_express.actor", Actor("ada")), next())[1])
    no_get = Policy("no get", "*", "*", "deny", conditions=[Condition("meta.method", "eq", "GET")])
    firewall = firewall(default_policy="allow", policies=[no_get], audit=told.append)
    relay = WebSocketRelay(processes=room.processes)
    for each in (firewall, relay) if is_first else (relay, firewall):
        app.post_match(each)
    app.get("/chat/:room", room.chat)
    app.all("/all/:room", room.chat)
    for target in ("/chat/7", "/all/7"):
        assert (await Socket().connect(app, target, denial=True)).sent[0]["status"] == 403
    assert room.requests == []
    assert [(verdict.method, verdict.policy) for verdict in told] == [("GET", "no get")] * 2


async def test_in_fastapi_paths_say_which_handshakes_are_relayed() -> None:
    room = Room()
    app = FastAPI()
    app.add_middleware(WebSocketRelay, paths=["/chat/*", "/lobby"], processes=room.processes)

    @app.get("/chat/{name}")
    @app.get("/lobby")
    @app.get("/other")
    async def chat(request: Request) -> Response:
        return Response(headers={"X-WS-Relay": config(room.pid, metadata=request.path_params)})

    room.app = app
    async with room.joined("/chat/7"):
        assert room.join["metadata"] == {"name": "7"}
    await room.told.next("ws.leave")
    async with room.joined("/lobby"):
        assert room.join["metadata"] == {}
    for target in ("/other", "/chat", "/chat//7", "/chat/%37"):
        assert (await Socket().connect(app, target)).types == ["websocket.close"], target


async def test_paths_may_be_a_function_and_work_before_the_match() -> None:
    room = Room()
    app = Express()
    app.use(WebSocketRelay(paths=lambda scope: scope["path"] == "/chat", processes=room.processes))
    app.get("/chat", room.chat)
    app.get("/other", room.chat)
    room.app = app
    async with room.joined("/chat"):
        assert room.requests[0][0] == "GET"
    assert (await Socket().connect(app, "/other")).types == ["websocket.close"]


async def test_a_request_without_an_upgrade_is_426_and_the_process_need_not_wait() -> None:
    room = Room()
    answer = await ask(room.app, "/chat/7")
    assert (answer.status, answer.text) == (426, "Upgrade Required\n")
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "upgrade")
    assert "x-ws-relay" not in answer.headers
    assert await room.told.next("ws.leave") == {"client_pid": None, "reason": "no upgrade", "metadata": {}}


async def test_around_any_app_a_request_without_an_upgrade_is_426_and_others_pass() -> None:
    processes = Processes()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"x-ws-relay", b"{")] if scope["path"] == "/chat" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"of the app"})

    relay = WebSocketRelay(app, processes=processes)
    assert (await ask(relay, "/chat")).text == "Upgrade Required\n"
    assert (await ask(relay, "/other")).text == "of the app"


# -- who may connect


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"origin": "http://own.example"}, True),
        ({"origin": "https://own.example"}, True),
        ({"origin": "https://app.example.com"}, True),
        ({"origin": "https://x.partner.example"}, True),
        ({}, True),
        ({"cookie": "a=1"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://own.example.evil.example"}, False),
        ({"origin": "http://own.example:8080"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://own.example"}, False),
    ],
)
async def test_pages_of_other_origins_are_refused_before_the_handler_runs(
    headers: dict[str, str], passes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room(allowed_origins="https://app.example.com,https://*.partner.example")
    headers = {"host": "own.example", **headers}
    if passes:
        async with room.joined(headers=headers):
            assert len(room.requests) == 1
    else:
        socket = await Socket().connect(room.app, "/chat/7", headers=headers, denial=True)
        assert (socket.sent[0]["status"], socket.sent[1]["body"]) == (403, b"Forbidden\n")
        closed = await Socket().connect(room.app, "/chat/7", headers=headers)
        assert closed.sent == [{"type": "websocket.close", "code": 1008}]
        assert room.requests == []
        assert "a WebSocket is refused: " in caplog.text


async def test_by_default_only_the_own_origin_is_allowed_and_an_app_of_yours_may_refuse() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4403})

    room = Room(on_refused=refuse)
    headers = {"host": "own.example", "origin": "https://app.example.com"}
    assert (await Socket().connect(room.app, "/chat/7", headers=headers)).sent[0]["code"] == 4403


async def test_an_origin_policy_is_shared() -> None:
    policy = OriginPolicy(["https://app.example.com"], credentials=True)
    room = Room(allowed_origins=policy)
    async with room.joined(headers={"host": "own.example", "origin": "https://app.example.com"}):
        pass


# -- what is wrong with the header

WRONG = [
    ("{", "it is no JSON"),
    ("[" * 5000, "it is no JSON"),
    ("[]", r"expected an object, not \[\]"),
    ("{}", "it needs target_pid, the pid of a process"),
    ('{"target_pid": ""}', "it needs target_pid"),
    ('{"target_pid": 7}', "target_pid must be text, not 7"),
    ('{"target_pid": "PID", "topic": "x"}', "there is no topic; there are heartbeat_interval, message_topic"),
    ('{"target_pid": "PID", "idle_timeout": "5m"}', "there is no idle_timeout"),
    ('{"target_pid": "PID", "message_topic": "a b"}', "message_topic must be at most 128 visible ASCII characters"),
    ('{"target_pid": "PID", "message_topic": 7}', "message_topic must be"),
    ('{"target_pid": "PID", "heartbeat_interval": "soon"}', "heartbeat_interval: invalid duration 'soon'"),
    ('{"target_pid": "PID", "heartbeat_interval": -1}', "heartbeat_interval must not be negative"),
    ('{"target_pid": "PID", "heartbeat_interval": [1]}', "heartbeat_interval: a duration is"),
    ('{"target_pid": "PID", "metadata": 7}', "metadata must be an object, not 7"),
]


@pytest.mark.parametrize(("value", "words"), WRONG)
async def test_a_wrong_header_is_500_and_told_in_the_log(
    value: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room()
    room.app.get("/wrong", lambda req, res: res.set("X-WS-Relay", value.replace("PID", room.pid)).end())
    socket = await Socket().connect(room.app, "/wrong", denial=True)
    assert (socket.sent[0]["status"], socket.sent[1]["body"]) == (500, b"Internal Server Error\n")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("asgi_express.relay", logging.ERROR)
    assert re.search(words, record.getMessage())


async def test_two_headers_are_500(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    room.app.get("/two", lambda req, res: res.append("X-WS-Relay", [config(room.pid)] * 2).end())
    assert (await Socket().connect(room.app, "/two")).sent == [{"type": "websocket.close", "code": 1011}]
    assert "the header is there twice" in caplog.text


async def test_a_process_that_is_not_there_is_503(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    room.processes.stop(room.pid)
    await room.processes.ended(room.pid)
    assert (await Socket().connect(room.app, "/chat/7", denial=True)).sent[0]["status"] == 503
    assert "there is no process" in caplog.text


async def test_too_many_connections_are_503(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    room.processes._max = 1
    assert (await Socket().connect(room.app, "/chat/7")).sent == [{"type": "websocket.close", "code": 1013}]
    assert (await room.told.next("ws.leave"))["reason"] == "refused"
    assert "there are 1 processes already" in caplog.text


async def test_without_processes_it_says_what_is_missing() -> None:
    with pytest.raises(MisuseError, match=r"give it the option processes=Processes\(\)"):
        await Socket().connect(WebSocketRelay(Express(), paths="/x"), "/x")


async def test_a_client_that_leaves_during_the_handshake_is_told_to_the_process() -> None:
    room = Room()

    async def left(scope: Any, receive: Any, send: Any) -> None:
        async def fail(message: Any) -> None:
            raise OSError("gone")

        await room.app(scope, receive, fail)

    await Wire(left, "/chat/7").over()
    assert await room.told.next("ws.leave") == {"client_pid": None, "reason": "client", "metadata": {}}
    early = Wire(room.app, "/chat/7")
    early._said.get_nowait()
    early.leave()
    await early.over()
    assert len(room.requests) == 1


# -- what each side is told


async def test_what_the_client_says_comes_raw_and_from_its_pid() -> None:
    room = Room()
    room.asked = {"message_topic": "chat.said", "metadata": {"user": "ada"}}
    async with room.joined() as wire:
        assert room.join == {"client_pid": room.client, "metadata": {"user": "ada"}}
        wire.say('{"text": "hello"}')
        wire.say(b"\x00\xff")
        async with asyncio.timeout(10):
            messages = [await room.told.messages.get() for _ in range(2)]
        assert [(each.topic, each.payload, each.sender) for each in messages] == [
            ("chat.said", '{"text": "hello"}', room.client),
            ("chat.said", b"\x00\xff", room.client),
        ]
    assert await room.told.next("ws.leave") == {
        "client_pid": room.client,
        "reason": "client",
        "metadata": {"user": "ada"},
    }


async def test_what_is_sent_to_the_client_is_a_frame_with_topic_and_data(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    async with room.joined() as wire:
        for payload in ("text", {"a": [1, None]}, b"\x00\xff", object(), None, "a \u2028 and \ud800"):
            room.send("news", payload)
        heard = [await wire.heard() for _ in range(5)]
        assert [frame["topic"] for frame in heard] == ["news"] * 5
        assert [frame["data"] for frame in heard[:4]] == ["text", {"a": [1, None]}, "AP8=", None]
        assert "a message cannot be written as JSON, and is dropped" in caplog.text


def virtual(scene: Any) -> Any:
    """Play a scene in virtual time."""

    def test(*arguments: Any, **named: Any) -> None:
        play(scene(*arguments, **named))

    test.__name__ = scene.__name__
    return test


@virtual
async def test_a_heartbeat_tells_how_long_and_how_much() -> None:
    room = Room()
    room.asked = {"metadata": {"a": 1}}
    async with room.joined() as wire:
        wire.say("one")
        await room.told.next("ws.message")
        for number in (1, 2):
            beat = await room.told.next("ws.heartbeat")
            assert (now(), beat) == (
                30 * number,
                {"client_pid": room.client, "uptime": 30 * number, "message_count": 1, "metadata": {"a": 1}},
            )
        room.send("ws.control", {"heartbeat_interval": "5s"})
        assert (await room.told.next("ws.heartbeat"))["uptime"] == 65
        room.send("ws.control", {"heartbeat_interval": "", "metadata": None})
        await asyncio.sleep(1000)
        assert room.told.messages.empty()


@virtual
async def test_a_connection_moves_to_another_process() -> None:
    room = Room()
    other = Told()
    other_pid = room.processes.spawn(other)
    async with room.joined() as wire:
        room.send("ws.control", {"target_pid": other_pid, "message_topic": "moved", "metadata": {"b": 2}})
        assert await room.told.next("ws.leave") == {"client_pid": room.client, "reason": "moved", "metadata": {}}
        assert await other.next("ws.join") == {"client_pid": room.client, "metadata": {"b": 2}}
        wire.say("hello")
        assert await other.next("moved") == "hello"
        room.processes.send(room.pid, "end")  # the old one may end
        await room.processes.ended(room.pid)
        room.send("news", 1)
        assert await wire.heard() == {"topic": "news", "data": 1}
        room.processes.send(other_pid, "end")
        assert (await wire.next("websocket.close"))["code"] == 1000


@virtual
async def test_a_connection_waits_for_a_process_that_takes_it_over() -> None:
    room = Room()
    async with room.joined() as wire:
        room.send("ws.control", {"target_pid": ""})
        assert (await room.told.next("ws.leave"))["reason"] == "moved"
        wire.say("to nobody")
        await asyncio.sleep(100)  # heartbeats are nobody's either
        room.send("ws.control", {"target_pid": room.pid})
        await room.told.next("ws.join")
        wire.say("hello")
        assert await room.told.next("ws.message") == "hello"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"target_pid": "nobody"}, "there is no process 'nobody'"),
        ({"target_pid": 7}, "target_pid must be text"),
        ({"pid": "x"}, "there is no pid"),
        ("x", "expected an object"),
    ],
)
async def test_a_wrong_control_is_not_followed(payload: Any, words: str, caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    async with room.joined() as wire:
        assert room.send("ws.control", payload) is True
        assert "ws.control is not followed" in caplog.text
        assert words in caplog.text
        wire.say("still here")
        assert await room.told.next("ws.message") == "still here"


# -- every way that it ends


async def test_it_closes_when_the_process_ends_after_what_is_on_its_way() -> None:
    room = Room()
    async with room.joined() as wire:
        room.send("news", "last words")
        room.processes.send(room.pid, "end")
        assert await wire.heard() == {"topic": "news", "data": "last words"}
        assert await wire.next("websocket.close") == {"type": "websocket.close", "code": 1000, "reason": ""}


async def test_it_closes_with_another_code_when_the_process_fails() -> None:
    room = Room()
    async with room.joined() as wire:
        room.processes.send(room.pid, "fail")
        assert await wire.next("websocket.close") == {"type": "websocket.close", "code": 1011, "reason": ""}


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        ({"code": 4001, "reason": "logged out"}, 4001, "logged out"),
        ({"reason": "é" * 100}, 1000, "é" * 61),
        ("good bye", 1000, "good bye"),
        (None, 1000, ""),
        ({"code": 1006}, 1000, ""),
        ({"code": True}, 1000, ""),
        ({"code": "4001"}, 1000, ""),
        ({"code": 1001, "reason": 7}, 1000, ""),
    ],
)
async def test_a_process_closes_it(payload: Any, code: int, reason: str) -> None:
    room = Room()
    async with room.joined() as wire:
        room.send("news", 1)
        room.send("ws.close", payload)
        assert room.send("news", 2) is True or True
        assert await wire.heard() == {"topic": "news", "data": 1}
        while (message := await wire.sent.get())["type"] == "websocket.send":
            pass
        assert (message["code"], message["reason"]) == (code, reason)
    assert (await room.told.next("ws.leave"))["reason"] == "closed"


@pytest.mark.parametrize(
    ("said", "is_too_big"), [("x" * 16, False), ("é" * 8, False), ("é" * 9, True), ("x" * 17, True), (b"x" * 17, True)]
)
async def test_a_message_that_is_too_big_closes_it(said: str | bytes, is_too_big: bool) -> None:
    room = Room(max_message_size=16)
    async with room.joined() as wire:
        wire.say(said)
        if is_too_big:
            assert (await wire.next("websocket.close"))["code"] == 1009
            assert (await room.told.next("ws.leave"))["reason"] == "too big"
        else:
            assert await room.told.next("ws.message") == said


@virtual
async def test_a_client_that_does_not_read_is_closed_with_1013() -> None:
    room = Room(buffer_size=2)
    async with room.joined() as wire:
        wire.reading.clear()
        taken = [room.send("n", number) for number in range(3)]
        await asyncio.sleep(0)  # the first of them is on its way, and stays there
        taken += [room.send("n", number) for number in range(3, 6)]
        assert taken.count(False) > 0
        assert (await room.told.next("ws.leave"))["reason"] == "overflow"
        assert now() == 0
        await wire.over()
        assert now() == GRACE  # a close frame would not get through either
        assert wire.sent.empty()


@pytest.mark.parametrize(("overflow", "heard"), [("drop_oldest", [0, 4, 5]), ("drop_newest", [0, 1, 2])])
async def test_or_it_loses_messages(overflow: str, heard: list[int]) -> None:
    room = Room(buffer_size=2, overflow=overflow)
    async with room.joined() as wire:
        wire.reading.clear()
        room.send("n", 0)
        while room.processes.find(room.client):
            await asyncio.sleep(0)
            if not len(room.processes.find(room.client) or ()):
                break
        for number in range(1, 6):
            room.send("n", number)
        wire.reading.set()
        assert [(await wire.heard())["data"] for _ in range(3)] == heard


async def test_the_relay_may_hold_more_or_less_than_an_inbox() -> None:
    room = Room(buffer_size=1)
    app = Express()
    app.post_match(WebSocketRelay(processes=room.processes, buffer_size=50))
    app.get("/chat", room.chat)
    room.app = app
    async with room.joined("/chat") as wire:
        assert all(room.send("n", number) for number in range(50))
        assert [(await wire.heard())["data"] for _ in range(50)] == list(range(50))


class Busy:
    """A process that reads nothing until it may."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.told = Told()

    async def __call__(self, process: Any) -> None:
        await self.free.wait()
        await self.told(process)


@virtual
async def test_a_client_that_says_too_much_is_not_read_on_and_closed_in_the_end() -> None:
    room = Room(buffer_size=2)
    busy = Busy()
    room.pid, room.told = room.processes.spawn(busy), busy.told
    async with Wire(room.app, "/chat/7") as wire:
        await wire.next("websocket.accept")
        for number in range(5):
            wire.say(str(number))
        await asyncio.sleep(1)
        assert wire._said.qsize() == 3  # the join and one are there, and one is waiting
        busy.free.set()
        await room.told.next("ws.join")
        assert [await room.told.next("ws.message") for _ in range(5)] == list("01234")
    await room.told.next("ws.leave")
    busy.free.clear()
    room.pid = room.processes.spawn(busy)
    async with Wire(room.app, "/chat/7") as wire:
        await wire.next("websocket.accept")
        for number in range(5):
            wire.say(str(number))
        started = now()
        closed = await wire.next("websocket.close")
        assert (closed["code"], closed["reason"], now() - started) == (1013, "busy", STALL)
    busy.free.set()
    assert [(await room.told.messages.get()).topic for _ in range(3)] == ["ws.join", "ws.message", "ws.leave"]


async def test_closing_the_processes_closes_connections() -> None:
    room = Room()
    async with room.joined() as wire:
        room.send("news", "last words")
        await asyncio.gather(room.processes.aclose(), asyncio.sleep(0))
        assert await wire.heard() == {"topic": "news", "data": "last words"}
        assert (await wire.next("websocket.close"))["code"] in (1000, 1012)


async def test_what_fails_in_between_is_raised_and_the_process_is_told() -> None:
    room = Room()
    plain = Express()
    plain.get("/chat/:room", room.chat)
    app = WebSocketRelay(plain, paths="/chat/*", processes=room.processes)

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def fail(message: Any) -> None:
            if message["type"] == "websocket.send":
                raise ZeroDivisionError
            await send(message)

        await app(scope, receive, fail)

    wire = Wire(broken, "/chat/7")
    await wire.next("websocket.accept")
    room.client = (await room.told.next("ws.join"))["client_pid"]
    room.send("news", 1)
    with pytest.raises(ZeroDivisionError):
        await wire.over()
    assert (await room.told.next("ws.leave"))["reason"] == "failed"


@pytest.mark.parametrize("when", ["websocket.send", "websocket.close"])
async def test_a_server_that_says_that_the_client_has_gone_is_no_error(when: str) -> None:
    room = Room()

    async def lost(scope: Any, receive: Any, send: Any) -> None:
        async def fail(message: Any) -> None:
            if message["type"] == when:
                raise OSError("gone")
            await send(message)

        await room.app(scope, receive, fail)

    wire = Wire(lost, "/chat/7")
    await wire.next("websocket.accept")
    room.client = (await room.told.next("ws.join"))["client_pid"]
    room.send("news" if when == "websocket.send" else "ws.close")
    await wire.over()
    assert (await room.told.next("ws.leave"))["reason"] == ("client" if when == "websocket.send" else "closed")


async def test_a_process_that_ends_while_the_handshake_is_answered_ends_the_connection() -> None:
    room = Room()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        async def end_first(message: Any) -> None:
            if message["type"] == "websocket.accept":
                room.processes.stop(room.pid)
                await room.processes.ended(room.pid)
            await send(message)

        await room.app(scope, receive, end_first)

    wire = Wire(slow, "/chat/7")
    await wire.next("websocket.accept")
    assert (await wire.next("websocket.close"))["code"] == 1000
    await wire.over()


# -- nothing stays behind


async def test_many_connections_that_drop_leave_nothing_behind() -> None:
    room = Room()
    before = asyncio.all_tasks()
    for batch in range(20):
        wires = [Wire(room.app, "/chat/7") for _ in range(50)]
        for wire in wires:
            await wire.next("websocket.accept")
        for number, wire in enumerate(wires):
            wire.say(f"{batch} {number}")
            (wire.running.cancel if number % 2 else wire.leave)()
        await asyncio.wait([wire.running for wire in wires])
    assert asyncio.all_tasks() - before == set()
    target = room.processes.find(room.pid)
    assert target is not None
    assert (len(room.processes), len(target._listeners)) == (1, 0)
    topics = [room.told.messages.get_nowait().topic for _ in range(room.told.messages.qsize())]
    assert topics.count("ws.join") == topics.count("ws.leave") == 1000


async def test_cancelled_at_any_await_it_is_over() -> None:
    room = Room()
    for number in range(1, 200):
        said: list[dict[str, Any]] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "x"}]
        said.append({"type": "websocket.disconnect", "code": 1001})

        async def receive(said: list[dict[str, Any]] = said) -> Any:
            await asyncio.sleep(0)
            return said.pop(0)

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        scope = {"type": "websocket", "path": "/chat/7", "headers": [], "query_string": b"", "scheme": "ws"}
        reached, outcome, left = await cancelled_at(room.app(scope, receive, send), number)
        assert left == set(), number
        assert len(room.processes) == 1, number
        if not reached:
            assert (outcome, number > 4) == ("returned", True)
            break
        assert outcome == "cancelled", number
    topics = [room.told.messages.get_nowait().topic for _ in range(room.told.messages.qsize())]
    assert topics.count("ws.leave") >= topics.count("ws.join") > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"processes": {}}, r"processes must be a Processes, not \{\}"),
        ({"buffer_size": 0}, "buffer_size must be an integer of 1 or more, not 0"),
        ({"buffer_size": True}, "buffer_size must be"),
        ({"overflow": "wait"}, "overflow must be 'drop_newest' or 'drop_oldest' or 'close', not 'wait'"),
        ({"on_refused": 7}, "on_refused must be an ASGI app"),
        ({"max_message_size": "big"}, "max_message_size: invalid size 'big'"),
        ({"max_message_size": 1.5}, "max_message_size: a size is"),
        ({"paths": "chat"}, "paths: 'chat' is no path such as"),
        ({"allowed_origins": "*"}, r"allowed_origins: '\*' with credentials"),
        ({"allowed_origins": "app.example.com"}, "allowed_origins: 'app.example.com' has no scheme"),
        ({"allowed_origins": OriginPolicy("https://a.example")}, "made without credentials=True"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"WebSocketRelay: .*{words}|WebSocketRelay: {words}"):
        WebSocketRelay(**options)
