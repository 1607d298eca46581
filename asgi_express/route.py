"""A route: the handlers of one path, by method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from asgi_express._frames import Frame, RouterFrame
from asgi_express._handlers import Handler, classify, flatten, socket_handler
from asgi_express._host import mount_of
from asgi_express._pattern import Pattern
from asgi_express._verbs import METHODS, RouteVerbs
from asgi_express.types import HandlerSpec, PathSpec

if TYPE_CHECKING:
    from typing import Self


__all__ = ["Route", "RouteMatch"]

WEBSOCKET = "WEBSOCKET"

_KNOWN = frozenset({*METHODS, WEBSOCKET})


class Route(RouteVerbs):
    """The handlers of one path, by method; made by ``router.route(path)`` and by the methods of a router.

    Attributes:
        path: the path as it was written.
        name: what ``url_for`` and tools know it by; ``None`` if it has no name.
        meta: facts about the route for firewalls, limits and tools.
        endpoint: the last handler that was registered, by custom the one that answers; ``None`` before.
    """

    __slots__ = ("_by_method", "_methods", "_stack", "endpoint", "meta", "name", "path")

    def __init__(self, path: PathSpec, *, name: str | None = None, meta: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.name = name
        self.meta: Mapping[str, Any] = dict(meta or {})
        self.endpoint: Callable[..., Any] | None = None
        self._stack: list[Handler] = []
        self._methods: dict[str | None, None] = {}
        self._by_method: dict[str, tuple[Handler, ...]] = {}

    def __repr__(self) -> str:
        return f"<Route {'|'.join(self.methods) or 'without handlers'} {self.path!r}>"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it was given, in order; ``"*"`` for ``all``.

        Example: ``router.route("/x").get(show).methods`` is ``("GET",)``.
        """
        return tuple(method or "*" for method in self._methods)

    @property
    def allowed(self) -> tuple[str, ...]:
        """What ``Allow`` says of it: its methods, with HEAD where there is GET.

        Example: ``router.route("/x").get(show).allowed`` is ``("GET", "HEAD")``.
        """
        methods = [method for method in self._methods if method is not None and method != WEBSOCKET]
        if "GET" in methods and "HEAD" not in methods:
            methods.append("HEAD")
        return tuple(methods)

    def serves(self, method: str) -> bool:
        """Tell whether there is a handler for a method.

        Example: ``router.route("/x").get(show).serves("HEAD")`` is ``True``.
        """
        methods = self._methods
        if method in methods:
            return True
        if method == WEBSOCKET:
            return False
        return None in methods or (method == "HEAD" and "GET" in methods)

    def handlers_for(self, method: str) -> tuple[Handler, ...]:
        """Return the handlers that a request of a method goes through, error handlers included.

        Example::

            for handler in route.handlers_for("GET"):
                print(handler.name)
        """
        found = self._by_method.get(method)
        if found is None:
            wanted = "GET" if method == "HEAD" and "HEAD" not in self._methods else method
            any_method = () if method == WEBSOCKET else (None,)
            found = tuple(handler for handler in self._stack if handler.method in (wanted, *any_method))
            if method in _KNOWN:  # what a client invents must not fill the memory
                self._by_method[method] = found
        return found

    def all(self, *handlers: HandlerSpec) -> Self:
        """Add handlers for every method; they add nothing to ``Allow``.

        Raises:
            TypeError: there is none, or one is not a handler.

        Example::

            router.route("/x").all(check).get(show)
        """
        return self._add(None, *handlers)

    def ws(self, *handlers: HandlerSpec) -> Self:
        """Add WebSocket handlers of ``(ws)``, ``(ws, req)`` or ``(ws, req, next)``.

        Raises:
            TypeError: there is none, or one is not such a handler.

        Example::

            router.route("/chat").ws(chat)
        """
        flat = flatten(handlers)
        if not flat:
            msg = "Route.ws() requires a handler function"
            raise TypeError(msg)
        return self._extend(WEBSOCKET, [socket_handler(handler, "Route.ws()") for handler in flat])

    def _add(self, method: str | None, *handlers: HandlerSpec) -> Self:
        return self._extend(method, classify(handlers, f"Route.{(method or 'all').lower()}()"))

    def _extend(self, method: str | None, handlers: list[Handler]) -> Self:
        self._stack.extend(handler.for_method(method) for handler in handlers)
        self.endpoint = self._stack[-1].fn
        self._methods[method] = None
        self._by_method = {}
        return self

    def record(self, frame: RouterFrame, pattern: Pattern) -> RouteMatch:
        """Return the record of a match.

        Example::

            scope["asgi_express.match"] = route.record(frame, pattern)
        """
        return RouteMatch(self, frame, pattern)


class RouteMatch:
    """The record of a match, in the scope under ``"asgi_express.match"``.

    Attributes:
        route: the route.
    """

    __slots__ = ("_frame", "_pattern", "_template", "route")

    def __init__(self, route: Route, frame: RouterFrame, pattern: Pattern) -> None:
        self.route = route
        self._frame = frame
        self._pattern = pattern
        self._template: str | None = None

    @property
    def template(self) -> str:
        """The whole path as it was written, the prefixes of all mounts included.

        Those of Starlette and FastAPI too; what another host or the server has taken off is there as it was sent.

        Example: ``match.template`` is ``"/users/:id"`` for ``/users/7``.
        """
        if self._template is None:
            self._template = self._write_template()
        return self._template

    def _write_template(self) -> str:
        parts = [_source(self._pattern)]
        first = self._frame
        frame: Frame | None = first
        while frame is not None:
            if frame.prefix is not None:
                parts.append(_source(frame.prefix).rstrip("/"))
            if isinstance(frame, RouterFrame):
                first = frame
            frame = frame.parent
        mounts = None if first.mounts is None else mount_of(first.router, first.mounts)
        parts.append(first.base_url if mounts is None else mounts)
        return "".join(reversed(parts))

    @property
    def name(self) -> str | None:
        """The name of the route.

        Example: ``match.name`` is ``"user"`` after ``router.get("/:id", show, name="user")``.
        """
        return self.route.name

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the route.

        Example: ``match.methods`` is ``("GET",)``.
        """
        return self.route.methods

    @property
    def meta(self) -> Mapping[str, Any]:
        """The facts that were registered with the route.

        Example: ``match.meta.get("role")`` is ``"admin"`` after ``router.get("/", show, meta={"role": "admin"})``.
        """
        return self.route.meta

    @property
    def endpoint(self) -> Callable[..., Any] | None:
        """The last handler of the route.

        Example: ``match.endpoint.__name__`` is ``"show"``.
        """
        return self.route.endpoint


def _source(pattern: Pattern) -> str:
    source = pattern.source
    return source if isinstance(source, str) else source.pattern
