"""Spans and durations of requests, over the API of OpenTelemetry."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, MeterProvider
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider

from asgi_express.middleware._exchange import GONE, SWITCHED, Connection, Exchange
from asgi_express.middleware._span_facts import OTHER, captured, facts_of, grouped, method_of
from asgi_express.middleware._watching import TRACE, Trace, error_of, route_of, watch
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Settings", "Tracing"]

_NAME = "asgi_express"
_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"

# Of the conventions for HTTP metrics.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_MEASURED = ("http.request.method", "url.scheme", "network.protocol.version")

# RFC 6455 section 7.4.1: the server has met what it did not expect.
_INTERNAL_ERROR = 1011

# FastAPI traces by itself, but for requests whose scope has this key already.
_FASTAPI = "fastapi.telemetry"


@dataclass(frozen=True, slots=True)
class Settings:
    """What is recorded, and where; all of it as ``OTel`` takes it."""

    query: bool
    secret: frozenset[str]
    request_headers: tuple[str, ...]
    response_headers: tuple[str, ...]
    incoming: Literal["parent", "link", "ignore"]
    metrics: bool
    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None


class Tracing:
    """Runs requests with a span, and measures them.

    Args:
        settings: what is recorded, and where.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tracers: dict[TracerProvider, Tracer] = {}
        self._durations: dict[MeterProvider, Histogram] = {}

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run an app; alone, where nobody has set OpenTelemetry up."""
        tracer = self._tracer()
        duration = self._duration() if scope["type"] == "http" and self.settings.metrics else None
        if tracer is None and duration is None:
            await app(scope, receive, send)
            return
        watch(scope)
        theirs = scope.get(_FASTAPI)
        if getattr(theirs, "span", None) is not None:
            await self._join(theirs, app, scope, receive, send)
            return
        headers = grouped(scope["headers"])
        facts = facts_of(scope, headers, self.settings.secret if self.settings.query else None)
        if tracer is None:
            await _Request(self, trace.INVALID_SPAN, duration, facts, scope, receive, send).run(app)
            return
        span, parent = self._start(tracer, facts, headers)
        scope[TRACE] = _trace_of(span)
        alone = _FASTAPI not in scope
        if alone:
            scope[_FASTAPI] = None
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            if scope["type"] == "http":
                await _Request(self, span, duration, facts, scope, receive, send).run(app)
            else:
                await _Socket(span, scope, receive, send).run(app)
        finally:
            context.detach(token)
            if alone:
                scope.pop(_FASTAPI, None)

    def _start(self, tracer: Tracer, facts: dict[str, Any], headers: dict[str, list[str]]) -> tuple[Span, Context]:
        settings = self.settings
        attributes = facts
        if settings.request_headers:
            attributes = {**facts, **captured("request", settings.request_headers, headers, settings.secret)}
        parent, links = _parent(headers, settings.incoming)
        name = "WEBSOCKET" if "network.protocol.name" in facts else _verb(facts["http.request.method"])
        span = tracer.start_span(name, context=parent, kind=SpanKind.SERVER, attributes=attributes, links=links)
        return span, parent

    async def _join(self, theirs: Any, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Add to the span that the host has begun for this request, which stays the only one."""
        span: Span = theirs.span
        settings = self.settings
        scope[TRACE] = _trace_of(span)
        if settings.request_headers:
            span.set_attributes(
                captured("request", settings.request_headers, grouped(scope["headers"]), settings.secret)
            )

        async def sending(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                self.note_headers(span, message)
                route = route_of(scope)
                if route is not None:
                    theirs.route = route  # what it writes at the end, and measures by
                    _name(span, scope, route)
            await send(message)

        await app(scope, receive, sending)

    def note_headers(self, span: Span, head: Message) -> None:
        """Write the headers of an answer that are wanted."""
        settings = self.settings
        if settings.response_headers:
            lines = grouped(head.get("headers", ()))
            span.set_attributes(captured("response", settings.response_headers, lines, settings.secret))

    def _tracer(self) -> Tracer | None:
        provider = self.settings.tracer_provider or trace.get_tracer_provider()
        found = self._tracers.get(provider)
        if found is None and not _does_nothing(provider):
            found = self._tracers[provider] = provider.get_tracer(_NAME, schema_url=_SCHEMA)
        return found

    def _duration(self) -> Histogram | None:
        provider = self.settings.meter_provider or metrics.get_meter_provider()
        found = self._durations.get(provider)
        if found is None and not _does_nothing(provider):
            found = self._durations[provider] = provider.get_meter(_NAME, schema_url=_SCHEMA).create_histogram(
                "http.server.request.duration",
                unit="s",
                description="Duration of HTTP server requests.",
                explicit_bucket_boundaries_advisory=_BUCKETS,
            )
        return found


class _Request(Exchange):
    """A request with a span."""

    __slots__ = ("_duration", "_facts", "_pending", "_seconds", "_span", "_started", "_tracing")

    def __init__(
        self,
        tracing: Tracing,
        span: Span,
        duration: Histogram | None,
        facts: dict[str, Any],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(scope, receive, send)
        self._tracing = tracing
        self._span = span
        self._duration = duration
        self._facts = facts
        self._pending = 0
        self._seconds = 0.0
        self._started = perf_counter()

    def ended(self, status: int, error: BaseException | None) -> None:
        self._seconds = perf_counter() - self._started
        # A host answers 500 and then raises what it is about: that belongs into the span.
        if status < 500 or error is not None:
            self._finish(status, error)
        else:
            self._pending = status

    def left(self, error: BaseException | None) -> None:
        if self._pending:
            self._finish(self._pending, error)

    def _finish(self, status: int, error: BaseException | None) -> None:
        span, scope = self._span, self.scope
        found: dict[str, Any] = {}
        # Where nothing was sent, the server says 500 itself.
        sent = self.status or (status if status != GONE else 0)
        if sent:
            found["http.response.status_code"] = sent
        route = route_of(scope)
        if route is not None:
            found["http.route"] = route
        failed = status >= 500
        if failed:
            error = error or error_of(scope)
            found["error.type"] = _type_of(error) if error is not None else str(sent) if sent >= 500 else OTHER
        elif status == GONE:
            found["error.type"] = "client_disconnect"
        if span.is_recording():
            if route is not None:
                _name(span, scope, route)
            span.set_attributes(found)
            self._tracing.note_headers(span, self.head)
            if failed:
                _fail(span, error)
        if self._duration is not None:
            measured = {key: self._facts[key] for key in _MEASURED if key in self._facts}
            self._duration.record(self._seconds, {**measured, **found}, trace.set_span_in_context(span))
        span.end()


class _Socket(Connection):
    """A WebSocket with a span."""

    __slots__ = ("_span",)

    def __init__(self, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._span = span

    def accepted(self) -> None:
        self._find_route()

    def passed(self, direction: Literal["received", "sent"]) -> None:
        """Messages have no spans."""

    def ended(self, status: int, error: BaseException | None) -> None:
        span = self._span
        if self.status != SWITCHED:
            self._find_route()
        sent = self.status or (status if status != GONE else 0)
        if sent:
            span.set_attribute("http.response.status_code", sent)
        failed = status >= 500 or self.code == _INTERNAL_ERROR
        if failed:
            error = error or error_of(self.scope)
            other = str(sent) if sent >= 500 else str(self.code or OTHER)
            span.set_attribute("error.type", _type_of(error) if error is not None else other)
            _fail(span, error)
        elif status == GONE:
            span.set_attribute("error.type", "client_disconnect")
        span.end()

    def _find_route(self) -> None:
        route = route_of(self.scope)
        if route is not None:
            _name(self._span, self.scope, route)
            self._span.set_attribute("http.route", route)


def _does_nothing(provider: object) -> bool:
    """Tell whether a provider is one of the API itself: nobody has set another, or it was switched off."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


def _parent(headers: dict[str, list[str]], incoming: str) -> tuple[Context, list[Link]]:
    """Return the context that a request goes on with."""
    if incoming == "ignore":
        return Context(), []
    if len(headers.get("traceparent", ())) > 1:  # W3C Trace Context section 3.2: exactly one
        headers = {name: values for name, values in headers.items() if name != "traceparent"}
    if len(headers.get("baggage", ())) > 1:
        headers = {**headers, "baggage": [",".join(headers["baggage"])]}
    if incoming == "parent":
        return propagate.extract(headers), []
    remote = trace.get_current_span(propagate.extract(headers, Context())).get_span_context()
    return Context(), [Link(remote)] if remote.is_valid else []


def _trace_of(span: Span) -> Trace:
    found = span.get_span_context()
    return Trace(trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id), found.trace_flags.sampled)


def _verb(method: str) -> str:
    return "HTTP" if method == OTHER else method


def _name(span: Span, scope: Scope, route: str) -> None:
    verb = "WEBSOCKET" if scope["type"] == "websocket" else _verb(method_of(scope))
    span.update_name(f"{verb} {route}")


def _type_of(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _fail(span: Span, error: BaseException | None) -> None:
    if error is None:
        span.set_status(Status(StatusCode.ERROR))
        return
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
