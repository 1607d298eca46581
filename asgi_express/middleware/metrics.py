"""Metrics for Prometheus: how many requests, how long they took, how many are under way."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from asgi_express._scope import next_app, target
from asgi_express.middleware._exchange import Connection, Exchange
from asgi_express.middleware._paths import selector
from asgi_express.middleware._watching import KNOWN_METHODS, TRACE, route_of, watch
from asgi_express.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics", "metrics_app"]

_COUNTED = "asgi_express.metrics"
"""The scope key of the metrics that a request is counted in already."""

# The boundaries of OpenTelemetry's conventions for HTTP metrics.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_UNMATCHED = "unmatched"
_OTHER = "other"

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_OURS = frozenset({"method", "route", "status", "direction", "le", "quantile"})

_MISSING = 'Metrics needs prometheus-client: pip install "asgi-express[metrics]"'


class _Series(NamedTuple):
    """What is written for one kind of answer."""

    requests: Counter
    seconds: Histogram
    received: Counter
    sent: Counter


class Metrics:
    """Count requests, and measure how long they take: for Prometheus.

    Reads the request, and the match that routers of this package, Starlette's and FastAPI's leave in the scope. Writes
    nothing into answers.

    - ``http_requests_total``, ``http_request_duration_seconds`` (a histogram), ``http_request_body_bytes_total`` and
      ``http_response_body_bytes_total`` have the labels ``method``, ``route`` and ``status``;
      ``http_requests_in_flight`` has ``method``.
    - ``websocket_connections_total`` (those that are over, by ``route`` and the ``status`` of the handshake),
      ``websocket_connections_open`` (by ``route``) and ``websocket_messages_total`` (by ``route`` and ``direction``).
    - ``route`` is the path of the route as it was written, with the prefixes of all mounts: ``/users/:id``, in
      Starlette and FastAPI ``/users/{id}``. Below an app of which nothing is known it is the path of its mount and
      ``/*``; where no route was found, ``unmatched``. Never what a client sent: there are as many as there are routes.
    - A method that HTTP does not know is ``other``.
    - A request is over when the last message of its answer has gone out; background tasks do not count.
    - An exception is a 500. A client that leaves before there is an answer is a 499; one that leaves later has the
      status that was sent, as every listener of an event stream leaves some time.
    - Two of them with one registry and namespace share their metrics, and count a request once.
    - Around ``OTel``, durations have the id of a sampled trace as an exemplar, in OpenMetrics.

    Put it outside of all that may answer, and inside of ``RealIP``.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        path: where the metrics can be read, below the prefix of its router, ``"/metrics"``; ``None`` for nowhere: see
            :func:`metrics_app`. Whoever reaches it reads the names of all routes.
        token: what Prometheus must send to read them, as ``Authorization: Bearer …``; ``None`` lets everybody.
        namespace: stands before the names, with ``_``.
        labels: constant labels and their values.
        buckets: the upper bounds of the buckets of the histogram, in seconds, increasing.
        status: whether the label has the ``"code"``, ``404``, or the ``"class"``, ``4xx``.
        skip: what is not counted: paths, exactly as they are sent (``"/health"``), or all below one
            (``"/internal/*"``); or a function of the scope. The prefix of a mount does not count.
        registry: a ``prometheus_client.CollectorRegistry``; by default the one that everybody uses.

    Raises:
        ValueError: an option cannot be.
        ImportError: the extra ``metrics`` is not installed.

    Examples::

        app.use(Metrics(path="/metrics"))

        app.use(
            Metrics(
                namespace="shop",
                labels={"region": "eu"},
                buckets=[0.01, 0.1, 1],
                status="class",
                skip=["/health", "/internal/*"],
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        path: str | None = None,
        token: str | None = None,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        buckets: Sequence[float] = _BUCKETS,
        status: Literal["code", "class"] = "code",
        skip: str | Sequence[str] | Callable[[Scope], bool] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        try:
            from asgi_express.middleware._metric_families import families
            from asgi_express.middleware._metrics_page import Page
        except ImportError as error:
            raise ImportError(_MISSING) from error
        _check_namespace(namespace)
        constant = _constant(labels)
        if status not in ("code", "class"):
            msg = f"Metrics: status must be 'code' or 'class', not {status!r}"
            raise ValueError(msg)
        if path is not None and (not isinstance(path, str) or not re.fullmatch(r"(/[A-Za-z0-9\-._~]+)+", path)):
            msg = f"Metrics: path must be a path such as '/metrics', not {path!r}"
            raise ValueError(msg)
        if token is not None and path is None:
            msg = "Metrics: token guards the page at path, and there is none"
            raise ValueError(msg)
        self.app = app
        self._skips = selector("Metrics", "skip", skip)
        self._path = path
        self._families = families(registry, namespace or "", _bounds(buckets), tuple(constant))
        self._page = Page(registry, token=token)
        self._constant = tuple(constant.values())
        self._statuses = {code: str(code) if status == "code" else f"{code // 100}xx" for code in range(100, 600)}
        self._series: dict[tuple[str, str, str], _Series] = {}
        self._in_flight: dict[str, Gauge] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and measure."""
        kind = scope["type"]
        if kind == "http":
            if self._path is not None and target(scope)[1].partition("?")[0] == self._path:
                await self._page(scope, receive, send)
                return
            if self._counts(scope):
                await _Request(self, scope, receive, send).run(self.app)
                return
        elif kind == "websocket" and self._counts(scope):
            await _Socket(self, scope, receive, send).run(self.app)
            return
        await self.app(scope, receive, send)

    def _counts(self, scope: Scope) -> bool:
        """Tell whether a request is to be counted here, and note that it is."""
        counted: tuple[object, ...] = scope.get(_COUNTED, ())
        if any(each is self._families for each in counted) or self._skips(scope) is True:
            return False
        scope[_COUNTED] = (*counted, self._families)
        watch(scope)
        return True

    def _under_way(self, method: str) -> Gauge:
        found = self._in_flight.get(method)
        if found is None:
            found = self._in_flight[method] = self._families.in_flight.labels(method, *self._constant)
        return found

    def _answered(self, method: str, scope: Scope, status: int) -> _Series:
        labels = (method, route_of(scope) or _UNMATCHED, self._statuses.get(status, _OTHER))
        found = self._series.get(labels)
        if found is None:
            families, values = self._families, (*labels, *self._constant)
            found = self._series[labels] = _Series(
                families.requests.labels(*values),
                families.seconds.labels(*values),
                families.received.labels(*values),
                families.sent.labels(*values),
            )
        return found


class _Request(Exchange):
    """A request that is counted."""

    __slots__ = ("_in_flight", "_method", "_metrics", "_started")

    def __init__(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._metrics = metrics
        method = scope["method"]
        self._method = method if method in KNOWN_METHODS else _OTHER
        self._in_flight = metrics._under_way(self._method)
        self._in_flight.inc()
        self._started = perf_counter()

    def ended(self, status: int, error: BaseException | None) -> None:
        seconds = perf_counter() - self._started
        self._in_flight.dec()
        series = self._metrics._answered(self._method, self.scope, status)
        series.requests.inc()
        series.seconds.observe(seconds, _exemplar(self.scope))
        if self.received:
            series.received.inc(self.received)
        if self.sent:
            series.sent.inc(self.sent)


class _Socket(Connection):
    """A WebSocket that is counted."""

    __slots__ = ("_metrics", "_open", "_route")

    def __init__(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._metrics = metrics
        self._route = _UNMATCHED
        self._open: Gauge | None = None

    def accepted(self) -> None:
        metrics = self._metrics
        self._route = route_of(self.scope) or _UNMATCHED
        self._open = metrics._families.open_sockets.labels(self._route, *metrics._constant)
        self._open.inc()

    def passed(self, direction: Literal["received", "sent"]) -> None:
        metrics = self._metrics
        metrics._families.messages.labels(self._route, direction, *metrics._constant).inc()

    def ended(self, status: int, error: BaseException | None) -> None:
        metrics = self._metrics
        if self._open is None:
            self._route = route_of(self.scope) or _UNMATCHED
        else:
            self._open.dec()
        code = metrics._statuses.get(status, _OTHER)
        metrics._families.sockets.labels(self._route, code, *metrics._constant).inc()


def metrics_app(registry: CollectorRegistry | None = None, *, token: str | None = None) -> ASGIApp:
    """Return an ASGI app that answers with the metrics of a registry, for Prometheus to read.

    They come as text, or as OpenMetrics where ``Accept`` asks for it. With the environment variable
    ``PROMETHEUS_MULTIPROC_DIR`` they are those of all processes that write into this directory; gauges of processes
    that have ended are forgotten.

    Args:
        registry: a ``prometheus_client.CollectorRegistry``; by default the one that everybody uses.
        token: what clients must send, as ``Authorization: Bearer …``; ``None`` lets everybody read.

    Raises:
        ValueError: the token cannot be sent, or there is no such directory.
        ImportError: the extra ``metrics`` is not installed.

    Example::

        app.mount("/metrics", metrics_app(token=os.environ["METRICS_TOKEN"]))
    """
    try:
        from asgi_express.middleware._metrics_page import Page
    except ImportError as error:
        raise ImportError(_MISSING) from error
    return Page(registry, token=token)


def _exemplar(scope: Scope) -> dict[str, str] | None:
    trace = scope.get(TRACE)
    return {"trace_id": trace.trace_id, "span_id": trace.span_id} if trace is not None and trace.sampled else None


def _check_namespace(namespace: Any) -> None:
    if namespace is not None and (not isinstance(namespace, str) or not _NAME.fullmatch(namespace)):
        msg = f"Metrics: namespace must be a letter, then letters, digits and _, not {namespace!r}"
        raise ValueError(msg)


def _constant(labels: Any) -> dict[str, str]:
    if labels is not None and not isinstance(labels, Mapping):
        msg = f"Metrics: labels must be names and their values, such as {{'region': 'eu'}}, not {labels!r}"
        raise ValueError(msg)
    for name, value in (labels or {}).items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _OURS:
            msg = f"Metrics: labels: {name!r} is no name for a label, or is one of {', '.join(sorted(_OURS))}"
            raise ValueError(msg)
        if not isinstance(value, str):
            msg = f"Metrics: labels: the value of {name!r} must be text, not {value!r}"
            raise ValueError(msg)
    return dict(sorted((labels or {}).items()))


def _bounds(buckets: Any) -> tuple[float, ...]:
    given = tuple(buckets) if isinstance(buckets, Sequence) and not isinstance(buckets, str) else ()
    fits = all(isinstance(each, int | float) and not isinstance(each, bool) and 0 < each < math.inf for each in given)
    if not given or not fits or any(one >= other for one, other in pairwise(given)):
        msg = f"Metrics: buckets must be seconds above 0, increasing, such as [0.01, 0.1, 1], not {buckets!r}"
        raise ValueError(msg)
    return tuple(map(float, given))
