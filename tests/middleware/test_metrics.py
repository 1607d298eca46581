"""Metrics: what is counted, by which labels, and when; read as Prometheus reads it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from asgi_express import Express, Router
from asgi_express.middleware import Metrics, OTel
from asgi_express.middleware.metrics import metrics_app
from asgi_express.types import ASGIApp
from tests.asgi import Client, Socket, ask, http_scope
from tests.middleware.routed import CASES, Ask, express, hello

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(app: ASGIApp, **more: Any) -> Series:
    """Return the samples of a page, less the times at which they were made."""
    answer = await ask(app, **more)
    assert answer.status == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def read(registry: CollectorRegistry) -> Any:
    """Return what reads one sample; ``None`` where there is none."""

    async def read(name: str, **labels: str) -> float | None:
        return (await scraped(metrics_app(registry))).get((name, frozenset(labels.items())))

    return read


@pytest.fixture
def counted(registry: CollectorRegistry) -> Any:
    """Return what reads all requests that were counted."""

    async def counted() -> dict[tuple[str, str, str], float]:
        found = await scraped(metrics_app(registry))
        return {
            (labels["method"], labels["route"], labels["status"]): value
            for (name, pairs), value in found.items()
            if name == "http_requests_total" and (labels := dict(pairs))
        }

    return counted


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and answer with it twice."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": body})


async def replying(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request, or the first message of a WebSocket."""
    if scope["type"] == "http":
        await answering(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": (await receive())["text"]})


def with_status(status: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


# -- the labels


@pytest.mark.parametrize(("host", "asked"), CASES.values(), ids=CASES)
async def test_the_route_is_the_path_as_it_was_written_with_those_of_all_mounts(
    host: Any, asked: Ask, registry: CollectorRegistry, counted: Any
) -> None:
    app = Metrics(host(), registry=registry)
    for _ in range(2):
        answer = await ask(app, asked.target, asked.method, headers={"host": asked.host})
        assert answer.status == asked.status
    assert await counted() == {(asked.method, asked.route or "unmatched", str(asked.status)): 2.0}


async def test_inside_of_a_host_the_route_is_the_same(registry: CollectorRegistry, counted: Any) -> None:
    app, ours = FastAPI(), Express()
    app.add_api_route("/items/{item_id}", hello)
    app.add_middleware(Metrics, registry=registry)
    ours.use("/api", Router().use(Metrics(registry=registry)).get("/users/:id", lambda req, res: res.send("x")))
    theirs = Starlette(routes=[Route("/r/{x}", hello, middleware=[Middleware(Metrics, registry=registry)])])
    for host, path in ((app, "/items/7"), (ours, "/api/users/7"), (theirs, "/r/1")):
        assert (await ask(host, path)).status == 200
    assert set(await counted()) == {
        ("GET", "/items/{item_id}", "200"),
        ("GET", "/api/users/:id", "200"),
        ("GET", "/r/{x}", "200"),
    }


async def test_what_a_client_invents_makes_no_new_series(registry: CollectorRegistry, counted: Any) -> None:
    app = Metrics(express(), registry=registry)
    for number in range(50):
        await ask(app, f"/users/{number}?{number}")
        await ask(app, f"/star/{number}/{number}")
        await ask(app, f"/nothing/{number}", f"BREW{number}")
        await ask(app, f"/users/{number}", "get")
    assert await counted() == {
        ("GET", "/users/:id", "200"): 50,
        ("GET", "/star/:tenant/*", "404"): 50,
        ("other", "unmatched", "404"): 50,
        ("other", "/users/:id", "200"): 50,  # as Express has it, letter case does not matter
    }


async def test_a_prefix_of_the_server_is_no_part_of_the_route(registry: CollectorRegistry, counted: Any) -> None:
    await ask(Metrics(express(), registry=registry), "/v2/users/7", root_path="/v2")
    assert await counted() == {("GET", "/users/:id", "200"): 1}


@pytest.mark.parametrize(("status", "expected"), [(201, "201"), (404, "404"), (99, "other"), (600, "other")])
async def test_the_status_is_a_code(registry: CollectorRegistry, counted: Any, status: int, expected: str) -> None:
    await ask(Metrics(with_status(status), registry=registry))
    assert await counted() == {("GET", "unmatched", expected): 1}


async def test_the_status_may_be_a_class(registry: CollectorRegistry, counted: Any) -> None:
    for status in (200, 204, 404, 503):
        await ask(Metrics(with_status(status), status="class", registry=registry))
    assert await counted() == {
        ("GET", "unmatched", "2xx"): 2,
        ("GET", "unmatched", "4xx"): 1,
        ("GET", "unmatched", "5xx"): 1,
    }


async def test_constant_labels_and_a_namespace_are_everywhere(registry: CollectorRegistry) -> None:
    app = Metrics(replying, namespace="shop", labels={"region": "eu", "app": "a"}, registry=registry)
    await ask(app, body=b"x")
    await Socket({"type": "websocket.receive", "text": "x"}).connect(app)
    found = await scraped(metrics_app(registry))
    assert {name.partition("_")[0] for name, _ in found} == {"shop"}
    assert all({("region", "eu"), ("app", "a")} <= pairs for _, pairs in found)
    assert len({name for name, _ in found}) == 10


# -- what is counted


async def test_a_request_is_counted_with_its_duration_and_its_bytes(registry: CollectorRegistry, read: Any) -> None:
    app = Metrics(answering, registry=registry)
    for body in ([b"ab", b"c"], [b"d"]):
        await ask(app, "/", "POST", body=body)
    labels = {"method": "POST", "route": "unmatched", "status": "201"}
    assert await read("http_requests_total", **labels) == 2
    assert await read("http_request_duration_seconds_count", **labels) == 2
    assert 0 < await read("http_request_duration_seconds_sum", **labels) < 10
    assert await read("http_request_body_bytes_total", **labels) == 4
    assert await read("http_response_body_bytes_total", **labels) == 8


async def test_the_buckets_are_those_of_opentelemetry_or_ones_own(registry: CollectorRegistry) -> None:
    await ask(Metrics(answering, registry=registry))
    await ask(Metrics(answering, registry=registry, namespace="own", buckets=[0.5, 2]))
    found = await scraped(metrics_app(registry))
    bounds: dict[str, list[str]] = {}
    for name, pairs in found:
        if name.endswith("_bucket"):
            bounds.setdefault(name, []).append(dict(pairs)["le"])
    assert bounds["own_http_request_duration_seconds_bucket"] == ["0.5", "2.0", "+Inf"]
    assert [float(each) for each in bounds["http_request_duration_seconds_bucket"][:-1]] == [
        *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
    ]


async def test_a_duration_lasts_until_the_last_message_and_no_longer(registry: CollectorRegistry, read: Any) -> None:
    """The clock is the test's: each step of the app takes a second of it."""
    clock = 100.0

    def tick() -> float:
        return clock

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal clock
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": scope["path"] == "/t"})
        clock += 1
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        clock += 1
        await send({"type": "http.response.body", "body": b"x"})
        if scope["path"] == "/t":
            clock += 1
            await send({"type": "http.response.trailers", "headers": [], "more_trailers": True})
            await send({"type": "http.response.trailers", "headers": []})
        clock += 100

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asgi_express.middleware.metrics.perf_counter", tick)
        await ask(Metrics(app, registry=registry, namespace="a"), "/")
        await ask(Metrics(app, registry=registry, namespace="b"), "/t")
    labels = {"method": "GET", "route": "unmatched", "status": "200"}
    assert await read("a_http_request_duration_seconds_sum", **labels) == 2
    assert await read("b_http_request_duration_seconds_sum", **labels) == 3


async def test_a_file_that_the_server_sends_is_an_end(registry: CollectorRegistry, counted: Any, read: Any) -> None:
    end: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(end)
        assert await read("http_requests_in_flight", method="GET") == 0

    for each in ({"type": "http.response.pathsend", "path": "/a"}, {"type": "http.response.zerocopysend", "file": 3}):
        end = each
        await ask(Metrics(app, registry=registry))
    assert await counted() == {("GET", "unmatched", "200"): 2}


async def test_a_background_task_is_not_under_way(registry: CollectorRegistry, read: Any, counted: Any) -> None:
    seen: list[Any] = []

    async def late() -> None:
        seen.append((await read("http_requests_in_flight", method="GET"), await counted()))

    async def endpoint(request: Any) -> Response:
        seen.append((await read("http_requests_in_flight", method="GET"), await counted()))
        return PlainTextResponse("x", background=BackgroundTask(late))

    await ask(Metrics(Starlette(routes=[Route("/x", endpoint)]), registry=registry), "/x")
    assert seen == [(1, {}), (0, {("GET", "/x", "200"): 1})]


async def test_a_stream_is_under_way_until_its_end(registry: CollectorRegistry, read: Any) -> None:
    seen: list[float] = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            seen.append(await read("http_requests_in_flight", method="GET"))
            yield b"x"

    async def endpoint(request: Any) -> Response:
        return StreamingResponse(pieces())

    await ask(Metrics(Starlette(routes=[Route("/x", endpoint)]), registry=registry), "/x")
    assert seen == [1, 1, 1]
    assert await read("http_requests_in_flight", method="GET") == 0


async def test_requests_are_under_way_side_by_side(registry: CollectorRegistry, read: Any) -> None:
    go, here = asyncio.Event(), asyncio.Barrier(4)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await here.wait()
        await go.wait()
        await answering(scope, receive, send)

    tasks = [asyncio.create_task(ask(Metrics(app, registry=registry))) for _ in range(3)]
    await here.wait()
    assert await read("http_requests_in_flight", method="GET") == 3
    go.set()
    await asyncio.gather(*tasks)
    assert await read("http_requests_in_flight", method="GET") == 0


# -- how it ends


@pytest.mark.parametrize("begun", [False, True])
async def test_an_exception_is_a_500(registry: CollectorRegistry, counted: Any, read: Any, *, begun: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("the app's own")

    with pytest.raises(LookupError, match="the app's own"):
        await ask(Metrics(app, registry=registry))
    assert await counted() == {("GET", "unmatched", "500"): 1}
    assert await read("http_requests_in_flight", method="GET") == 0


async def test_an_exception_after_the_answer_changes_nothing(registry: CollectorRegistry, counted: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(scope, receive, send)
        raise LookupError("late")

    with pytest.raises(LookupError, match="late"):
        await ask(Metrics(app, registry=registry))
    assert await counted() == {("GET", "unmatched", "201"): 1}


@pytest.mark.parametrize("begun", [False, True])
async def test_an_answer_without_an_end_is_a_500(registry: CollectorRegistry, counted: Any, *, begun: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    await ask(Metrics(app, registry=registry))
    assert await counted() == {("GET", "unmatched", "500"): 1}


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize(("begun", "expected"), [(False, "499"), (True, "200")])
async def test_a_client_that_leaves_is_told_from_a_fault(
    registry: CollectorRegistry, counted: Any, *, begun: bool, raises: bool, expected: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        if raises:
            raise RuntimeError("the client has left")

    with pytest.raises(RuntimeError) if raises else contextlib.nullcontext():
        await ask(Metrics(app, registry=registry), client=Client(leaves=True))
    assert await counted() == {("GET", "unmatched", expected): 1}


async def test_an_answer_that_comes_when_the_client_has_left_reaches_nobody(
    registry: CollectorRegistry, counted: Any
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await answering(scope, Client().receive, send)

    await ask(Metrics(app, registry=registry), client=Client(leaves=True))
    assert await counted() == {("GET", "unmatched", "499"): 1}


async def test_a_send_that_fails_says_that_the_client_has_left(registry: CollectorRegistry, counted: Any) -> None:
    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Metrics(answering, registry=registry)(http_scope(), Client().receive, send)
    assert await counted() == {("GET", "unmatched", "201"): 1}


@pytest.mark.parametrize(("begun", "expected"), [(False, "499"), (True, "200")])
async def test_a_request_that_is_cancelled_is_one_whose_client_has_left(
    registry: CollectorRegistry, counted: Any, read: Any, *, begun: bool, expected: str
) -> None:
    entered = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask(Metrics(app, registry=registry)))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counted() == {("GET", "unmatched", expected): 1}
    assert await read("http_requests_in_flight", method="GET") == 0


# -- WebSockets


async def test_a_websocket_is_open_and_then_over_and_its_messages_are_counted(
    registry: CollectorRegistry, read: Any
) -> None:
    app = Express()
    seen: list[float] = []

    @app.ws("/chat/:room")
    async def chat(ws: Any) -> None:
        await ws.accept()
        seen.append(await read("websocket_connections_open", route="/chat/:room"))
        for _ in range(2):
            await ws.send_text(await ws.receive_text())
        await ws.send_text("over")

    text = {"type": "websocket.receive", "text": "x"}
    await Socket(text, text).connect(Metrics(app, registry=registry), "/chat/7")
    assert seen == [1]
    assert await read("websocket_connections_open", route="/chat/:room") == 0
    assert await read("websocket_connections_total", route="/chat/:room", status="101") == 1
    assert await read("websocket_messages_total", route="/chat/:room", direction="received") == 2
    assert await read("websocket_messages_total", route="/chat/:room", direction="sent") == 3


async def test_a_websocket_of_fastapi_has_the_path_of_its_route(registry: CollectorRegistry, read: Any) -> None:
    app, router = FastAPI(), APIRouter()
    router.add_api_websocket_route("/chat/{room}", chat)
    app.include_router(router, prefix="/v1")
    await Socket().connect(Metrics(app, registry=registry), "/v1/chat/7")
    assert await read("websocket_connections_total", route="/v1/chat/{room}", status="101") == 1


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


CLOSE = {"type": "websocket.close", "code": 3000}
ACCEPT = {"type": "websocket.accept"}
DENIAL = [
    {"type": "websocket.http.response.start", "status": 429, "headers": []},
    {"type": "websocket.http.response.body", "body": b""},
]


@pytest.mark.parametrize(
    ("messages", "ending", "expected"),
    [
        ([CLOSE], None, "403"),
        (DENIAL, None, "429"),
        ([], None, "500"),
        ([], LookupError, "500"),
        ([], asyncio.CancelledError, "499"),
        ([ACCEPT, CLOSE], None, "101"),
        ([ACCEPT], None, "101"),
        ([ACCEPT], LookupError, "500"),
        ([ACCEPT], asyncio.CancelledError, "101"),
        ([ACCEPT, ACCEPT], None, "101"),
    ],
)
async def test_a_websocket_has_the_status_of_its_handshake(
    registry: CollectorRegistry, read: Any, messages: list[Any], ending: type[BaseException] | None, expected: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if ending is not None:
            raise ending

    with pytest.raises(ending) if ending else contextlib.nullcontext():
        await Socket().connect(Metrics(app, registry=registry), denial=True)
    assert await read("websocket_connections_total", route="unmatched", status=expected) == 1
    assert await read("websocket_connections_open", route="unmatched") in (None, 0)


@pytest.mark.parametrize(("messages", "expected"), [([], "499"), ([ACCEPT], "101")])
@pytest.mark.parametrize("raises", [False, True])
async def test_a_websocket_whose_client_leaves_is_no_fault(
    registry: CollectorRegistry, read: Any, messages: list[Any], expected: str, *, raises: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)
        assert (await receive())["type"] == "websocket.disconnect"
        if raises:
            raise RuntimeError

    with pytest.raises(RuntimeError) if raises else contextlib.nullcontext():
        await Socket({"type": "websocket.disconnect", "code": 1001}).connect(Metrics(app, registry=registry))
    assert await read("websocket_connections_total", route="unmatched", status=expected) == 1


async def test_a_websocket_that_cannot_be_written_to_is_no_fault(registry: CollectorRegistry, read: Any) -> None:
    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            raise ConnectionResetError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await send({"type": "websocket.send", "text": "x"})

    scope = {**http_scope(), "type": "websocket"}
    with pytest.raises(ConnectionResetError):
        await Metrics(app, registry=registry)(scope, Client().receive, send)
    assert await read("websocket_connections_total", route="unmatched", status="101") == 1
    assert await read("websocket_messages_total", route="unmatched", direction="sent") is None


# -- what is left out


@pytest.mark.parametrize(
    ("skip", "skipped"),
    [
        ("/health", {"/health"}),
        (["/health", "/internal/*"], {"/health", "/internal/a", "/internal/b/c"}),
        (lambda scope: scope["path"].endswith("a"), {"/internal/a"}),
        (lambda scope: "yes", set()),
    ],
)
async def test_what_is_skipped_passes_uncounted(
    registry: CollectorRegistry, counted: Any, skip: Any, skipped: set[str]
) -> None:
    app = Metrics(answering, skip=skip, registry=registry)
    paths = {"/health", "/internal/a", "/internal/b/c", "/x"}
    for path in paths:
        assert (await ask(app, path)).status == 201
    assert sum((await counted()).values()) == len(paths - skipped)


async def test_a_websocket_is_skipped_alike(registry: CollectorRegistry) -> None:
    app = Metrics(replying, skip="/quiet", registry=registry)
    await Socket({"type": "websocket.receive", "text": "x"}).connect(app, "/quiet")
    assert await scraped(metrics_app(registry)) == {}


async def test_what_a_server_says_besides_is_no_part_of_the_body(registry: CollectorRegistry, read: Any) -> None:
    messages = [{"type": "http.made_up", "body": b"x"}, {"type": "http.request", "body": b"abc"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.made_up"
        await answering(scope, receive, send)

    await Metrics(app, registry=registry)(http_scope(), receive, send)
    labels = {"method": "GET", "route": "unmatched", "status": "201"}
    assert await read("http_request_body_bytes_total", **labels) == 3


# -- several of them


async def test_two_with_one_registry_share_their_metrics_and_count_once(
    registry: CollectorRegistry, counted: Any
) -> None:
    inner, other = Metrics(answering, registry=registry), Metrics(answering, registry=registry)
    await ask(Metrics(inner, registry=registry))
    await ask(other)
    assert await counted() == {("GET", "unmatched", "201"): 2}


async def test_two_with_their_own_namespaces_or_registries_both_count(registry: CollectorRegistry, read: Any) -> None:
    second = CollectorRegistry()
    inner = Metrics(Metrics(answering, registry=registry, namespace="b"), registry=second)
    await ask(Metrics(inner, registry=registry))
    labels = {"method": "GET", "route": "unmatched", "status": "201"}
    assert (await read("http_requests_total", **labels), await read("b_http_requests_total", **labels)) == (1, 1)
    assert second.get_sample_value("http_requests_total", labels) == 1


async def test_one_registry_has_one_shape_of_metrics(registry: CollectorRegistry) -> None:
    Metrics(registry=registry, labels={"region": "eu"})
    others: list[dict[str, Any]] = [{}, {"labels": {"zone": "eu"}}, {"labels": {"region": "eu"}, "buckets": [1]}]
    for options in others:
        with pytest.raises(ValueError, match="buckets and labels are the same for all of one registry and namespace"):
            Metrics(registry=registry, **options)
    Metrics(registry=registry, labels={"region": "us"})


def test_what_somebody_else_has_in_the_registry_is_told_and_stays(registry: CollectorRegistry) -> None:
    Counter("http_requests_in_flight", "Somebody else's.", registry=registry)
    with pytest.raises(ValueError, match=r"somebody else's metric of this name.*http_requests_in_flight.*namespace"):
        Metrics(registry=registry)
    assert [family.name for family in registry.collect()] == ["http_requests_in_flight"]
    Metrics(registry=registry, namespace="shop")


async def test_the_registry_of_everybody_is_the_default(read: Any) -> None:
    await ask(Metrics(answering, namespace="of_everybody"))
    found = await scraped(metrics_app())
    labels = frozenset({"method": "GET", "route": "unmatched", "status": "201"}.items())
    assert found["of_everybody_http_requests_total", labels] == 1


# -- exemplars


@pytest.mark.parametrize("inside", [False, True])
async def test_a_duration_names_a_sampled_trace(registry: CollectorRegistry, *, inside: bool) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    if inside:
        await ask(Metrics(OTel(answering, tracer_provider=provider), registry=registry))
    else:
        await ask(OTel(Metrics(answering, registry=registry), tracer_provider=provider))
    answer = await ask(metrics_app(registry), headers={"accept": "application/openmetrics-text"})
    families: Any = open_families(answer.text)  # type: ignore[no-untyped-call] # it has no annotations
    exemplars = [
        sample.exemplar.labels for family in families for sample in family.samples if sample.exemplar is not None
    ]
    (span,) = (each.context for each in spans.get_finished_spans())
    assert span is not None
    assert exemplars == [{"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}]


async def test_a_trace_that_is_not_sampled_is_not_named(registry: CollectorRegistry) -> None:
    await ask(OTel(Metrics(answering, registry=registry), tracer_provider=TracerProvider(sampler=ALWAYS_OFF)))
    answer = await ask(metrics_app(registry), headers={"accept": "application/openmetrics-text"})
    assert "trace_id" not in answer.text
    assert "http_requests_total" in answer.text


# -- options that cannot be


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "metrics"}, "path must be a path such as '/metrics', not 'metrics'"),
        ({"path": "/"}, "path must be a path"),
        ({"path": "/a b"}, "path must be a path"),
        ({"path": 7}, "path must be a path"),
        ({"token": "x"}, "token guards the page at path, and there is none"),
        ({"path": "/metrics", "token": ""}, "token must be text of letters"),
        ({"path": "/metrics", "token": "a b"}, "token must be text of letters"),
        ({"path": "/metrics", "token": 7}, "token must be text of letters"),
        ({"namespace": "a-b"}, "namespace must be a letter, then letters, digits and _, not 'a-b'"),
        ({"namespace": "_a"}, "namespace must be"),
        ({"namespace": ""}, "namespace must be"),
        ({"labels": "region=eu"}, "labels must be names and their values, such as {'region': 'eu'}, not 'region=eu'"),
        ({"labels": {"a-b": "x"}}, "labels: 'a-b' is no name for a label, or is one of "),
        ({"labels": {"route": "x"}}, "labels: 'route' is no name for a label, or is one of "),
        ({"labels": {7: "x"}}, "labels: 7 is no name"),
        ({"labels": {"region": 7}}, "labels: the value of 'region' must be text, not 7"),
        ({"buckets": []}, r"buckets must be seconds above 0, increasing, such as [0.01, 0.1, 1], not []"),
        ({"buckets": [1, 1]}, "buckets must be"),
        ({"buckets": [2, 1]}, "buckets must be"),
        ({"buckets": [0, 1]}, "buckets must be"),
        ({"buckets": [1, float("inf")]}, "buckets must be"),
        ({"buckets": [1, float("nan")]}, "buckets must be"),
        ({"buckets": [True]}, "buckets must be"),
        ({"buckets": ["1"]}, "buckets must be"),
        ({"buckets": "123"}, "buckets must be"),
        ({"buckets": 1}, "buckets must be"),
        ({"status": "number"}, "status must be 'code' or 'class', not 'number'"),
        ({"skip": "health"}, "skip: 'health' is no path"),
        ({"skip": 7}, "skip: 7 is no path"),
        ({"skip": answering}, "skip must be a function that is not async"),
        ({"registry": "default"}, "registry must be a prometheus_client.CollectorRegistry, not 'default'"),
    ],
)
def test_an_option_that_cannot_be_is_an_error_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        Metrics(**options)
    assert str(caught.value).startswith("Metrics: ")


def test_a_token_that_cannot_be_is_not_shown() -> None:
    with pytest.raises(ValueError, match="token") as caught:
        Metrics(path="/metrics", token="my secret")
    assert "my secret" not in str(caught.value)


@pytest.mark.parametrize("make", [Metrics, metrics_app])
def test_without_prometheus_client_the_error_names_the_line_to_install_it(
    monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    for name in [name for name in sys.modules if name.startswith("prometheus_client")]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("_metric_families", "_metrics_page"):
        monkeypatch.delitem(sys.modules, f"asgi_express.middleware.{name}", raising=False)
    with pytest.raises(ImportError, match=re.escape('pip install "asgi-express[metrics]"')):
        make()
