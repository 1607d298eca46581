"""Where a request goes next: the half of a walk that runs no user code.

``select`` gives the next handler from where the walk stands, pushing a frame when it enters a router or
a route and popping it when that is exhausted; ``signal`` moves the place by what was given to ``next``.
The order of things is that of ``router`` 2.3 (``lib/index.js``), which Express 5.3 runs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from asgi_express._frames import Frame, ParamRun, RouteFrame, RouterFrame, merge_params
from asgi_express._handlers import APP, ERROR, ROUTER, Handler
from asgi_express._layer import Layer
from asgi_express._missed import guard_missed
from asgi_express._pattern import Match, Pattern
from asgi_express._scope import GUARDS, MATCH, OVER, WALK, mounted_scope, target
from asgi_express.errors import DecodeError, HeadersSentError, HTTPError
from asgi_express.request import Request
from asgi_express.response import Response
from asgi_express.types import Receive, Scope, Send

if TYPE_CHECKING:
    from asgi_express.route import Route
    from asgi_express.router import Router

__all__ = ["Selection"]


# What nearly every request has.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Selection:
    """The place of one request among the stacks.

    Attributes:
        frame: where it is; ``None`` when the stacks are exhausted, or OPTIONS was answered.
        error: the pending error; ``None`` for none, as an error is never false.
        scope: the scope that what follows is to see.
        root_router: the router that the walk began in.
    """

    __slots__ = (
        "_base",
        "_host_params",
        "_is_recorded",
        "_is_socket",
        "_outer",
        "_scope_base",
        "_scope_url",
        "_scopes",
        "error",
        "frame",
        "req",
        "res",
        "root_router",
        "scope",
    )

    def __init__(self, router: Router, scope: Scope, receive: Receive, send: Send) -> None:
        base, url, original = target(scope)
        app = router.application
        settings = router.settings
        self.root_router = router
        self.scope = scope
        self._is_socket = is_socket = scope["type"] == "websocket"
        # Every scope that somebody outside may look into for the record of the match, and whether it is there: that of
        # a router around this one may be.
        self._scopes = [scope]
        self._is_recorded = MATCH in scope
        self._outer: Any = OVER
        if WALK in scope and scope[WALK] is not OVER:
            self._outer = scope[WALK]
            self._outer._is_recorded = True  # what is recorded here is for that walk to forget, should it go on
        self.req = req = Request(scope, receive, settings, app, base, url, original)
        req._selection = self
        self.res = req.res = res = Response(req, send, settings, app)
        # What the host took off, and what the scope stands for when a middleware has it.
        self._base = self._scope_base = base
        self._scope_url = url
        host_params: dict[str, Any] | None = scope.get("path_params")
        self._host_params = host_params
        if host_params:
            req.params = host_params
        self.error: Any = None
        self.frame: Frame | None
        self.frame = frame = RouterFrame(router, None, req, None)
        if "router" in scope:
            frame.mounts = dict(scope)  # not itself, which is to refer to the record of the match, and that to this
        if GUARDS in scope:
            frame.post = (*(Handler(guard, APP) for guard in scope.pop(GUARDS)), *frame.post)
        if app is not None and settings.powered_by:
            res._headers[b"x-powered-by"] = b"Express"
        if req.method not in _METHODS and req.method.upper() == "WEBSOCKET" and not is_socket:
            # It stands for handshakes here; a request that calls its method so must not get to what serves those.
            self.error = HTTPError(400, "No such method", type="method.unknown")

    @property
    def is_in_route(self) -> bool:
        """Whether it stands among the handlers of a route, or of a mounted app that is guarded like one."""
        return type(self.frame) is RouteFrame

    def close(self) -> None:
        """Let go of each other: what refers to itself waits for the collector of garbage, 0.5 us for each request."""
        req, res = self.req, self.res
        req._selection = self.error = None
        del req.res
        if res._send is not res._server_send:  # an ASGI app was called, with the scope and perhaps with its method
            res._send = res._server_send
            for scope in self._scopes:
                if WALK in scope:
                    scope[WALK] = self._outer

    def signal(self, value: Any) -> None:
        """Act on what was given to ``next``."""
        frame = self.frame
        run = frame.run if type(frame) is RouterFrame else None
        if not isinstance(value, BaseException) and not value:
            if run is None:
                self.error = None
        elif run is not None:
            run.fail(value, self.req)
        else:
            self._turn(value)

    def _turn(self, value: Any) -> None:
        frame = self.frame
        word = value if isinstance(value, str) else None
        if word not in ("route", "router"):
            self.error = value
            return
        self.error = None
        if type(frame) is RouteFrame:
            frame = self._leave_route(frame)
        if word == "router" and type(frame) is RouterFrame:
            frame.restore(self.req)
            self._leave(frame)

    def select(self) -> Handler | None:
        """Return the next handler to call; ``None`` when the stacks are exhausted or OPTIONS was answered."""
        while True:
            frame = self.frame
            if type(frame) is RouterFrame:
                handler = self._advance(frame) if frame.run is None else self._run_params(frame, frame.run)
                if handler is not None:
                    return handler
            elif type(frame) is RouteFrame:
                handler = self._next_of_route(frame)
                if handler is not None:
                    return handler
            else:
                return None

    def _run_params(self, frame: RouterFrame, run: ParamRun) -> Handler | None:
        handler = run.next(frame.router.param_callbacks, self.req)
        if handler is not None:
            return handler
        frame.run = None
        if run.error is not None:
            self._turn(run.error if self.error is None else self.error)
            return None
        return self._enter(frame, run.layer, run.match, run.path)

    def _advance(self, frame: RouterFrame) -> Handler | None:  # noqa: C901 - run for every layer: no calls in it
        """Go to the next layer that matches, or leave the router."""
        req = self.req
        if frame.removed:
            frame.restore(req)
            if len(self._scope_base) > len(req.base_url):
                self._rebase()
        if req.url != frame.url:
            frame.look_up(req)
        router = frame.router
        stack = router.stack
        for number in frame.rest:
            frame.index = number + 1
            layer = stack[number]
            handler = layer.anywhere
            if handler is not None and self.error is None:
                if self._is_recorded and type(frame.parent) is not RouteFrame:
                    self._forget_route()  # an error handler has let the request go on
                req.params = merge_params({}, frame.params) if router.merge_params else {}
                return handler
            path = frame.path
            try:
                match = layer.match(path)
            except DecodeError as error:
                if self.error is None:
                    self.error = error
                continue
            if match is None:
                continue
            route = layer.route
            handlers: tuple[Handler, ...] | None = None
            if route is not None:
                if self.error is not None:
                    continue
                method = "WEBSOCKET" if self._is_socket else req.method
                handlers = route._by_method.get(method)
                if not handlers and not self._serves(frame, route, method):
                    continue
                req.route = route
            params = match.params
            req.params = merge_params(params, frame.params) if router.merge_params else params
            if params and router.param_callbacks:
                frame.run = ParamRun(layer, match, path, frame)
                return None
            if route is not None:
                return self._enter_route(frame, route, match, handlers)
            return self._enter(frame, layer, match, path)
        if frame.size == len(stack):
            self._leave(frame)
        else:
            frame.look_up(req)  # a handler has registered something that comes after it
        return None

    def _serves(self, frame: RouterFrame, route: Route, method: str) -> bool:
        """Tell whether a route that matches by its path does so by the method, and note for OPTIONS what it serves."""
        method = method.upper()  # a handler may have set another
        if route.serves(method) or method == "HEAD":
            return True
        if method == "OPTIONS" and frame.methods is not None:
            frame.methods.extend(route.allowed)
        if method == "WEBSOCKET" and self._is_socket:
            # Behind the match stands what makes a request of a handshake, WebSocketRelay say.
            return route.serves("GET") and any(getattr(handler.fn, "upgrades", False) for handler in frame.post)
        return False

    def _enter_route(
        self, frame: RouterFrame, route: Route, match: Match, handlers: tuple[Handler, ...] | None = None
    ) -> Handler | None:
        if not handlers:
            method = self.req.method.upper()
            if self._is_socket:
                method = "WEBSOCKET" if route.serves("WEBSOCKET") else "GET"
            handlers = route.handlers_for(method)
        if handlers:
            self._record(frame, route, match)
        entered = self.frame = RouteFrame(frame, handlers)
        return self._next_of_route(entered)

    def _next_of_route(self, frame: RouteFrame) -> Handler | None:
        handler = frame.next(self.error)
        if handler is None:
            self._leave_route(frame)
        elif handler.kind == ROUTER:
            self._enter_router(frame, cast("Router", handler.fn), None)
            return None
        return handler

    def _enter(self, frame: RouterFrame, layer: Layer, match: Match, path: str) -> Handler | None:
        """Enter a matched layer: its handler is returned, a route or router becomes the frame."""
        route = layer.route
        if route is not None:
            return self._enter_route(frame, route, match)
        if self.error is None and self._is_recorded and type(frame.parent) is not RouteFrame:
            self._forget_route()  # an error handler has let the request go on
        if match.text and not frame.trim(self.req, path, match.text):
            return None
        handler = layer.handler
        if handler is not None:
            if (handler.kind == ERROR) != (self.error is not None):
                return None
            if handler.opaque and self.guard_missed():
                self._turn(HTTPError(400, "The path can be read in more than one way", type="path.ambiguous"))
                return None
            if handler.opaque and frame.post:
                self.frame = RouteFrame(frame, (handler,))
                return None
            return handler
        if self.error is None and layer.router is not None:
            self._enter_router(frame, layer.router, match.pattern)
        return None

    def guard_missed(self) -> bool:
        """Tell whether a middleware passed by a path that what comes next may read as another."""
        return guard_missed(self.frame)

    def _enter_router(self, frame: Frame, router: Router, prefix: Pattern | None) -> None:
        self.frame = RouterFrame(router, frame, self.req, prefix)
        app = router.application
        if app is not None:
            self._use_app(app)
            if app.settings.powered_by and not self.res.headers_sent:
                self.res._headers[b"x-powered-by"] = b"Express"

    def _use_app(self, app: Any) -> None:
        req, res = self.req, self.res
        req.app = res.app = app
        req._settings = res._settings = (self.root_router if app is None else app).settings

    def come_back(self, frame: Frame) -> None:
        """Stand again where a handler stands whose ``await next()`` was cancelled, unless its router has been left.

        What it raises is then for the error handlers that come after the layer that was cancelled, by the whole path.
        """
        place = frame.parent if type(frame) is RouteFrame else frame
        around = self.frame
        while around is not None and around is not place:
            around = around.parent
        if type(place) is not RouterFrame or around is None:
            return
        base, own = self.req.base_url, place.base_url
        self.frame = frame
        place.run = None
        place.removed = text = base[len(own) :] if base.startswith(own) else ""
        place.slash_added = bool(text) and not place.url[len(place.host) + len(text) :].startswith("/")

    def _leave_route(self, frame: RouteFrame) -> RouterFrame:
        """Leave a route that has passed on. After an error its record stays, for the error page and the metrics."""
        if self.error is None:
            self._forget_route()
        self.frame = frame.parent
        return frame.parent

    def _forget_route(self) -> None:
        """Take the record of a route back: what follows is not that route, and must not be judged as it."""
        if not self._is_recorded:
            return
        self._is_recorded = False
        for scope in self._scopes:
            if scope.pop(MATCH, None) is not None:
                scope.pop("route", None)
                scope.pop("endpoint", None)
                scope["path_params"] = self._host_params or {}

    def _leave(self, frame: RouterFrame) -> None:
        """Leave a router: answer OPTIONS if that is all it can say, restore, and go back to the one around."""
        req = self.req
        if self.error is None and frame.methods and not self._answer_options(frame.methods):
            return
        frame.leave(req)
        if req.app is not frame.app:
            self._use_app(frame.app)
        self.frame = frame.parent

    def _answer_options(self, methods: list[str]) -> bool:
        """Answer with ``Allow``; ``True`` if that failed, and the failure is the pending error."""
        allow = ", ".join(sorted(set(methods)))
        res = self.res
        try:
            res.set("Allow", allow).set("Content-Length", len(allow))
            res._headers[b"content-type"] = b"text/plain"
            res.set("X-Content-Type-Options", "nosniff").end(allow)
        except HeadersSentError as error:
            self.error = error
            return True
        self.frame = None
        return False

    def _record(self, frame: RouterFrame, route: Route, match: Match) -> None:
        """Write the record of the match where firewalls, metrics, limits and the host's tools look for it."""
        params = self.req.params
        if self._host_params:
            params = {**self._host_params, **params}
        self._is_recorded = True
        record = route.record(frame, match.pattern)
        endpoint = route.endpoint
        for scope in self._scopes:
            scope["route"] = route
            scope["endpoint"] = endpoint
            scope["path_params"] = params
            scope[MATCH] = record

    # -- the scope

    def _scope_below(self, scope: Scope) -> Scope:
        """Return a copy of a scope that tells where the walk is: below which mounts, and of which rewrites."""
        req = self.req
        root_path = (self._scopes[0].get("root_path") or "") + unquote(req.base_url[len(self._base) :])
        return mounted_scope(scope, root_path, req.url, req.base_url)

    def _rebase(self) -> None:
        """The walk has left the mount that the scope stands for: give what follows one that says so."""
        req = self.req
        self.scope = req.scope = self._scope_below(self.scope)
        self._scopes.append(self.scope)
        req._headers = None
        self._scope_base = req.base_url
        self._scope_url = req.url
