"""A walk that takes the time of each layer.

It stands in the place of the ordinary walk only where an explorer was made (``Router._walk``): without one there is
nothing to switch off, and nothing that costs. Where the ordinary walk selects what to call next, this one looks at the
clock; the calls are those of the ordinary walk.
"""

from __future__ import annotations

import time
from typing import Any

from asgi_express._dispatch import Walk
from asgi_express._frames import Frame, RouterFrame
from asgi_express._handlers import Handler, name_of
from asgi_express._layer import Layer
from asgi_express._pattern import Match, Pattern
from asgi_express._places import Kind, depth_of, place_of, role_of
from asgi_express._scope import MATCH
from asgi_express.explorer._recorder import Recorder, Span, Trace
from asgi_express.explorer._secrets import clean_params, clean_path, clean_query
from asgi_express.route import Route
from asgi_express.router import Router
from asgi_express.types import Message, Receive, Scope, Send

__all__ = ["TracedWalk"]

_MAX_METHOD = 32


class _Open:
    """A layer that is running.

    Attributes:
        span: what is told of it.
        inside: milliseconds of what ran inside of it.
    """

    __slots__ = ("inside", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.inside = 0.0


class TracedWalk(Walk):
    """A walk that is recorded.

    Attributes:
        hidden: whether it is not to be shown: the explorer does not show what it is asked itself.
    """

    __slots__ = ("_began", "_is_matched", "_levels", "_params", "_recorder", "_send_on", "_trace", "hidden")

    def __init__(self, recorder: Recorder, router: Router, scope: Scope, receive: Receive, send: Send) -> None:
        self._recorder = recorder
        self._began = time.perf_counter()
        # What is running, a run of the walk inside of another on each level.
        self._levels: list[_Open | None] = []
        self._params: dict[str, Any] = {}
        self._send_on = send
        self._is_matched = False
        self.hidden = False
        method: str = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
        self._trace: Trace = recorder.open(method[:_MAX_METHOD])  # a client may invent one of any length
        super().__init__(router, scope, receive, self._noting)
        self._note("router", name_of(type(router)), self._base or "/", 0)

    def _now(self) -> float:
        return (time.perf_counter() - self._began) * 1000

    def _note(self, kind: Kind, name: str, path: str, depth: int, params: dict[str, str] | None = None) -> Span:
        span = Span(kind, name, path, depth, self._now(), params=params or {})
        self._trace.add(span)
        return span

    async def _noting(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._trace.status = message["status"]
        elif kind == "websocket.accept":
            self._trace.status = 101
        elif kind == "websocket.close" and self._trace.status is None:
            self._trace.status = 403  # what servers make of a handshake that is closed
        if kind.endswith((".start", ".accept")):
            self._publish()  # a stream is seen while it runs
        await self._send_on(message)

    def _publish(self) -> None:
        if self.hidden:
            return
        path, _, query = self.req.original_url.partition("?")
        self._trace.path = clean_path(path, self._params, is_matched=self._is_matched)
        self._trace.query = clean_query(query)
        self._recorder.publish(self._trace)

    # -- the clock

    async def run(self) -> None:
        """Walk, and take the time."""
        self._levels.append(None)
        try:
            await super().run()
        finally:
            self._close()
            self._levels.pop()
            if not self._levels:
                self._trace.took = self._now()
                if self.unhandled is not None:
                    self._trace.error = type(self.unhandled).__name__
                self._publish()

    def select(self) -> Handler | None:
        """Select what comes next; until then, what came before was running."""
        self._close()
        handler = super().select()
        if handler is not None:
            frame = self.frame
            place = place_of(frame, self._base, own=True)
            span = self._note(role_of(handler, frame), handler.name, place, depth_of(frame))
            self._levels[-1] = _Open(span)
        return handler

    def _close(self) -> None:
        running = self._levels[-1]
        if running is None:
            return
        self._levels[-1] = None
        took = running.span.took = self._now() - running.span.at
        running.span.own = max(took - running.inside, 0.0)
        around = next((each for each in reversed(self._levels[:-1]) if each is not None), None)
        if around is not None:
            around.inside += took

    # -- what is entered

    def _enter_router(self, frame: Frame, router: Router, prefix: Pattern | None) -> None:
        super()._enter_router(frame, router, prefix)
        place = place_of(self.frame, self._base)
        self._note("router", name_of(type(router)), place, depth_of(self.frame) - 1)

    def _enter(self, frame: RouterFrame, layer: Layer, match: Match, path: str) -> Handler | None:
        self._params |= match.params  # those of mounts too, which the route may not see
        return super()._enter(frame, layer, match, path)

    def _record(self, frame: RouterFrame, route: Route, match: Match) -> None:
        super()._record(frame, route, match)
        self._is_matched = True
        self._params |= match.params
        params = dict(self.req.params)
        template = self._scopes[0][MATCH].template
        self._note("route", route.name or template, template, depth_of(frame), clean_params(params))
