"""Where a walk is: a router's frame stands on its stack, a route's frame on its handlers.

Routers in routers are frames on a linked stack, not calls in calls: five hundred of them cost no
recursion, and the way back out is the same loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from asgi_express._handlers import ERROR, Handler
from asgi_express._layer import Layer
from asgi_express._pattern import Match, Pattern
from asgi_express._urls import path_of
from asgi_express.request import Request
from asgi_express.types import Scope

if TYPE_CHECKING:
    from asgi_express.router import Router

__all__ = ["Frame", "ParamRun", "RouteFrame", "RouterFrame", "merge_params", "protohost"]


class RouterFrame:
    """A place on the stack of a router.

    Attributes:
        base_url, params, app: what ``req`` had on the way in, restored on the way out.
        url, path: the ``req.url`` that was looked up, and its path.
        rest: the numbers of the layers that can match it and have not had their turn.
        index: the number of the layer after the current one.
        size: how many layers there were then.
        host: for an absolute-form target, its scheme and authority, which stay in ``req.url``.
        mounts: of the first frame of a walk, the scope of the host that tells what it is mounted in.
        removed: what the current layer took off the path, with ``slash_added`` if a ``/`` was put in its stead.
        prefix: the pattern that the router is mounted at; ``None`` at the root.
        post: the handlers of ``post_match`` of this router and those around it, outermost first.
        methods: for OPTIONS, the methods that matching routes would have served.
        called: the values that ``param`` callbacks have seen, by name.
        run: the ``param`` callbacks under way.
    """

    __slots__ = (
        "app",
        "base_url",
        "called",
        "host",
        "index",
        "methods",
        "mounts",
        "params",
        "parent",
        "path",
        "post",
        "prefix",
        "removed",
        "rest",
        "router",
        "run",
        "size",
        "slash_added",
        "url",
    )

    def __init__(self, router: Router, parent: Frame | None, req: Request, prefix: Pattern | None) -> None:
        self.router = router
        self.parent = parent
        self.index = 0
        self.base_url = req.base_url
        self.params = req.params
        self.app = req.app
        self.removed = ""
        self.slash_added = False
        self.methods: list[str] | None = [] if req.method == "OPTIONS" else None
        self.called: dict[str, _Called] | None = None
        self.run: ParamRun | None = None
        self.prefix = prefix
        self.mounts: Scope | None = None
        self.post: tuple[Handler, ...] = parent.post + router.post_handlers if parent else router.post_handlers
        url = req.url
        self.host = protohost(url) if url else ""
        self.look_up(req)

    def look_up(self, req: Request) -> None:
        """Find the layers that can match ``req.url``, from where the walk stands on."""
        url = self.url = req.url
        path = self.path = path_of(url) if url else ""
        index = self.router._index
        if index is None or index.size != len(self.router.stack):
            index = self.router.index
        self.size = index.size
        candidates = index.find(path) if path else ()
        self.rest = iter(candidates[bisect_left(candidates, self.index) :] if self.index else candidates)

    def trim(self, req: Request, path: str, text: str) -> bool:
        """Take the matched text of a ``use`` off ``req.url``; ``False`` if it is not a prefix that ends on a border."""
        if not path.startswith(text) or path[len(text) : len(text) + 1] not in ("", "/"):
            return False
        self.removed = text
        url = req.url[len(self.host) + len(text) :]
        if not self.host and not url.startswith("/"):
            url = "/" + url
            self.slash_added = True
        req.url = self.host + url
        req.base_url = self.base_url + (text[:-1] if text.endswith("/") else text)
        return True

    def restore(self, req: Request) -> None:
        """Put back what :meth:`trim` took off; a rewrite that was made under the mount stays."""
        if self.slash_added:
            self.slash_added = False
            url = req.url
            if url == "/" or url.startswith("/?") or (self.removed.endswith("/") and url.startswith("/")):
                req.url = url[1:]
        if self.removed:
            req.base_url = self.base_url
            req.url = self.host + self.removed + req.url[len(self.host) :]
            self.removed = ""

    def leave(self, req: Request) -> None:
        """Restore what the router changed."""
        req.base_url = self.base_url
        req.params = self.params


class RouteFrame:
    """A place among the handlers of a matched route, those of ``post_match`` first.

    Attributes:
        handlers: all of them.
        guards: how many of them, the first, are those of ``post_match``.
        position: the next of them.
    """

    __slots__ = ("guards", "handlers", "parent", "position", "post", "prefix")

    def __init__(self, parent: RouterFrame, handlers: tuple[Handler, ...]) -> None:
        self.parent = parent
        self.prefix = None
        post = self.post = parent.post
        self.position = 0
        if post and handlers:
            self.guards = len(post)
            self.handlers = post + handlers
        else:
            self.guards = 0
            self.handlers = handlers

    def next(self, error: Any) -> Handler | None:
        """Return the next handler: an error handler if an error is pending, else another."""
        handlers, position = self.handlers, self.position
        if error is None:
            if position < len(handlers) and handlers[position].kind != ERROR:  # nearly always
                self.position = position + 1
                return handlers[position]
        elif 0 < position <= self.guards:
            return None  # refused: the error handlers of the route itself must not be able to go on with it
        while position < len(handlers):
            handler = handlers[position]
            position += 1
            if (handler.kind == ERROR) == (error is not None):
                self.position = position
                return handler
        self.position = position
        return None


Frame: TypeAlias = RouterFrame | RouteFrame


class _Called:
    """What the callbacks of a parameter left for a value of it."""

    __slots__ = ("error", "match", "value")

    def __init__(self, match: Any) -> None:
        self.match = match
        self.value = match
        self.error: Any = None


class ParamRun:
    """The ``param`` callbacks of one matched layer, in the order of the parameters in its path.

    A value that was seen before is restored as the callbacks left it, and an error of theirs is raised again.
    """

    __slots__ = ("callbacks", "called", "entry", "error", "keys", "layer", "match", "name", "path", "position")

    def __init__(self, layer: Layer, match: Match, path: str, frame: RouterFrame) -> None:
        self.layer = layer
        self.match = match
        self.path = path
        self.keys = iter(list(match.params))
        self.callbacks: list[Handler] = []
        self.position = 0
        self.name = ""
        self.entry: _Called | None = None
        self.error: Any = None
        if frame.called is None:
            frame.called = {}
        self.called = frame.called

    def next(self, callbacks: dict[str, list[Handler]], req: Request) -> Handler | None:
        """Return the next callback to run; ``None`` when all are done, or one failed and :attr:`error` is set."""
        while self.error is None:
            if self.entry is not None:
                self.entry.value = req.params.get(self.name)
                if self.position < len(self.callbacks):
                    self.position += 1
                    return self.callbacks[self.position - 1]
                self.entry = None
            for name in self.keys:
                value = req.params.get(name)
                if value is None or name not in callbacks:
                    continue
                before = self.called.get(name)
                if before is not None:
                    same = before.match == value and not isinstance(value, list)
                    if same or (before.error is not None and before.error != "route"):
                        req.params[name] = before.value
                        if before.error is not None:
                            self.error = before.error
                            return None
                        continue
                self.name = name
                self.entry = self.called[name] = _Called(value)
                self.callbacks = callbacks[name]
                self.position = 0
                break
            else:
                return None
        return None

    def fail(self, error: Any, req: Request) -> None:
        """End with what a callback gave to ``next``, and remember it for the next layer with this parameter."""
        entry = self.entry
        assert entry is not None  # noqa: S101 - a callback is under way
        entry.value = req.params.get(self.name)
        self.error = entry.error = error


def protohost(url: str) -> str:
    """Return the scheme and authority of an absolute-form target, ``""`` of any other (RFC 9112 section 3.2.2)."""
    if url.startswith("/"):
        return ""
    search = url.find("?")
    mark = url.find("://", 0, search if search >= 0 else len(url))
    if mark < 0:
        return ""
    slash = url.find("/", mark + 3)
    return url[:slash] if slash >= 0 else ""


def merge_params(params: dict[str, Any], parent: Any) -> dict[str, Any]:
    """Merge the parameters of a router with those around it: the inner wins, numbered groups are renumbered."""
    if not isinstance(parent, Mapping):  # a handler has assigned something else to req.params
        return params
    if "0" not in params or "0" not in parent:
        return {**parent, **params}
    gap = _run_length(parent)
    count = _run_length(params)
    moved = {str(index + gap): params[str(index)] for index in range(count)}
    kept = {name: value for name, value in params.items() if not (name.isdecimal() and int(name) < count)}
    return {**parent, **kept, **moved}


def _run_length(params: Mapping[str, Any]) -> int:
    length = 0
    while str(length) in params:
        length += 1
    return length
