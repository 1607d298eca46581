"""Traces for OpenTelemetry: one span for each request, by its route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from asgi_express._flags import check_flags
from asgi_express._headers import header_name
from asgi_express._scope import next_app
from asgi_express.middleware._paths import selector
from asgi_express.middleware._watching import TRACE, Trace
from asgi_express.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["TRACE", "OTel", "Trace"]


class OTel:
    """Trace requests: one span of kind ``SERVER`` for each request, and one for each WebSocket.

    Reads the request, and the match that routers of this package, Starlette's and FastAPI's leave in the scope. Writes
    ``scope["asgi_express.trace"]``, with ``trace_id``, ``span_id`` and ``sampled``; nothing into answers.

    - The span is called by the route, ``GET /users/:id``, with the prefixes of all mounts; only ``GET`` where there is
      none. It has the attributes of OpenTelemetry's stable conventions for HTTP, and is current in what runs inside.
    - It goes on with the trace that ``traceparent`` names; see ``incoming``.
    - It ends when the last message of the answer has gone out, or, with 500 and above, when the app has returned; that
      of a WebSocket when its handler returns. Messages have no spans.
    - A status of 500 and above, and an exception, are errors; an exception is recorded, also one that a router of this
      package has answered itself. A client that leaves before there is an answer has ``error.type``
      ``client_disconnect``, which is no error.
    - In the query, the values of well-known secrets are ``REDACTED``. Headers are only recorded by name, and those that
      open doors are ``REDACTED`` even so.
    - The histogram ``http.server.request.duration`` is recorded, too.
    - Without a provider (``opentelemetry.trace.set_tracer_provider``) it does nothing. One may be set later.
    - Two of them make one span. FastAPI traces by itself: inside of a FastAPI this adds to that span, around one it
      takes its place.

    Put it outside of all else, but for ``RealIP``.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        query: whether the query is recorded.
        redact: further names of query parameters and headers whose values are not recorded.
        request_headers: names of headers of requests that are recorded.
        response_headers: names of headers of answers that are recorded.
        incoming: what the trace of the client is: the ``"parent"``, a ``"link"`` to it from a trace of its own, or
            nothing (``"ignore"``). Any client can send one, and that it is sampled.
        metrics: whether durations are recorded.
        skip: what is not traced: paths, exactly as they are sent (``"/health"``), or all below one
            (``"/internal/*"``); or a function of the scope. The prefix of a mount does not count.
        tracer_provider: where spans go; by default the global one.
        meter_provider: where durations go; by default the global one.

    Raises:
        ValueError: an option cannot be.
        ImportError: the extra ``otel`` is not installed.

    Examples::

        app.use(OTel())

        app.use(
            OTel(
                incoming="link",
                request_headers=["content-type", "x-request-id"],
                redact=["invite"],
                skip="/health",
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        query: bool = True,
        redact: str | Sequence[str] = (),
        request_headers: str | Sequence[str] = (),
        response_headers: str | Sequence[str] = (),
        incoming: Literal["parent", "link", "ignore"] = "parent",
        metrics: bool = True,
        skip: str | Sequence[str] | Callable[[Scope], bool] = (),
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        try:
            from asgi_express.middleware._tracing import Settings, Tracing
        except ImportError as error:
            msg = 'OTel needs opentelemetry-api: pip install "asgi-express[otel]"'
            raise ImportError(msg) from error
        check_flags("OTel", query=query, metrics=metrics)
        if incoming not in ("parent", "link", "ignore"):
            msg = f"OTel: incoming must be 'parent', 'link' or 'ignore', not {incoming!r}"
            raise ValueError(msg)
        for option, method, given in (
            ("tracer_provider", "get_tracer", tracer_provider),
            ("meter_provider", "get_meter", meter_provider),
        ):
            if given is not None and not callable(getattr(given, method, None)):
                msg = f"OTel: {option} must have a method {method}, as those of OpenTelemetry's SDK have, not {given!r}"
                raise ValueError(msg)
        self.app = app
        self._skips = selector("OTel", "skip", skip)
        self._tracing = Tracing(
            Settings(
                query=query,
                secret=frozenset(_texts("redact", redact)),
                request_headers=_names("request_headers", request_headers),
                response_headers=_names("response_headers", response_headers),
                incoming=incoming,
                metrics=metrics,
                tracer_provider=tracer_provider,
                meter_provider=meter_provider,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a span."""
        if scope["type"] not in ("http", "websocket") or TRACE in scope or self._skips(scope) is True:
            await self.app(scope, receive, send)
        else:
            await self._tracing.run(self.app, scope, receive, send)


def _texts(option: str, given: Any) -> tuple[str, ...]:
    each = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Sequence) else (given,)
    for text in each:
        if not isinstance(text, str) or not text:
            msg = f"OTel: {option} must be names, not {text!r}"
            raise ValueError(msg)
    return tuple(text.lower() for text in each)


def _names(option: str, given: Any) -> tuple[str, ...]:
    return tuple(header_name(name).decode("ascii") for name in _texts(option, given))
