"""What the explorer records, tells, and keeps to itself."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, MisuseError, Router, next_app
from asgi_express._dispatch import Walk
from asgi_express.explorer import explorer
from asgi_express.explorer._recorder import Recorder
from asgi_express.gateway import load
from tests.asgi import PATIENCE, Answer, Client, Socket, ask
from tests.gateway.serving import ROUTER, project, route

LOCAL = {"host": "localhost:3000"}


def made(**options: Any) -> Express:
    app = Express(env="development")
    app.use("/_explorer", explorer(app, **options))
    return app


class Through:
    """An ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def greeted(answer: Answer) -> None:
    """Wait for the first event."""
    async with asyncio.timeout(PATIENCE):
        while b"event: hello" not in answer.body:
            await asyncio.sleep(0)


async def told(app: Any, **headers: str) -> list[dict[str, Any]]:
    """Return the events that the explorer has now, without waiting for more."""
    client = Client()
    answer = Answer()
    asking = asyncio.ensure_future(
        ask(app, "/_explorer/events", headers={**LOCAL, **headers}, client=client, answer=answer)
    )
    await greeted(answer)
    for _ in range(50):
        await asyncio.sleep(0)
    client.leave()
    await asking
    return [
        {**dict(re.findall(r"^(event|id): (.*)$", block, re.M)), "data": json.loads(found[1])}
        for block in answer.text.split("\n\n")
        if (found := re.search(r"^data: (.*)$", block, re.M))
    ]


async def requests(app: Any) -> list[dict[str, Any]]:
    return [event["data"] for event in await told(app) if event["event"] == "request"]


# -- the way of a request


async def test_each_layer_of_a_request_is_told_with_its_time() -> None:
    app = made()
    clock: list[str] = []

    async def slow(req: Any, res: Any, next: Any) -> None:
        await asyncio.sleep(0.02)
        await next()
        clock.append("after")

    users = Router()
    users.post_match(lambda req, res, next: next())
    users.param("id", lambda req, res, next, value, name: next())
    users.get("/:id", lambda req, res: res.send("x"), name="user")
    app.use(slow, Through(next_app))
    app.use("/users", users)
    assert (await ask(app, "/users/7?page=2")).text == "x"
    (trace,) = await requests(app)
    assert (trace["method"], trace["path"], trace["query"], trace["status"]) == ("GET", "/users/7", "page=2", 200)
    kinds = [(span["kind"], span["path"], span["depth"]) for span in trace["spans"]]
    assert kinds == [
        ("router", "/", 0),
        ("middleware", "/", 1),
        ("middleware", "/", 1),
        ("router", "/users", 1),
        ("param", "/users/:id", 2),
        ("route", "/users/:id", 2),
        ("guard", "/users/:id", 2),
        ("handler", "/users/:id", 2),
    ]
    assert [span["name"] for span in trace["spans"]][5] == "user"
    assert trace["spans"][5]["params"] == {"id": "7"}
    slow_span, through = trace["spans"][1:3]
    assert slow_span["own"] >= 20
    assert slow_span["took"] >= slow_span["own"] + through["took"] - 0.01
    assert through["own"] <= through["took"]
    assert trace["took"] >= slow_span["took"]
    assert [span["took"] is None for span in trace["spans"]] == [True, False, False, True, False, True, False, False]
    assert (trace["error"], trace["cut"], clock) == (None, False, ["after"])


async def test_what_is_not_found_refused_or_fails_is_told_too() -> None:
    app = made()

    def fail(req: Any, res: Any) -> None:
        raise RuntimeError("s3cret")

    app.get("/fails", fail)
    await ask(app, "/nothing")
    await ask(app, "/fails")
    found = await requests(app)
    assert [(trace["path"], trace["status"]) for trace in found] == [("/nothing", 404), ("/fails", 500)]
    assert "s3cret" not in json.dumps(found)


async def test_an_error_that_leaves_the_router_is_told_by_its_class() -> None:
    app = Express(env="development", raise_errors=True)
    app.use("/_explorer", explorer(app))

    def fail(req: Any, res: Any) -> None:
        raise RuntimeError("s3cret")

    app.get("/fails", fail)
    with pytest.raises(RuntimeError):
        await ask(app, "/fails")
    (trace,) = await requests(app)
    assert (trace["error"], trace["status"]) == ("RuntimeError", None)


async def test_secrets_are_hidden_where_a_mount_or_a_route_names_them_and_where_nobody_does() -> None:
    app = made()
    app.use("/t/:token", Router().get("/x", lambda req, res: res.send("x")))
    app.get("/reset/:secret", lambda req, res: res.send("x"))
    secret = "a1b2c3d4e5f6a7b8c9"
    for target in (f"/t/{secret}/x", f"/reset/{secret}?api_key={secret}", f"/none/{secret}"):
        await ask(app, target, headers={"authorization": f"Bearer {secret}", "cookie": f"sid={secret}"})
    found = await requests(app)
    assert [trace["path"] for trace in found] == ["/t/***/x", "/reset/***", "/none/***"]
    assert secret not in json.dumps(found)


async def test_websockets_are_told_as_accepted_or_refused() -> None:
    app = made()

    async def chat(ws: Any) -> None:
        await ws.accept()

    async def no(ws: Any) -> None:
        await ws.close()

    app.ws("/chat", chat).ws("/no", no)
    await Socket().connect(app, "/chat")
    await Socket().connect(app, "/no")
    await Socket().connect(app, "/none", denial=True)
    found = await requests(app)
    assert [(trace["method"], trace["path"], trace["status"]) for trace in found] == [
        ("WEBSOCKET", "/chat", 101),
        ("WEBSOCKET", "/no", 403),
        ("WEBSOCKET", "/none", 404),
    ]


async def test_a_stream_is_seen_while_it_runs() -> None:
    app = made()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def stream(req: Any, res: Any) -> None:
        await res.write("a")
        started.set()
        await go_on.wait()
        res.end("b")

    app.get("/stream", stream)
    asking = asyncio.ensure_future(ask(app, "/stream"))
    await started.wait()
    (trace,) = await requests(app)
    assert (trace["status"], trace["took"]) == (200, None)
    go_on.set()
    await asking
    (trace,) = await requests(app)
    assert trace["took"] > 0


async def test_a_request_that_goes_round_and_round_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_express.explorer._recorder._MAX_SPANS", 10)
    app = made()
    app.use(*[lambda req, res, next: next()] * 50)
    await ask(app, "/")
    (trace,) = await requests(app)
    assert (len(trace["spans"]), trace["cut"]) == (10, True)


async def test_only_the_last_requests_are_kept_and_none_of_the_explorer_itself() -> None:
    app = made(requests=3)
    for number in range(7):
        await ask(app, f"/{number}")
        await ask(app, "/_explorer/tree", headers=LOCAL)
    assert [trace["path"] for trace in await requests(app)] == ["/4", "/5", "/6"]


# -- the stream of news


async def test_a_page_that_comes_again_gets_only_what_is_new() -> None:
    app = made()
    await ask(app, "/a")
    first = await told(app)
    assert [event["event"] for event in first] == ["hello", "request"]
    assert first[0]["data"] == {"fresh": True, "tree": 1}
    await ask(app, "/b")
    more = await told(app, **{"last-event-id": first[-1]["id"]})
    assert more[0]["data"] == {"fresh": False, "tree": 1}
    assert [event["data"]["path"] for event in more[1:]] == ["/b"]


@pytest.mark.parametrize("last", ["other-1", "x", "-", "{epoch}-x", "{epoch}-99999999999999999999"])
async def test_a_page_of_another_run_begins_anew(last: str) -> None:
    app = made()
    await ask(app, "/a")
    epoch = (await told(app))[0]["id"].partition("-")[0]
    events = await told(app, **{"last-event-id": last.format(epoch=epoch)})
    assert events[0]["data"] == {"fresh": True, "tree": 1}
    assert len(events) == 2


async def test_news_come_while_the_page_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_express.explorer._explorer._STREAM", 0.3)
    app = made()
    answer = Answer()
    listening = asyncio.ensure_future(ask(app, "/_explorer/events", headers=LOCAL, answer=answer))
    await greeted(answer)
    await ask(app, "/new")
    await listening  # it ends by itself
    assert '"path":"/new"' in answer.text
    assert answer.complete


async def test_there_are_only_so_many_streams_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_express.explorer._explorer._MAX_STREAMS", 1)
    app = made()
    client, answer = Client(), Answer()
    first = asyncio.ensure_future(ask(app, "/_explorer/events", headers=LOCAL, client=client, answer=answer))
    await greeted(answer)
    assert (await ask(app, "/_explorer/events", headers=LOCAL)).status == 503
    client.leave()
    await first
    assert (await told(app))[0]["event"] == "hello"


async def test_a_listener_of_a_loop_that_is_closed_is_passed_over() -> None:
    recorder = Recorder(5)

    def listen() -> None:
        loop = asyncio.new_event_loop()
        waiting = loop.create_future()
        recorder._waiting.add(waiting)
        loop.close()

    await asyncio.to_thread(listen)
    assert len(recorder._waiting) == 1
    recorder.publish(recorder.open("GET"))
    assert recorder._waiting == set()
    await recorder.wait(0, 0, 60)  # there is something: it does not wait


# -- the pages


async def test_the_page_is_one_document_that_may_load_nothing() -> None:
    answer = await ask(made(), "/_explorer", headers=LOCAL)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", answer.text)
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "innerHTML" not in answer.text


async def test_the_tree_has_what_the_application_is_made_of() -> None:
    app = made()
    app.use(lambda req, res, next: next())
    app.use("/users", Router().get("/:id", lambda req, res: res.send("x"), name="user"))
    tree = (await ask(app, "/_explorer/tree", headers=LOCAL)).json
    assert [item["kind"] for item in tree["items"]] == ["router", "middleware", "router"]
    assert tree["items"][2]["items"][0] | {"handlers": 0, "source": 0} == {
        "kind": "route", "methods": ["GET"], "path": "/users/:id", "name": "user", "handlers": 0, "source": 0,
    }  # fmt: skip


async def explained(app: Any, body: Any) -> Answer:
    headers = {**LOCAL, "content-type": "application/json"}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers["content-length"] = str(len(text))
    return await ask(app, "/_explorer/explain", "POST", headers=headers, body=text)


async def test_a_request_is_explained_and_not_made() -> None:
    app = made()
    app.get("/x", lambda req, res: pytest.fail("it ran"))
    answer = await explained(app, {"method": "get", "path": "/x", "headers": [["Accept", "text/html"]]})
    assert answer.json["end"].endswith(" answers")
    assert answer.json["steps"][-1]["kind"] == "handler"
    assert await requests(app) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "expected method and path as text"),
        ([], "expected method and path as text"),
        ({"method": "GET", "path": 7}, "expected method and path as text"),
        ({"method": "GET", "path": "x"}, "a path begins with / and is percent-encoded"),
        ({"method": "G T", "path": "/"}, "expected a method such as GET"),
        ({"method": "GET", "path": "/", "headers": {"A": "b"}}, "expected headers as pairs"),
        ({"method": "GET", "path": "/", "headers": [["A"]]}, "expected headers as pairs"),
        ({"method": "GET", "path": "/", "headers": [["A", 7]]}, "expected headers as pairs"),
        ({"method": "GET", "path": "/", "headers": [["", "x"]]}, "expected headers as pairs"),
        ({"method": "GET", "path": "/", "headers": [["A", "é"]]}, "expected headers as pairs"),
        ({"method": "GET", "path": "/", "headers": [["A", "b"]] * 51}, "expected headers as pairs"),
    ],
)
async def test_what_cannot_be_explained_is_told_in_words(body: Any, words: str) -> None:
    answer = await explained(made(), body)
    assert answer.status == 400
    assert words in answer.json["error"]


# -- who may look


def test_in_production_it_is_refused_without_a_guard() -> None:
    app = Express()
    with pytest.raises(MisuseError, match=r"in production .* give it guard=\.\.\., or set env to development"):
        explorer(app)
    assert app._walk is Walk


async def test_in_production_a_guard_stands_before_every_page_and_any_name_will_do() -> None:
    app = Express()

    def only_admin(req: Any, res: Any, next: Any) -> None:
        if req.get("X-Admin") == "yes":
            next()
        else:
            res.send_status(403)

    app.use("/_explorer", explorer(app, guard=only_admin))
    for path in ("", "/tree", "/events", "/explain"):
        method = "POST" if path == "/explain" else "GET"
        assert (await ask(app, f"/_explorer{path}", method, headers=LOCAL)).status == 403
    admin = {"host": "shop.example", "x-admin": "yes"}
    assert (await ask(app, "/_explorer/tree", headers=admin)).status == 200


HOSTS = {
    "localhost": 200, "localhost:3000": 200, "app.localhost": 200, "127.0.0.1:3000": 200, "[::1]:3000": 200,
    "192.168.1.7": 200, "evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
}  # fmt: skip


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
async def test_in_development_a_name_that_somebody_else_may_have_pointed_here_is_refused(
    host: str, status: int
) -> None:
    for path in ("/_explorer", "/_explorer/tree"):
        assert (await ask(made(), path, headers={"host": host})).status == status
    assert (await ask(made(), "/_explorer/tree")).status == 403


@pytest.mark.parametrize("wrong", [0, 10_001, True, "7", 1.5])
def test_a_number_of_requests_that_cannot_be_is_refused(wrong: Any) -> None:
    app = Express(env="development")
    with pytest.raises(ValueError, match="explorer: requests must be a number from 1 to 10000"):
        explorer(app, requests=wrong)
    assert app._walk is Walk


def test_what_is_no_router_is_refused() -> None:
    wrong: Any = object()
    with pytest.raises(TypeError, match="explorer: expected a Router, an Express or a gateway"):
        explorer(wrong)


def test_one_application_has_one_explorer() -> None:
    app = made()
    with pytest.raises(MisuseError, match="has an explorer already"):
        explorer(app)


async def test_it_looks_into_a_router_from_a_host() -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    router = Router()
    router.settings.set("env", "development")
    router.get("/x", lambda req, res: res.send("x"))
    host = Starlette(routes=[Mount("/_explorer", app=explorer(router)), Mount("/api", app=router)])
    assert (await ask(host, "/api/x")).text == "x"
    assert (await ask(host, "/_explorer/", headers=LOCAL)).status == 200
    (trace,) = await requests(host)
    assert (trace["path"], trace["spans"][-1]["path"]) == ("/api/x", "/api/x")


async def test_it_looks_into_a_service_of_a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASGI_EXPRESS_ENV", "development")
    source = project(
        tmp_path, ROUTER, route("GET", "/hello", "hello"), handlers="def hello(req, res): res.send('hi')\n"
    )
    gateway = load(source)
    app = Express()
    app.use("/_explorer", explorer(gateway.router_of("app:gateway")))
    app.mount("/", gateway)
    assert (await ask(app, "/api/hello")).text == "hi"
    (trace,) = await requests(app)
    assert [span["name"] for span in trace["spans"] if span["kind"] == "route"] == ["app:get_hello"]


async def test_it_follows_the_reloads_of_a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASGI_EXPRESS_ENV", "development")
    code = "def hello(req, res): res.send('hi')\n"
    gateway = load(project(tmp_path, ROUTER, route("GET", "/hello", "hello"), handlers=code))
    app = Express()
    app.use("/_explorer", explorer(gateway, service="app:gateway"))
    app.mount("/", gateway)

    async def routes() -> list[str]:
        tree = (await ask(app, "/_explorer/tree", headers=LOCAL)).json
        return [item["path"] for router in tree["items"] for item in router.get("items", ())]

    assert await routes() == ["/api/hello"]
    monkeypatch.setattr("asgi_express.explorer._explorer._STREAM", 60.0)
    client, answer = Client(), Answer()
    listening = asyncio.ensure_future(ask(app, "/_explorer/events", headers=LOCAL, client=client, answer=answer))
    await greeted(answer)
    assert '{"fresh":true,"tree":1}' in answer.text
    project(tmp_path, ROUTER, route("GET", "/new", "hello"), handlers=code)
    await gateway.reload()
    assert await routes() == ["/api/new"]
    assert (await ask(app, "/api/new")).text == "hi"
    async with asyncio.timeout(PATIENCE):
        while "event: request" not in answer.text:
            await asyncio.sleep(0)
    client.leave()
    await listening
    assert 'event: tree\ndata: {"tree":2}' in answer.text
    (trace, *_) = await requests(app)
    assert (trace["path"], trace["status"]) == ("/api/new", 200)
    answer = await explained(app, {"method": "GET", "path": "/api/new"})
    assert answer.json["end"] == "handlers.py:hello answers"
    project(tmp_path, service='- {name: other, kind: http.service, addr: ":1"}\n')
    await gateway.reload()
    assert await routes() == ["/api/new"]  # the service is gone: this is what was there last


async def test_of_a_gateway_with_several_services_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASGI_EXPRESS_ENV", "development")
    gateway = load(project(tmp_path, '- {name: admin, kind: http.service, addr: ":9090"}\n'))
    with pytest.raises(LookupError, match=r"which service\? there are app:gateway, app:admin"):
        explorer(gateway)
    with pytest.raises(LookupError, match="there is no service 'app:x'; there are app:gateway, app:admin"):
        explorer(gateway, service="app:x")
    explorer(gateway, service="app:admin")
    with pytest.raises(MisuseError, match="this router has an explorer already"):
        explorer(gateway, service="app:admin")
    await gateway.reload()  # it is no matter of the one that was refused
    with pytest.raises(TypeError, match="service is for a gateway"):
        explorer(gateway.router_of("app:gateway"), service="app:gateway")
    one = load(project(tmp_path))
    explorer(one)
    monkeypatch.delenv("ASGI_EXPRESS_ENV")
    with pytest.raises(MisuseError, match="in production"):
        explorer(load(project(tmp_path)))


async def test_without_an_explorer_the_ordinary_walk_runs() -> None:
    walks: list[type] = []
    app = Express()
    app.get("/", lambda req, res: (walks.append(type(req._selection)), res.send("x"))[1])
    await ask(app, "/")
    assert walks == [Walk]
