"""One registration method per HTTP method: every one that Node 20 knows, ``M-SEARCH`` as ``m_search``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

from asgi_express.types import HandlerSpec, PathSpec

__all__ = ["METHODS", "Decorator", "RouteVerbs", "RouterVerbs"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

METHODS: tuple[str, ...] = (
    "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE",
    "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH",
    "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK",
    "UNLOCK", "UNSUBSCRIBE",
)  # fmt: skip


class Decorator:
    """What a registration method returns when it was given no handlers: it registers a function and returns it."""

    __slots__ = ("_register",)

    def __init__(self, register: Callable[..., Any]) -> None:
        self._register = register

    def __call__(self, fn: F) -> F:
        self._register(fn)
        return fn


class _RouterVerb(Generic[T]):
    """``router.get`` and its like: ``(path, *handlers)``, or a decorator if there are no handlers."""

    __slots__ = ("_method", "_router")

    def __init__(self, router: T, method: str) -> None:
        self._router = router
        self._method = method

    @overload
    def __call__(
        self, path: PathSpec, /, *, name: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> Decorator: ...
    @overload
    def __call__(
        self,
        path: PathSpec,
        handler: HandlerSpec,
        /,
        *handlers: HandlerSpec,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> T: ...
    def __call__(
        self,
        path: PathSpec,
        /,
        *handlers: HandlerSpec,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """Register handlers for a method and a path; without handlers, be a decorator.

        Args:
            path: a pattern, a compiled regular expression, or a list of those.
            handlers: what a request goes through, in order; lists are unnested.
            name: what ``url_for`` and tools know the route by.
            meta: facts about the route for firewalls, limits and tools.

        Raises:
            PathError: the path cannot be compiled.
            TypeError: a handler is not one.
        """
        router: Any = self._router
        if not handlers:
            return Decorator(lambda fn: self(path, fn, name=name, meta=meta))
        router._register(self._method, path, handlers, name=name, meta=meta)
        return router


class _RouteVerb(Generic[T]):
    """``route.get`` and its like: ``(*handlers)``, or a decorator if there are none."""

    __slots__ = ("_method", "_route")

    def __init__(self, route: T, method: str) -> None:
        self._route = route
        self._method = method

    @overload
    def __call__(self) -> Decorator: ...
    @overload
    def __call__(self, handler: HandlerSpec, /, *handlers: HandlerSpec) -> T: ...
    def __call__(self, *handlers: HandlerSpec) -> Any:
        """Register handlers for a method; without handlers, be a decorator.

        Raises:
            TypeError: a handler is not one.
        """
        if not handlers:
            return Decorator(self)
        route: Any = self._route
        return route._add(self._method, *handlers)


class _RouterMethod:
    """Descriptor of one HTTP method on a router."""

    __slots__ = ("_method",)

    def __init__(self, method: str) -> None:
        self._method = method

    def __get__(self, router: T, owner: type[T]) -> _RouterVerb[T]:
        return _RouterVerb(router, self._method)


class _RouteMethod:
    """Descriptor of one HTTP method on a route."""

    __slots__ = ("_method",)

    def __init__(self, method: str) -> None:
        self._method = method

    def __get__(self, route: T, owner: type[T]) -> _RouteVerb[T]:
        return _RouteVerb(route, self._method)


class RouterVerbs:
    """The HTTP methods of a router and of an application."""

    __slots__ = ()

    acl = _RouterMethod("ACL")
    bind = _RouterMethod("BIND")
    checkout = _RouterMethod("CHECKOUT")
    connect = _RouterMethod("CONNECT")
    copy = _RouterMethod("COPY")
    delete = _RouterMethod("DELETE")
    get = _RouterMethod("GET")
    head = _RouterMethod("HEAD")
    link = _RouterMethod("LINK")
    lock = _RouterMethod("LOCK")
    m_search = _RouterMethod("M-SEARCH")
    merge = _RouterMethod("MERGE")
    mkactivity = _RouterMethod("MKACTIVITY")
    mkcalendar = _RouterMethod("MKCALENDAR")
    mkcol = _RouterMethod("MKCOL")
    move = _RouterMethod("MOVE")
    notify = _RouterMethod("NOTIFY")
    options = _RouterMethod("OPTIONS")
    patch = _RouterMethod("PATCH")
    post = _RouterMethod("POST")
    propfind = _RouterMethod("PROPFIND")
    proppatch = _RouterMethod("PROPPATCH")
    purge = _RouterMethod("PURGE")
    put = _RouterMethod("PUT")
    query = _RouterMethod("QUERY")
    rebind = _RouterMethod("REBIND")
    report = _RouterMethod("REPORT")
    search = _RouterMethod("SEARCH")
    source = _RouterMethod("SOURCE")
    subscribe = _RouterMethod("SUBSCRIBE")
    trace = _RouterMethod("TRACE")
    unbind = _RouterMethod("UNBIND")
    unlink = _RouterMethod("UNLINK")
    unlock = _RouterMethod("UNLOCK")
    unsubscribe = _RouterMethod("UNSUBSCRIBE")


class RouteVerbs:
    """The HTTP methods of a route."""

    __slots__ = ()

    acl = _RouteMethod("ACL")
    bind = _RouteMethod("BIND")
    checkout = _RouteMethod("CHECKOUT")
    connect = _RouteMethod("CONNECT")
    copy = _RouteMethod("COPY")
    delete = _RouteMethod("DELETE")
    get = _RouteMethod("GET")
    head = _RouteMethod("HEAD")
    link = _RouteMethod("LINK")
    lock = _RouteMethod("LOCK")
    m_search = _RouteMethod("M-SEARCH")
    merge = _RouteMethod("MERGE")
    mkactivity = _RouteMethod("MKACTIVITY")
    mkcalendar = _RouteMethod("MKCALENDAR")
    mkcol = _RouteMethod("MKCOL")
    move = _RouteMethod("MOVE")
    notify = _RouteMethod("NOTIFY")
    options = _RouteMethod("OPTIONS")
    patch = _RouteMethod("PATCH")
    post = _RouteMethod("POST")
    propfind = _RouteMethod("PROPFIND")
    proppatch = _RouteMethod("PROPPATCH")
    purge = _RouteMethod("PURGE")
    put = _RouteMethod("PUT")
    query = _RouteMethod("QUERY")
    rebind = _RouteMethod("REBIND")
    report = _RouteMethod("REPORT")
    search = _RouteMethod("SEARCH")
    source = _RouteMethod("SOURCE")
    subscribe = _RouteMethod("SUBSCRIBE")
    trace = _RouteMethod("TRACE")
    unbind = _RouteMethod("UNBIND")
    unlink = _RouteMethod("UNLINK")
    unlock = _RouteMethod("UNLOCK")
    unsubscribe = _RouteMethod("UNSUBSCRIBE")
