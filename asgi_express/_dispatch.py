"""One walk of one request over one tree of stacks: a loop.

Theory of operation. ``run`` asks the selection for the next handler, calls it, and acts on how that ended:

* ``next()`` was called and not awaited: go round the loop. Any number of handlers costs no stack.
* ``next()`` was awaited: the rest of the walk ran inside the call, in a ``run`` of its own; this one is over.
* it raised, or gave an error to ``next``: the error is pending, and only error handlers are selected.
* it answered: push and end. It did none of these: that is an error, never a request that hangs.

An ASGI middleware on the stack resumes the same walk through ``next_app``. When the stacks are exhausted, the
walk answers 404 or the pending error itself, inside whatever middleware is around; so nothing is raised
through a middleware, or at a host, unless the answer cannot be given or ``raise_errors`` asks for it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable
from inspect import isawaitable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from asgi_express import _final
from asgi_express._continuation import CALLED, OVER, Continuation
from asgi_express._frames import RouterFrame
from asgi_express._handlers import APP, ERROR, PARAM, SOCKET, Handler, is_handler_function, name_of
from asgi_express._outgoing import PassOn
from asgi_express._places import tell_mount
from asgi_express._scope import WALK, encode_path
from asgi_express._selection import Selection
from asgi_express.errors import ClientDisconnect, ExpressError, MisuseError
from asgi_express.response import Response
from asgi_express.types import Receive, Scope, Send

if TYPE_CHECKING:
    from asgi_express._sockets import WebSocket
    from asgi_express.router import Router

__all__ = ["Mark", "Walk", "mark_of"]

Mark: TypeAlias = tuple[str | None, str, bytes | None]

_log = logging.getLogger("asgi_express")

# Seconds that a plain handler may hold the event loop before development says so.
_SLOW = 0.1

# Each awaited next() takes three Python frames of the 1000 that CPython allows by default; the rest
# is for the server, the host and what the handlers call themselves.
_FRAMES_PER_AWAITED_NEXT = 8


def mark_of(scope: Scope) -> Mark:
    """Return what a middleware may rewrite: method, path and query."""
    return scope.get("method"), scope["path"], scope.get("query_string")


class Walk(Selection):
    """The walk of one request.

    Attributes:
        done: whether the request was answered, or given up.
        unhandled: the error that nobody could answer, for the server or the host.
    """

    __slots__ = ("_depth", "_development", "_mark", "_socket", "done", "unhandled")

    def __init__(self, router: Router, scope: Scope, receive: Receive, send: Send) -> None:
        Selection.__init__(self, router, scope, receive, send)  # super() takes 0.1 us
        self._development = router.settings.development
        self._depth = 0
        # Of the ASGI app that is running, unless it has gone on: what its scope said of the request.
        self._mark: Mark | None = None
        self._socket: WebSocket | None = None
        self.done = False
        self.unhandled: BaseException | None = None

    # -- running

    def check_depth(self, handler: Handler) -> None:
        """Refuse to nest deeper than the interpreter can.

        Raises:
            MisuseError: ``await next()`` is nested too deep.
        """
        limit = sys.getrecursionlimit() // _FRAMES_PER_AWAITED_NEXT
        if self._depth >= limit:
            msg = (
                f"await next() is nested {limit} deep at {handler.name}; "
                "call next() without await where nothing is to be done afterwards"
            )
            raise MisuseError(msg)

    async def run_inside(self, value: Any) -> None:
        """Run the rest of the walk inside a handler or middleware, and restore what they knew."""
        req, res = self.req, self.res
        if res._has_news:
            await res._push()
        if value is not None or self.error is not None:
            self.signal(value)
        kept = (req.url, req.base_url, req.params, req.route, req.app)
        settings, frame = req._settings, self.frame
        self._depth += 1
        try:
            await self.run()
        finally:
            self._depth -= 1
            req.url, req.base_url, req.params, req.route, req.app = kept
            res.app = req.app
            req._settings = res._settings = settings
            if not self.done and frame is not None:
                self.come_back(frame)  # it was cancelled

    async def run(self) -> None:  # noqa: C901 - one loop; in parts, each handler would cost two calls more
        """Walk until the request is answered."""
        req, res = self.req, self.res
        is_watched = self._development
        started = 0.0
        while True:
            handler = self.select()
            if handler is None:
                await self._finish()
                return
            kind = handler.kind
            following: Continuation | None = None
            error = self.error
            try:
                if kind == APP:
                    await self._call_app(handler)
                    if res._has_news and not res._complete:
                        await res._push()  # of a handler that was cancelled before its answer went out
                else:
                    if is_watched:
                        started = time.perf_counter()
                    if kind == 3:
                        following = Continuation(self, handler)
                        result = handler.fn(req, res, following)
                    elif kind == 2:
                        result = handler.fn(req, res)
                    elif kind < 2:
                        result = handler.fn(req) if kind else handler.fn()
                    else:
                        following = Continuation(self, handler)
                        result = self._call(handler, following)
                    if is_watched:
                        self._watch_clock(handler, started)
                    if result is not None and result is not res:
                        if type(result) is CoroutineType or _is_awaitable_value(result):
                            result = await result
                        if result is not None and result is not res:
                            await self._take(result)
                    if res._has_news:
                        await res._push()
                    if kind == SOCKET:
                        await self._close_socket(1000)
            except Exception as exc:
                if following is not None:
                    following.state = OVER
                if kind == SOCKET and self._client_left(exc):
                    res._complete = self.done = True  # the client left, which ends the handler
                    return
                if isinstance(exc, PassOn):
                    self.signal(None)
                    continue
                res._deferred = None  # the error is answered in its place
                if exc.__context__ is None and isinstance(error, BaseException) and error is not exc:
                    exc.__context__ = error
                if self.done:
                    self._late(exc)
                    return
                self.signal(exc)
                continue
            if following is not None:
                state, following.state = following.state, OVER
                if state == CALLED:
                    if following.value is not None or self.error is not None:
                        self.signal(following.value)
                    continue
            if self.done:
                return
            if res._ended or res.finished:
                self.done = True
                return
            self.signal(self._unanswered(handler, error))

    def _call(self, handler: Handler, following: Continuation) -> Any:
        """Call a handler of the rarer kinds, which take ``next``."""
        kind = handler.kind
        fn = handler.fn
        req, res = self.req, self.res
        if kind == ERROR:
            error, self.error = self.error, None
            return fn(error, req, res, following)
        if kind == PARAM:
            run = cast("RouterFrame", self.frame).run
            assert run is not None and run.entry is not None  # noqa: S101, PT018 - how PARAM came to be selected
            return fn(*(req, res, following, run.entry.match, run.name)[: handler.count])
        if res._send is res._server_send:
            res._send = res._relay
        from asgi_express._sockets import WebSocket

        self._socket = WebSocket(self.scope, req._receive, res._send)
        return fn(*(self._socket, req, following)[: handler.count])

    async def _take(self, result: Any) -> None:
        """Send the value that a handler returned, or run it if it is an ASGI app."""
        if isinstance(result, (Continuation, Response)):
            return
        if is_handler_function(result) or isinstance(result, type):
            msg = f"a handler returned {name_of(result)}; was it to be called when it was registered?"
            raise MisuseError(msg)
        if callable(result):
            await self._call_app(Handler(result, APP, opaque=True))
        else:
            self.res.send(result)

    def _watch_clock(self, handler: Handler, started: float) -> None:
        if time.perf_counter() - started > _SLOW and not handler.slow:
            handler.slow = True
            _log.warning(
                "%s held the event loop for over %d ms; make it async, or wrap it in blocking(...)",
                handler.name,
                _SLOW * 1000,
            )

    def _unanswered(self, handler: Handler, error: Any) -> MisuseError:
        res = self.res
        if res.headers_sent:
            words = "returned without ending its answer"
        elif handler.kind == APP:
            words = "returned without an answer and without calling the app that it wraps"
        else:
            words = "returned without an answer, without a value and without calling next()"
        misuse = MisuseError(f"{handler.name} {words}")
        if isinstance(error, BaseException):
            misuse.__cause__ = error
        return misuse

    async def _close_socket(self, code: int) -> bool:
        """Close the WebSocket if it is open; tell whether it was one of ours."""
        socket = self._socket
        if socket is None or not self.res._started:
            return False
        from asgi_express._sockets import close_if_open

        await close_if_open(socket, code)
        self.res._complete = True
        return True

    def _client_left(self, error: Exception) -> bool:
        from asgi_express._sockets import WebSocketDisconnect

        return isinstance(error, WebSocketDisconnect)

    # -- ASGI apps on the stack

    async def _call_app(self, handler: Handler) -> None:
        """Call an ASGI app, and restore what it has changed for those around it if it went on with the walk."""
        req, res = self.req, self.res
        if res._send is res._server_send:
            res._send = res._relay
        scope = self._scope_for(handler)
        if not handler.opaque:
            scope[WALK] = self
        own, outer = self.scope, self._mark
        place = (req.scope, req._headers, self._scope_base, self._scope_url, self._is_socket)
        send, receive, inbox = res._send, req._receive, req._inbox
        mark = self._mark = mark_of(scope)
        try:
            await handler.fn(scope, receive if inbox is None else inbox.replay(), send)
        finally:
            if self._mark is not mark:  # nor is it None where a task was left behind that is in another app
                self._depth -= 1
                res._send = send
                if req._receive is not receive:
                    req._receive, req._inbox = receive, inbox
                if self.scope is not own:
                    self.scope = own
                    req.scope, req._headers, self._scope_base, self._scope_url, self._is_socket = place
            self._mark = outer
        if res._complete:
            self.unhandled = None  # a middleware has caught it, and answered
        if self._is_socket and res._started:
            res._complete = True  # a client that leaves is not answered with a close

    def _scope_for(self, handler: Handler) -> Scope:
        """Return the scope that an ASGI app is to see: the same one, or a copy that tells of mounts and rewrites."""
        req, scope = self.req, self.scope
        base = req.base_url
        is_same = req.url == self._scope_url and base == self._scope_base
        states = self.root_router.lifespan_states
        state = states.get(id(handler.fn)) if states else None
        if is_same and not state and not handler.opaque and scope.get("method", req.method) == req.method:
            return scope
        child = dict(scope) if is_same else self._scope_below(scope)
        if "method" in child:
            child["method"] = req.method
        if handler.opaque:
            child.pop(WALK, None)
            tell_mount(self, handler, child)
        if state:
            child["state"] = {**child.get("state", {}), **state}
        return child

    def resume(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Go on, for ``next_app``: everything that follows sees the middleware's scope, receive and send.

        It is no coroutine function, which would be one coroutine more for each middleware.

        Raises:
            MisuseError: the middleware called its app twice.
        """
        mark = self._mark
        if mark is None or self.done:
            msg = "next_app was called twice, or after the request was answered"
            raise MisuseError(msg)
        req, res = self.req, self.res
        self._mark = None
        self._depth += 1
        if send is not res._send:
            res._send = send
        if receive is not req._receive:
            req._receive, req._inbox = receive, None
        self._adopt(scope, mark)
        return self.run()

    def _adopt(self, scope: Scope, mark: Mark) -> None:
        """Take over the scope of a middleware, and a method, path or query that it has changed."""
        req = self.req
        if scope is not self.scope:
            self.scope = req.scope = scope
            self._is_socket = scope["type"] == "websocket"
            self._scopes.append(scope)
            self._scope_base, self._scope_url = req.base_url, req.url
            req._headers = None
        method, path, query = mark
        if scope["path"] is path and scope.get("query_string") is query and scope.get("method") is method:
            return  # nearly always
        if scope.get("method") != method:
            req.method = scope["method"]
        if scope["path"] != path or scope.get("query_string") != query:
            whole = encode_path(scope["path"])
            if whole.startswith(req.base_url):
                whole = whole[len(req.base_url) :] or "/"
            text = (scope.get("query_string") or b"").decode("latin-1")
            req.url = f"{whole}?{text}" if text else whole
            self._scope_url = req.url

    # -- ending

    async def _finish(self) -> None:
        """Answer 404, or the pending error; where that cannot be done, leave it to whoever is outside."""
        req, res = self.req, self.res
        self.done = True
        error = self.error
        if error is None:
            if not res.headers_sent:
                _final.answer_not_found(req, res)
            elif not res.finished:
                error = MisuseError("the answer was begun, and nothing on the stack ended it")
        if error is None:
            await res._push()
        elif res.finished:
            await res._push()
            _final.log_error(error, req, res)
        elif await self._close_socket(1011) or (res.headers_sent and isinstance(error, ClientDisconnect)):
            _final.log_error(error, req, res)
        elif self.root_router.raise_errors or res.headers_sent:
            # A body that is cut short must look cut short: the server closes the connection.
            await res._push()
            self.unhandled = _as_exception(error)
        else:
            _final.answer_error(error, res)
            try:
                await res._push()
            finally:
                _final.log_error(error, req, res)

    def _late(self, error: Exception) -> None:
        """An error after the walk was over: whoever is outside gets it only if the client has no answer."""
        if error is self.unhandled:
            return
        if self.res._complete and not self.root_router.raise_errors:
            _final.log_error(error, self.req, self.res)
        else:
            self.unhandled = error


def _is_awaitable_value(result: Any) -> bool:
    """Tell whether a handler returned something to wait for; our own two awaitables are not."""
    return isawaitable(result) and not isinstance(result, (Continuation, Response))


def _as_exception(error: Any) -> BaseException:
    return error if isinstance(error, BaseException) else ExpressError(str(error))
