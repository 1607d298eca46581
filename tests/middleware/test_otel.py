"""OTel: one span for each request, by its route, in the words of the conventions; collected by the SDK."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from opentelemetry import baggage, metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from asgi_express import Express, HTTPError, blocking
from asgi_express.middleware import ErrorHandler, Metrics, OTel, RealIP
from tests.asgi import Client, Socket, ask, http_scope
from tests.middleware.doors import Opaque
from tests.middleware.routed import CASES, Ask

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


class Collected:
    """What the SDK has been given."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._reader])

    @property
    def options(self) -> dict[str, Any]:
        return {"tracer_provider": self.tracer_provider, "meter_provider": self.meter_provider}

    @property
    def spans(self) -> list[ReadableSpan]:
        """All that are over, in their order."""
        return list(self._spans.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """The only one."""
        (span,) = self.spans
        return span

    @property
    def durations(self) -> list[HistogramDataPoint]:
        found = self._reader.get_metrics_data()
        return [
            point
            for resource in (found.resource_metrics if found else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "http.server.request.duration" and metric.unit == "s"
            for point in metric.data.data_points
            if isinstance(point, HistogramDataPoint)
        ]


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return trace.format_span_id(span.context.span_id)


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def everywhere(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> Collected:
    """The SDK as the global provider, as programs set it up; once only outside of tests."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: collected.tracer_provider)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: collected.meter_provider)
    return collected


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"x"})


def with_status(status: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


# -- the name


@pytest.mark.parametrize(("host", "asked"), CASES.values(), ids=CASES)
async def test_the_span_is_called_by_the_route_as_it_was_written_with_all_mounts(
    host: Any, asked: Ask, collected: Collected
) -> None:
    answer = await ask(OTel(host(), **collected.options), asked.target, asked.method, headers={"host": asked.host})
    assert answer.status == asked.status
    span = collected.span
    assert (span.name, span.kind) == (f"{asked.method} {asked.route}" if asked.route else asked.method, SpanKind.SERVER)
    assert facts(span).get("http.route") == asked.route
    (duration,) = collected.durations
    assert (duration.attributes or {}).get("http.route") == asked.route


async def test_a_method_that_the_conventions_do_not_know_is_another(collected: Collected) -> None:
    app = Express().all("/x", lambda req, res: res.send("x"))
    await ask(OTel(app, **collected.options), "/x", "PURGE")
    span = collected.span
    assert span.name == "HTTP /x"
    found = facts(span)
    assert (found["http.request.method"], found["http.request.method_original"]) == ("_OTHER", "PURGE")
    assert [(point.attributes or {})["http.request.method"] for point in collected.durations] == ["_OTHER"]


# -- what it says


async def test_the_span_has_the_attributes_of_the_stable_conventions(collected: Collected) -> None:
    app = Express().get("/users/:id", lambda req, res: res.send("x"))
    headers = {"host": "api.example.com:8443", "user-agent": "curl/8"}
    await ask(OTel(app, **collected.options), "/users/a%20b?q=1", headers=headers, scheme="https", http_version="2")
    assert facts(collected.span) == {
        "http.request.method": "GET",
        "url.path": "/users/a%20b",
        "url.query": "q=1",
        "url.scheme": "https",
        "network.protocol.version": "2",
        "user_agent.original": "curl/8",
        "client.address": "127.0.0.1",
        "network.peer.address": "127.0.0.1",
        "server.address": "api.example.com",
        "server.port": 8443,
        "http.route": "/users/:id",
        "http.response.status_code": 200,
    }
    assert collected.span.instrumentation_scope is not None
    assert collected.span.instrumentation_scope.name == "asgi_express"
    assert [event.name for event in collected.span.events] == []
    (duration,) = collected.durations
    assert dict(duration.attributes or {}) == {
        "http.request.method": "GET",
        "url.scheme": "https",
        "network.protocol.version": "2",
        "http.route": "/users/:id",
        "http.response.status_code": 200,
    }
    assert (duration.count, list(duration.explicit_bounds)[:3]) == (1, [0.005, 0.01, 0.025])
    assert 0 < duration.sum < 10


@pytest.mark.parametrize(
    ("more", "headers", "expected"),
    [
        ({}, [], ("127.0.0.1", 8000)),
        ({}, [("host", "a.example")], ("a.example", 80)),
        ({"scheme": "https"}, [("host", "a.example")], ("a.example", 443)),
        ({"scheme": "made-up"}, [("host", "a.example")], ("a.example", None)),
        ({}, [("host", "[2001:db8::1]:81")], ("2001:db8::1", 81)),
        ({}, [("host", "user:secret@a.example")], (None, None)),
        ({}, [("host", "a.example/b")], (None, None)),
        ({}, [("host", "a.example"), ("host", "b.example")], (None, None)),
        ({"server": None}, [], (None, None)),
        ({"server": ("/run/app.sock", None)}, [], ("/run/app.sock", None)),
    ],
)
async def test_the_server_is_the_one_that_was_asked(
    collected: Collected, more: dict[str, Any], headers: list[tuple[str, str]], expected: tuple[Any, Any]
) -> None:
    await ask(OTel(answering, **collected.options), headers=headers, **more)
    found = facts(collected.span)
    assert (found.get("server.address"), found.get("server.port")) == expected


async def test_behind_a_proxy_the_client_is_told_from_its_peer(collected: Collected) -> None:
    app = RealIP(OTel(answering, **collected.options))
    await ask(app, headers={"x-forwarded-for": "198.51.100.7"})
    found = facts(collected.span)
    assert (found["client.address"], found["network.peer.address"]) == ("198.51.100.7", "127.0.0.1")


async def test_what_a_server_does_not_say_is_left_out(collected: Collected) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    await OTel(answering, **collected.options)(scope, Client().receive, collect)
    assert facts(collected.span) == {
        "http.request.method": "GET",
        "url.path": "/",
        "url.scheme": "http",
        "http.response.status_code": 200,
    }


async def collect(message: Any) -> None: ...


QUERIES = [
    ("q=1&page=2", "q=1&page=2"),
    ("access_token=abc&q=1", "access_token=REDACTED&q=1"),
    ("ACCESS_TOKEN=abc", "ACCESS_TOKEN=REDACTED"),
    ("access%5Ftoken=abc", "access%5Ftoken=REDACTED"),
    ("token=a&token=b", "token=REDACTED&token=REDACTED"),
    ("token[]=a", "token[]=REDACTED"),
    ("user[password]=a&user%5Bpassword%5D=b", "user[password]=REDACTED&user%5Bpassword%5D=REDACTED"),
    ("user.password=a&a.b=c&a.c=d", "user.password=REDACTED&a.b=REDACTED&a.c=d"),
    ("token", "token"),
    ("token=", "token=REDACTED"),
    ("code=abc&state=x", "code=REDACTED&state=x"),
    ("X-Amz-Signature=a&X-Amz-Date=b", "X-Amz-Signature=REDACTED&X-Amz-Date=b"),
    ("X-Amz-Credential=a&X-Amz-Security-Token=b", "X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED"),
    ("AWSAccessKeyId=a&Signature=b", "AWSAccessKeyId=REDACTED&Signature=REDACTED"),
    ("sv=2024&sig=abc", "sv=2024&sig=REDACTED"),
    ("X-Goog-Signature=a", "X-Goog-Signature=REDACTED"),
    ("password=a%26b&x-auth-token=c", "password=REDACTED&x-auth-token=REDACTED"),
    ("invite=abc&Invite=d", "invite=REDACTED&Invite=REDACTED"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
async def test_the_query_keeps_its_secrets(collected: Collected, query: str, expected: str) -> None:
    await ask(OTel(answering, redact=["Invite", "a.b"], **collected.options), f"/?{query}")
    assert facts(collected.span)["url.query"] == expected


async def test_the_query_may_be_left_out(collected: Collected) -> None:
    await ask(OTel(answering, query=False, **collected.options), "/?q=1")
    assert "url.query" not in facts(collected.span)


async def test_headers_are_recorded_by_name_only_and_never_those_that_open_doors(collected: Collected) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Kind", b"a"), (b"x-kind", b"b"), (b"set-cookie", b"secret"), (b"x-other", b"c")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    options = {
        "request_headers": ["Content-Type", "authorization", "x-invite", "x-missing"],
        "response_headers": ["x-kind", "set-cookie"],
        "redact": "X-Invite",
        **collected.options,
    }
    headers = {"content-type": "text/plain", "authorization": "Bearer secret", "x-invite": "secret", "x-other": "y"}
    await ask(OTel(app, **options), headers=headers)
    assert {name: value for name, value in facts(collected.span).items() if ".header." in name} == {
        "http.request.header.content-type": ("text/plain",),
        "http.request.header.authorization": ("REDACTED",),
        "http.request.header.x-invite": ("REDACTED",),
        "http.response.header.x-kind": ("a", "b"),
        "http.response.header.set-cookie": ("REDACTED",),
    }


# -- errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(200, StatusCode.UNSET, None), (404, StatusCode.UNSET, None), (503, StatusCode.ERROR, "503")],
)
async def test_a_status_of_500_and_above_is_an_error(
    collected: Collected, status: int, code: StatusCode, kind: str | None
) -> None:
    await ask(OTel(with_status(status), **collected.options))
    span = collected.span
    assert (span.status.status_code, span.status.description) == (code, None)
    assert (facts(span)["http.response.status_code"], facts(span).get("error.type")) == (status, kind)
    assert [(point.attributes or {}).get("error.type") for point in collected.durations] == [kind]


class OwnError(Exception):
    """An error of the program."""


def raising(*_: Any) -> None:
    raise OwnError("what went wrong")


async def raise_in_starlette(request: Any) -> Response:
    raise OwnError("what went wrong")


def in_express() -> Any:
    return Express().get("/x", raising)


def in_a_mounted_express() -> Any:
    return Express().mount("/", Opaque(in_express()))


def in_starlette() -> Any:
    return Starlette(routes=[Route("/x", raise_in_starlette)])


def in_starlette_without_answers() -> Any:
    return in_starlette().router


@pytest.mark.parametrize("make", [in_express, in_a_mounted_express, in_starlette])
async def test_an_exception_is_recorded_whoever_has_answered_it(collected: Collected, make: Any) -> None:
    with contextlib.suppress(OwnError):
        await ask(OTel(make(), **collected.options), "/x")
    span = collected.span
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "OwnError: what went wrong")
    found = facts(span)
    assert (found["http.response.status_code"], found["error.type"]) == (500, f"{__name__}.OwnError")
    (event,) = span.events
    assert event.name == "exception"
    recorded = dict(event.attributes or {})
    assert recorded["exception.message"] == "what went wrong"
    assert "raise OwnError" in str(recorded["exception.stacktrace"])
    assert [(point.attributes or {})["error.type"] for point in collected.durations] == [f"{__name__}.OwnError"]


async def test_an_exception_that_nobody_answers_is_a_500_and_is_raised_on(collected: Collected) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        await ask(OTel(app, **collected.options))
    found = facts(collected.span)
    assert (found["http.response.status_code"], found["error.type"]) == (500, "LookupError")
    assert collected.span.status.status_code is StatusCode.ERROR


async def test_an_error_that_is_the_clients_is_none_of_the_span(collected: Collected) -> None:
    def teapot(*_: Any) -> None:
        raise HTTPError(418)

    await ask(OTel(Express().get("/x", teapot), **collected.options), "/x")
    assert (collected.span.status.status_code, collected.span.events) == (StatusCode.UNSET, ())


@pytest.mark.parametrize("make", [lambda: Express(raise_errors=True).get("/x", raising), in_starlette_without_answers])
async def test_an_error_that_another_middleware_has_answered_is_recorded(collected: Collected, make: Any) -> None:
    app = ErrorHandler(make(), log=False)
    await ask(OTel(app, **collected.options), "/x")
    assert facts(collected.span)["error.type"] == f"{__name__}.OwnError"


@pytest.mark.parametrize(("begun", "expected"), [(False, ("500", 500)), (True, ("_OTHER", 200))])
async def test_an_answer_without_an_end_is_an_error(
    collected: Collected, *, begun: bool, expected: tuple[str, int]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    await ask(OTel(app, **collected.options))
    found = facts(collected.span)
    assert (found["error.type"], found["http.response.status_code"]) == expected
    assert collected.span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(("begun", "kind"), [(False, "client_disconnect"), (True, None)])
async def test_a_client_that_leaves_is_no_error(collected: Collected, *, begun: bool, kind: str | None) -> None:
    entered = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask(OTel(app, **collected.options)))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = facts(collected.span)
    assert (found.get("error.type"), found.get("http.response.status_code")) == (kind, 200 if begun else None)
    assert (collected.span.status.status_code, collected.span.events) == (StatusCode.UNSET, ())


async def test_what_is_answered_when_the_client_has_left_is_no_error(collected: Collected) -> None:
    async def endpoint(request: Any) -> Response:
        await request.body()
        raise AssertionError("the client has left before")

    app = OTel(Starlette(routes=[Route("/x", endpoint, methods=["POST"])]), **collected.options)
    with pytest.raises(ClientDisconnect):
        await ask(app, "/x", "POST", client=Client([b"a"], leaves=True))
    found = facts(collected.span)
    assert (found["http.response.status_code"], found["error.type"]) == (500, "client_disconnect")
    assert (collected.span.status.status_code, collected.span.events) == (StatusCode.UNSET, ())


# -- the context


async def test_the_span_goes_on_with_the_trace_of_the_client(collected: Collected) -> None:
    seen: list[Any] = []

    def handler(req: Any, res: Any) -> None:
        seen.append((baggage.get_baggage("user"), baggage.get_baggage("tier")))
        res.send("x")

    headers = [("traceparent", TRACEPARENT), ("baggage", "user=ada"), ("baggage", "tier=1"), ("tracestate", "a=b")]
    await ask(OTel(Express().get("/x", handler), **collected.options), "/x", headers=headers)
    span = collected.span
    assert span.parent is not None
    assert span.context is not None
    assert trace.format_trace_id(span.context.trace_id) == TRACE_ID
    assert (trace.format_span_id(span.parent.span_id), span.parent.is_remote) == (PARENT_ID, True)
    assert span.context.trace_state == {"a": "b"}
    assert seen == [("ada", "1")]


@pytest.mark.parametrize("lines", [["nonsense"], [TRACEPARENT, TRACEPARENT], [], [f"00-{'0' * 32}-{PARENT_ID}-01"]])
async def test_what_is_no_traceparent_begins_a_trace(collected: Collected, lines: list[str]) -> None:
    await ask(OTel(answering, **collected.options), headers=[("traceparent", line) for line in lines])
    assert collected.span.parent is None
    assert id_of(collected.span)


async def test_a_trace_of_a_stranger_may_be_linked_or_ignored(collected: Collected) -> None:
    headers = {"traceparent": TRACEPARENT, "baggage": "user=mallory"}
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(baggage.get_all())
        await answering(scope, receive, send)

    for incoming in ("link", "ignore"):
        await ask(OTel(app, incoming=incoming, **collected.options), headers=headers)
    await ask(OTel(app, incoming="link", **collected.options))
    linked, ignored, alone = collected.spans
    assert [link.context.span_id for link in linked.links] == [int(PARENT_ID, 16)]
    assert [span.parent for span in (linked, ignored, alone)] == [None] * 3
    assert (list(ignored.links), list(alone.links)) == ([], [])
    assert seen == [{}, {}, {}]


async def test_the_span_is_current_in_all_that_runs_inside_across_next(collected: Collected) -> None:
    seen: list[str] = []

    def look(where: str) -> None:
        seen.append(f"{where} {trace.format_span_id(trace.get_current_span().get_span_context().span_id)}")

    async def around(req: Any, res: Any, next: Any) -> None:
        look("before")
        await next()
        look("after")

    def in_a_thread(req: Any, res: Any, next: Any) -> None:
        look("thread")
        next()

    async def handler(req: Any, res: Any) -> None:
        await asyncio.sleep(0)
        look("handler")
        res.send("x")

    app = Express().use(OTel(**collected.options)).use(around).use(blocking(in_a_thread)).get("/x", handler)
    await ask(app, "/x")
    own = id_of(collected.span)
    assert seen == [f"{where} {own}" for where in ("before", "thread", "handler", "after")]
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_span_of_the_program_is_a_child_of_it(collected: Collected) -> None:
    tracer = collected.tracer_provider.get_tracer("program")

    def handler(req: Any, res: Any) -> None:
        with tracer.start_as_current_span("work"):
            res.send("x")

    await ask(OTel(Express().get("/x", handler), **collected.options), "/x")
    work, request = collected.spans
    assert work.parent is not None
    assert (work.name, request.name) == ("work", "GET /x")
    assert trace.format_span_id(work.parent.span_id) == id_of(request)


async def test_the_program_finds_the_ids_of_its_trace(collected: Collected) -> None:
    def handler(req: Any, res: Any) -> None:
        found = req.scope["asgi_express.trace"]
        res.json([found.trace_id, found.span_id, found.sampled])

    app = OTel(Express().get("/x", handler), **collected.options)
    answer = await ask(app, "/x", headers={"traceparent": TRACEPARENT})
    assert answer.json == [TRACE_ID, id_of(collected.span), True]


# -- when it ends


async def test_the_span_ends_with_the_last_message_of_a_stream(collected: Collected) -> None:
    ended: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for more in (True, True, False):
            ended.append(len(collected.spans))
            await send({"type": "http.response.body", "body": b"x", "more_body": more})
        ended.append(len(collected.spans))

    await ask(OTel(app, **collected.options))
    assert ended == [0, 0, 0, 1]


async def test_messages_have_no_spans(collected: Collected) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x"

    async def endpoint(request: Any) -> Response:
        await request.body()
        return StreamingResponse(pieces())

    app = Starlette(routes=[Route("/x", endpoint, methods=["POST"])])
    await ask(OTel(app, **collected.options), "/x", "POST", body=[b"a"] * 50)
    assert [span.name for span in collected.spans] == ["POST /x"]


# -- WebSockets


async def socket_handler(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


async def test_a_websocket_has_one_span(collected: Collected) -> None:
    app = FastAPI()
    app.add_api_websocket_route("/chat/{room}", socket_handler)
    headers = {"traceparent": TRACEPARENT, "host": "a.example"}
    line = Socket({"type": "websocket.receive", "text": "x"})
    await line.connect(OTel(app, **collected.options), "/chat/7", headers=headers)
    span = collected.span
    assert (span.name, span.kind, span.status.status_code) == (
        "WEBSOCKET /chat/{room}",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    found = facts(span)
    expected = {
        "http.request.method": "GET",
        "http.route": "/chat/{room}",
        "http.response.status_code": 101,
        "network.protocol.name": "websocket",
        "url.scheme": "ws",
        "server.port": 80,
    }
    assert {name: found[name] for name in expected} == expected
    assert collected.durations == []


ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
DENIAL: dict[str, Any] = {"type": "websocket.http.response.start", "status": 503, "headers": []}


@pytest.mark.parametrize(
    ("messages", "ending", "code", "kind", "status"),
    [
        ([ACCEPT], None, StatusCode.UNSET, None, 101),
        ([{"type": "websocket.close", "code": 1008}], None, StatusCode.UNSET, None, 403),
        ([DENIAL], None, StatusCode.ERROR, "503", 503),
        ([ACCEPT, {"type": "websocket.close", "code": 1011}], None, StatusCode.ERROR, "1011", 101),
        ([ACCEPT, {"type": "websocket.close"}], None, StatusCode.UNSET, None, 101),
        ([ACCEPT], LookupError, StatusCode.ERROR, "LookupError", 101),
        ([], LookupError, StatusCode.ERROR, "LookupError", 500),
        ([], None, StatusCode.ERROR, "500", 500),
        ([], asyncio.CancelledError, StatusCode.UNSET, "client_disconnect", None),
        ([ACCEPT], asyncio.CancelledError, StatusCode.UNSET, None, 101),
    ],
)
async def test_a_websocket_tells_how_it_ended(
    collected: Collected,
    messages: list[dict[str, Any]],
    ending: type[BaseException] | None,
    code: StatusCode,
    kind: str | None,
    status: int | None,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if ending is not None:
            raise ending

    with pytest.raises(ending) if ending else contextlib.nullcontext():
        await Socket().connect(OTel(app, **collected.options), denial=True)
    found = facts(collected.span)
    assert (collected.span.name, collected.span.status.status_code) == ("WEBSOCKET", code)
    assert (found.get("error.type"), found.get("http.response.status_code")) == (kind, status)


async def test_an_error_in_a_websocket_of_this_package_is_recorded(collected: Collected) -> None:
    async def fail(ws: Any) -> None:
        await ws.accept()
        raise OwnError("what went wrong")

    await Socket().connect(OTel(Express().ws("/chat/:room", fail), **collected.options), "/chat/7")
    span = collected.span
    assert (span.name, [event.name for event in span.events]) == ("WEBSOCKET /chat/:room", ["exception"])
    assert (facts(span)["error.type"], facts(span)["http.response.status_code"]) == (f"{__name__}.OwnError", 101)


# -- where it does nothing, and where it is not alone


@pytest.mark.parametrize(
    "options",
    [{}, {"tracer_provider": NoOpTracerProvider(), "meter_provider": NoOpMeterProvider()}],
    ids=["nothing set up", "switched off"],
)
async def test_without_a_provider_everything_passes_as_it_is(options: dict[str, Any]) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    scope, receive = http_scope(), Client().receive
    before = dict(scope)
    await OTel(app, **options)(scope, receive, collect)
    assert seen == [(scope, receive, collect)]
    assert scope == before


async def test_a_provider_may_be_set_after_the_app_was_made(
    collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = OTel(answering)
    await ask(app)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: collected.tracer_provider)
    await ask(app)
    await ask(app)
    assert len(collected.spans) == 2
    assert len({span.context.trace_id for span in collected.spans if span.context}) == 2


async def test_durations_are_recorded_without_a_tracer_and_only_if_they_are_wanted(collected: Collected) -> None:
    await ask(OTel(answering, meter_provider=collected.meter_provider))
    assert ([point.count for point in collected.durations], collected.spans) == ([1], [])
    await ask(OTel(answering, metrics=False, **collected.options))
    assert ([point.count for point in collected.durations], len(collected.spans)) == ([1], 1)


async def test_a_span_that_is_not_sampled_costs_no_attributes_and_is_measured_all_the_same(
    collected: Collected,
) -> None:
    off = TracerProvider(sampler=ALWAYS_OFF)
    found: list[Any] = []

    def handler(req: Any, res: Any) -> None:
        found.append(req.scope["asgi_express.trace"].sampled)
        res.send("x")

    app = OTel(Express().get("/x", handler), tracer_provider=off, meter_provider=collected.meter_provider)
    await ask(app, "/x")
    assert found == [False]
    assert [(point.attributes or {})["http.route"] for point in collected.durations] == ["/x"]


async def test_beside_metrics_both_know_the_route(collected: Collected) -> None:
    registry = CollectorRegistry()
    app = Metrics(OTel(Express().get("/users/:id", answer_in_express), **collected.options), registry=registry)
    await ask(app, "/users/7")
    labels = {"method": "GET", "route": "/users/:id", "status": "200"}
    assert registry.get_sample_value("http_requests_total", labels) == 1
    assert collected.span.name == "GET /users/:id"


def answer_in_express(req: Any, res: Any) -> None:
    res.send("x")


async def test_two_of_them_make_one_span(collected: Collected) -> None:
    await ask(OTel(OTel(answering, **collected.options), **collected.options))
    assert len(collected.spans) == 1


@pytest.mark.parametrize("skip", ["/health", ["/health"], lambda scope: scope["path"] == "/health"])
async def test_what_is_skipped_has_no_span(collected: Collected, skip: Any) -> None:
    app = OTel(answering, skip=skip, **collected.options)
    assert (await ask(app, "/health")).status == 200
    await ask(app, "/x")
    assert [facts(span)["url.path"] for span in collected.spans] == ["/x"]


def routes_in_fastapi() -> FastAPI:
    app, ours = FastAPI(), Express()
    app.add_api_route("/items/{item_id}", endpoint)
    app.add_api_websocket_route("/chat/{room}", socket_handler)
    ours.get("/users/:id", lambda req, res: res.set("X-Kind", "a").send("x"))
    app.mount("/ours/{tenant}", ours)
    return app


async def endpoint(item_id: int) -> int:
    return item_id


async def servers_of(collected: Collected, app: Any) -> list[ReadableSpan]:
    for path in ("/items/7", "/ours/acme/users/7", "/nothing"):
        await ask(app, path, headers={"x-request-id": "r"})
    await Socket({"type": "websocket.receive", "text": "x"}).connect(app, "/chat/7")
    return [span for span in collected.spans if span.kind is SpanKind.SERVER]


NAMES = ["GET /items/{item_id}", "GET /ours/{tenant}/users/:id", "GET"]


async def test_around_a_fastapi_that_traces_by_itself_there_is_one_span(everywhere: Collected) -> None:
    spans = await servers_of(everywhere, OTel(routes_in_fastapi()))
    assert [span.name for span in spans] == [*NAMES, "WEBSOCKET /chat/{room}"]
    assert {span.instrumentation_scope.name for span in spans if span.instrumentation_scope} == {"asgi_express"}


async def test_inside_of_a_fastapi_that_traces_by_itself_it_adds_to_that_span(everywhere: Collected) -> None:
    app = routes_in_fastapi()
    seen: list[Any] = []

    class Looking:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["asgi_express.trace"].span_id)
            await self.app(scope, receive, send)

    app.add_middleware(Looking)
    app.add_middleware(OTel, request_headers="x-request-id", response_headers="x-kind")
    spans = await servers_of(everywhere, app)
    assert [span.name for span in spans] == [*NAMES, "WEBSOCKET /chat/{room}"]
    assert {span.instrumentation_scope.name for span in spans if span.instrumentation_scope} == {"fastapi"}
    assert [facts(span).get("http.route") for span in spans] == [
        "/items/{item_id}",
        "/ours/{tenant}/users/:id",
        None,
        "/chat/{room}",
    ]
    assert [facts(span).get("http.request.header.x-request-id") for span in spans] == [("r",)] * 3 + [None]
    assert [facts(span).get("http.response.header.x-kind") for span in spans] == [None, ("a",), None, None]
    assert seen == [id_of(span) for span in spans]
    measured = {str((point.attributes or {}).get("http.route")) for point in everywhere.durations}
    assert measured == {"None", "/items/{item_id}", "/ours/{tenant}/users/:id"}


async def test_inside_of_a_fastapi_it_may_have_nothing_to_add(everywhere: Collected) -> None:
    app = routes_in_fastapi()
    app.add_middleware(OTel)
    assert [span.name for span in await servers_of(everywhere, app)] == [*NAMES, "WEBSOCKET /chat/{room}"]


async def test_a_fastapi_that_does_not_trace_a_request_is_traced(everywhere: Collected) -> None:
    app = routes_in_fastapi()
    app.add_middleware(OTel)
    app._telemetry["exclude"] = lambda scope: True
    await ask(app, "/items/7")
    assert [span.name for span in everywhere.spans] == [NAMES[0]]


# -- options that cannot be


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"incoming": "trust"}, "incoming must be 'parent', 'link' or 'ignore', not 'trust'"),
        ({"redact": [7]}, "redact must be names, not 7"),
        ({"redact": 7}, "redact must be names, not 7"),
        ({"redact": ""}, "redact must be names, not ''"),
        ({"request_headers": [None]}, "request_headers must be names, not None"),
        ({"response_headers": ""}, "response_headers must be names, not ''"),
        ({"skip": "health"}, "skip: 'health' is no path"),
        ({"tracer_provider": "otlp"}, "tracer_provider must have a method get_tracer"),
        ({"meter_provider": 7}, "meter_provider must have a method get_meter"),
    ],
)
def test_an_option_that_cannot_be_is_an_error_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"OTel: {words}")):
        OTel(**options)


def test_a_name_that_no_header_can_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="a b"):
        OTel(request_headers=["a b"])


def test_without_opentelemetry_the_error_names_the_line_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "asgi_express.middleware._tracing", raising=False)
    with pytest.raises(ImportError, match=re.escape('pip install "asgi-express[otel]"')):
        OTel()
