"""Processes and relays of a gateway: files, a real server, real clients of WebSockets and of event streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_express import load
from asgi_express.errors import MisuseError
from asgi_express.gateway import check, process
from asgi_express.security import Actor
from asgi_express.server import Server
from tests.asgi import ask
from tests.gateway.serving import SERVICE, project, route

PATIENCE = 20

ENTRIES = """\
- {name: memory, kind: store.memory}
- {name: tokens, kind: security.token_store, store: memory}
- name: users
  kind: security.policy
  groups: users
  policy: {actions: access, resources: "app:get_*", effect: allow}
- name: ws
  kind: http.router
  meta: {server: gateway}
  prefix: /ws
  middleware: [token_auth]
  options: {token_auth.store: tokens}
  post_middleware: [endpoint_firewall, websocket_relay]
  post_options:
    wsrelay.allowed.origins: "https://app.example.com"
    wsrelay.max.message.size: 1kb
- name: sse
  kind: http.router
  meta: {server: gateway}
  prefix: /sse
  post_middleware: sse_relay
  post_options: {sserelay_allowed_origins: "https://app.example.com"}
- name: room
  kind: function.python
  source: file://handlers.py
  method: room
"""

CODE = """
    import json

    from asgi_express.errors import MisuseError
    from asgi_express.gateway import http, process, resource
    from asgi_express.security import current_actor

    async def room(name):
        clients = []
        process.register(name, process.pid())
        async for message in process.inbox():
            if message.topic == "ws.join":
                clients.append(message.payload["client_pid"])
                process.monitor(message.sender)
                process.send(message.sender, "welcome", [name, current_actor().id, message.payload["metadata"]])
            elif message.topic == "ws.message":
                if message.payload == "about":
                    try:
                        http.request()
                    except MisuseError as error:
                        await process.deliver(message.sender, "error", str(error))
                    continue
                for client in clients:
                    process.send(client, "said", message.payload)
            elif message.topic == "ws.leave":
                clients.remove(message.payload["client_pid"])
            elif message.topic == "process.exit":
                process.send("events", "sse.message", message.payload["reason"])

    def chat():
        name = http.request().query("room")
        pid = process.lookup(name) or process.spawn("app:room", name)
        process.register(name, pid)
        config = {"target_pid": pid, "metadata": {"room": name}}
        http.response().set_header("X-WS-Relay", json.dumps(config))

    def no():
        http.response().set_status(409).write("no room")

    def events():
        http.response().set_header("X-SSE-Relay", "{}")

    async def tell():
        req = http.request()
        if req.query("name"):
            process.register(req.query("name"), req.query("pid"))
        http.response().write_json(process.send(req.query("pid"), "sse.message", {"n": 1}))

    def stop():
        http.response().write_json([process.stop(http.request().query("room")), process.stop("nobody")])
"""


@asynccontextmanager
async def served(tmp_path: Path, service: str = SERVICE, **options: Any) -> AsyncIterator[tuple[Any, str, str]]:
    """Serve it; yield the gateway, its address without the scheme, and a token."""
    routes = [
        route("GET", "/chat", "chat", router="ws"),
        route("GET", "/no", "no", router="ws"),
        route("GET", "/events", "events", router="sse"),
        route("POST", "/tell", "tell", router="sse"),
        route("POST", "/stop", "stop", router="sse"),
    ]
    gateway = load(project(tmp_path, ENTRIES, *routes, service=service, handlers=CODE))
    token = await gateway.token_stores["app:tokens"].create(Actor("ada"), "users")
    async with asyncio.timeout(PATIENCE), Server(gateway, port=0, host="127.0.0.1", **options) as server:
        yield gateway, server.url.removeprefix("http://"), token


def phone(host: str, token: str | None, path: str = "/ws/chat?room=7", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(f"ws://{host}{path}", additional_headers=headers, proxy=None, **more)


async def heard(client: ClientConnection) -> Any:
    return json.loads(await client.recv())


async def closed(client: ClientConnection) -> int:
    """Return the code of the close frame, which is to be the next that comes."""
    with pytest.raises(ConnectionClosed) as caught:
        await client.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def next_event(lines: AsyncIterator[str]) -> dict[str, str]:
    """Return the next event of a stream."""
    event: dict[str, str] = {}
    async for line in lines:
        if line == "" and event:
            return event
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
    raise AssertionError("the stream has ended")


async def test_clients_of_websockets_talk_through_a_process(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (gateway, host, token),
        phone(host, token, origin="https://app.example.com") as ada,
        phone(host, token) as bob,
    ):
        assert await heard(ada) == await heard(bob) == {"topic": "welcome", "data": ["7", "ada", {"room": "7"}]}
        await ada.send("hello")
        assert await heard(ada) == await heard(bob) == {"topic": "said", "data": "hello"}
        await bob.send(b"\x00\xff")
        assert (await heard(ada))["data"] == (await heard(bob))["data"] == "AP8="
        await ada.send("about")
        assert (await heard(ada))["data"] == "http.request(): no handler of a gateway is running here"
        await bob.send("x" * 1025)
        assert await closed(bob) == 1009
        await ada.send("alone")
        assert (await heard(ada))["data"] == "alone"
        processes = gateway._current.made.processes["app:gateway"]
        assert len(processes) == 2  # the room, and one client
        async with httpx2.AsyncClient(base_url=f"http://{host}") as client:
            assert (await client.post("/sse/stop", params={"room": "7"})).json() == [True, False]
        assert await closed(ada) == 1011
    assert len(processes) == 0


@pytest.mark.parametrize(
    ("path", "token", "origin", "status", "text"),
    [
        ("/ws/chat?room=7", False, None, 401, ""),
        ("/ws/chat?room=7", True, "https://evil.example", 403, "Forbidden\n"),
        ("/ws/no", True, None, 409, "no room"),
        ("/ws/nothing", True, None, 404, None),
    ],
)
async def test_a_handshake_is_refused_with_an_answer(
    tmp_path: Path, path: str, token: bool, origin: str | None, status: int, text: str | None
) -> None:
    async with served(tmp_path) as (_, host, real):
        with pytest.raises(InvalidStatus) as caught:
            await phone(host, real if token else None, path, origin=origin)
        assert caught.value.response.status_code == status
        assert text is None or not text or caught.value.response.body == text.encode()


async def test_an_event_stream_is_written_to_by_its_pid(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (gateway, host, token),
        httpx2.AsyncClient(base_url=f"http://{host}") as client,
    ):
        processes = gateway._current.made.processes["app:gateway"]
        async with client.stream("GET", "/sse/events") as stream:
            assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
            lines = stream.aiter_lines()
            ready = await next_event(lines)
            assert ready["event"] == "ready"
            pid = json.loads(ready["data"])["stream_pid"]
            answer = await client.post("/sse/tell", params={"pid": pid, "name": "events"})
            assert answer.json() is True
            assert await next_event(lines) == {"event": "sse.message", "data": '{"n":1}'}
            async with phone(host, token) as ada:  # whose end the room tells
                await heard(ada)
            assert await next_event(lines) == {"event": "sse.message", "data": "client"}
        ended = asyncio.ensure_future(processes.ended(pid))
        await ended
        assert (await client.post("/sse/tell", params={"pid": pid})).json() is False
        refused = await client.get("/sse/events", headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403


async def test_relayed_clients_survive_a_reload_and_reach_processes_of_both(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (gateway, host, token),
        httpx2.AsyncClient(base_url=f"http://{host}") as client,
        client.stream("GET", "/sse/events") as stream,
    ):
        lines = stream.aiter_lines()
        pid = json.loads((await next_event(lines))["data"])["stream_pid"]
        async with phone(host, token) as ada:
            await heard(ada)
            await gateway.reload()
            assert (await client.post("/sse/tell", params={"pid": pid})).json() is True
            assert (await next_event(lines))["event"] == "sse.message"
            await ada.send("still here")
            assert (await heard(ada))["data"] == "still here"


async def test_stopping_the_server_ends_what_is_relayed_within_its_deadline(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "timeout_graceful_shutdown": 1,
        "log_level": "critical",
    }  # the first is lifecycle.stop_timeout
    async with AsyncExitStack() as clients:
        async with served(tmp_path, **options) as (gateway, host, token):
            processes = gateway._current.made.processes["app:gateway"]
            ada = await clients.enter_async_context(phone(host, token))
            await heard(ada)
            client = await clients.enter_async_context(httpx2.AsyncClient(base_url=f"http://{host}"))
            stream = await clients.enter_async_context(client.stream("GET", "/sse/events"))
            await next_event(stream.aiter_lines())
            assert len(processes) == 3
        assert len(processes) == 0
        assert await closed(ada) == 1012


async def test_the_size_of_inboxes_is_that_of_the_service(tmp_path: Path) -> None:
    service = SERVICE + "  host: {buffer_size: 3, worker_count: 4}\n"
    async with served(tmp_path, service) as (gateway, host, token):
        processes = gateway._current.made.processes["app:gateway"]
        assert processes.buffer_size == 3
        async with phone(host, token) as ada:
            await heard(ada)
            pid = processes.find("7").pid
            assert [processes.send(pid, "x") for _ in range(5)] == [True] * 3 + [False] * 2


async def test_services_of_one_gateway_know_each_others_processes(tmp_path: Path) -> None:
    other = '- {name: admin, kind: http.service, addr: "127.0.0.1:9090", host: {buffer_size: 1}}\n'
    async with served(tmp_path, SERVICE + other) as (gateway, _, _):
        processes = gateway._current.made.processes
        inbox = processes["app:admin"].open("admin")
        assert processes["app:gateway"].send(inbox.pid, "hello") is True
        assert (processes["app:admin"].buffer_size, processes["app:gateway"].buffer_size) == (1, 1024)
        processes["app:admin"].close(inbox)


async def test_what_is_no_async_function_is_not_spawned(tmp_path: Path) -> None:
    code = """
    from asgi_express.gateway import process

    def it(req, res):
        told = []
        for function in ("app:it_function", 7, "app:nothing"):
            try:
                process.spawn(function)
            except (TypeError, LookupError) as error:
                told.append(f"{type(error).__name__}: {error}")
        res.json(told)
    """
    router = "- {name: api, kind: http.router, meta: {server: gateway}, prefix: /api}\n"
    answer = await ask(load(project(tmp_path, router, route("GET", "/it", "it"), handlers=code)), "/api/it")
    words = "TypeError: process.spawn(): expected an async function, or the ID of one, got "
    assert answer.json[:2] == [f"{words}'app:it_function'", f"{words}7"]
    assert answer.json[2].startswith("LookupError: resource('app:nothing'): no entry of this ID")


def test_outside_of_a_gateway_there_are_no_processes() -> None:
    with pytest.raises(MisuseError, match="no request of a gateway is being served here"):
        process.lookup("room")
    with pytest.raises(MisuseError, match="no process runs here"):
        process.pid()


def test_a_relay_belongs_after_the_match(tmp_path: Path) -> None:
    early = "- {name: api, kind: http.router, meta: {server: gateway}, prefix: /a, middleware: [websocket_relay]}\n"
    (problem,) = check(project(tmp_path, early))
    assert (problem.code, problem.message[:50]) == ("unsafe", "websocket_relay does not belong into middleware: b")


async def test_an_option_of_ours_is_spelt_with_the_prefix_of_wippy_or_the_name(tmp_path: Path) -> None:
    router = """\
- name: api
  kind: http.router
  meta: {server: gateway}
  prefix: /api
  post_middleware: [websocket_relay, sse_relay]
  post_options: {websocket_relay.overflow: drop_oldest, sserelay.buffer.size: 0}
"""
    (problem,) = check(project(tmp_path, router))
    assert problem.message == "sse_relay: buffer_size must be an integer of 1 or more, not 0"
