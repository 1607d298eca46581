"""Describe what a tree of routers serves: for people, for the command line, and for the host around.

The walk is a loop over a stack of iterators, in the order in which a request meets the layers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from asgi_express._handlers import APP, ERROR, ROUTER, SOCKET, Handler, name_of
from asgi_express._named import wrapped_router
from asgi_express._pattern import Pattern
from asgi_express.errors import UrlError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from asgi_express._layer import Layer
    from asgi_express.route import Route
    from asgi_express.router import Router

__all__ = ["Kind", "RouteInfo", "Routes"]

Kind: TypeAlias = Literal["route", "websocket", "app", "middleware", "error", "param", "guard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteInfo:
    """One thing that a request may meet.

    Attributes:
        kind: ``"route"``, ``"websocket"``, or ``"app"``, a mounted app of another framework; and of what is on the
            way there: ``"middleware"``, ``"error"`` (an error handler), ``"param"`` (a callback), ``"guard"``
            (``post_match``).
        methods: what it answers; ``("*",)`` for every method, empty where methods have no meaning.
        template: the whole path as it was written, the prefixes of mounts included.
        name: what ``url_for`` knows it by, the names of mounts not included.
        handlers: the names of its handlers, in order.
        prefix: the part of ``template`` that mounts have added.
        source: the file and line of the handler that answers; ``None`` where that is not a Python function.
        owner: the class of the router or app that has it: ``asgi_express.router.Router``.
        meta: the facts that were registered with it.
    """

    kind: Kind
    methods: tuple[str, ...]
    template: str
    name: str | None
    handlers: tuple[str, ...]
    prefix: str
    source: str | None
    owner: str
    meta: Mapping[str, Any] = field(default_factory=dict)


class Routes:
    """What ``router.routes`` is: call it for descriptions; a Starlette host iterates over it."""

    __slots__ = ("_router",)

    def __init__(self, router: Router) -> None:
        self._router = router

    def __call__(self, *, everything: bool = False) -> tuple[RouteInfo, ...]:
        """Describe the routes of the whole tree, in the order in which a request meets them.

        Args:
            everything: whether middleware, error handlers, ``param`` callbacks and guards are described as well.

        Example::

            app.get("/users/:id", show)
            [route.template for route in app.routes()]  # -> ["/users/:id"]
        """
        answering = ("route", "websocket", "app")
        return tuple(info for info in _walk(self._router) if everything or info.kind in answering)

    def __iter__(self) -> Iterator[BaseRoute]:
        """Give Starlette one route that stands for all: its ``Mount`` asks the app in it for ``routes`` by name."""
        from starlette.datastructures import URLPath
        from starlette.routing import BaseRoute, Match, NoMatchFound

        router = self._router

        class Door(BaseRoute):
            path = ""
            name = None

            def matches(self, scope: Any) -> tuple[Match, dict[str, Any]]:
                return Match.FULL, {}

            def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
                try:
                    return URLPath(router.url_for(name, path_params))
                except UrlError:
                    raise NoMatchFound(name, path_params) from None

            async def handle(self, scope: Any, receive: Any, send: Any) -> None:
                await router(scope, receive, send)

        yield Door()


def _walk(router: Router) -> Iterator[RouteInfo]:
    pending: list[Iterator[RouteInfo | tuple[Router, str]]] = [_of_router(router, "")]
    around = [router]
    while pending:
        for found in pending[-1]:
            if isinstance(found, RouteInfo):
                yield found
            elif found[0] not in around:  # a middleware below a router may wrap it
                pending.append(_of_router(*found))
                around.append(found[0])
                break
        else:
            pending.pop()
            around.pop()


def _of_router(router: Router, prefix: str) -> Iterator[RouteInfo | tuple[Router, str]]:
    """Describe one router; for each router in it, give that and its prefix."""
    owner = name_of(type(router))
    for param, callbacks in router.param_callbacks.items():
        yield _info("param", (), prefix, prefix or "/", callbacks, owner, name=param)
    for guard in router.post_handlers:
        yield _info("guard", (), prefix, prefix or "/", [guard], owner)
    for layer in router.stack:
        for template in _templates(layer.patterns):
            if layer.route is not None:
                yield from _of_route(layer.route, prefix, prefix + template, owner)
            elif layer.router is not None:
                yield layer.router, prefix + template.rstrip("/")
            else:
                yield from _of_handler(layer, prefix, prefix + template, owner)


def _of_route(route: Route, prefix: str, template: str, owner: str) -> Iterator[RouteInfo | tuple[Router, str]]:
    sockets = [handler for handler in route._stack if handler.kind == SOCKET]
    others = [handler for handler in route._stack if handler.kind not in (SOCKET, ROUTER)]
    if others:
        methods = tuple(method for method in route.methods if method != "WEBSOCKET")
        endpoint = others[-1].fn if sockets or route._stack[-1].kind == ROUTER else route.endpoint
        yield _info(
            "route", methods, prefix, template, others, owner, name=route.name, meta=route.meta, endpoint=endpoint
        )
    if sockets:
        yield _info("websocket", (), prefix, template, sockets, owner, name=route.name, meta=route.meta)
    for handler in route._stack:
        if handler.kind == ROUTER:
            yield cast("Router", handler.fn), prefix


def _of_handler(layer: Layer, prefix: str, template: str, owner: str) -> Iterator[RouteInfo | tuple[Router, str]]:
    handler = layer.handler
    assert handler is not None  # noqa: S101 - neither a route nor a router
    if handler.kind != APP:
        kind: Kind = "error" if handler.kind == ERROR else "middleware"
        yield _info(kind, (), prefix, template, [handler], owner)
        return
    inside = wrapped_router(handler.fn)
    if inside is not None:
        yield _info("middleware", (), prefix, template, [handler], owner, name=layer.name)
        yield inside, template.rstrip("/")
    elif handler.opaque:
        yield _info("app", ("*",), prefix, template, [handler], owner, name=layer.name)
        yield from _of_foreign(handler.fn, template.rstrip("/"))
    else:
        yield _info("middleware", (), prefix, template, [handler], owner)


def _of_foreign(app: Any, prefix: str) -> Iterator[RouteInfo | tuple[Router, str]]:
    """Describe the routes of Starlette, FastAPI, or whoever keeps a list of objects with ``path``."""
    routes = getattr(app, "routes", ())
    owner = name_of(type(app))
    for route in routes if isinstance(routes, Iterable) else ():
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            continue
        template = prefix + path
        endpoint = getattr(route, "endpoint", None)
        inner = getattr(route, "app", None)
        name = getattr(route, "name", None)
        if endpoint is None:  # a mount
            router = wrapped_router(inner)
            if router is not None:
                yield router, template
            else:
                yield RouteInfo(
                    **_facts("app", ("*",), prefix, template or "/", owner), name=name, handlers=(name_of(inner),)
                )
                yield from _of_foreign(inner, template)
            continue
        methods = getattr(route, "methods", None)
        # Starlette's WebSocketRoute has no methods; a Route with None answers all.
        is_socket = not hasattr(route, "methods")
        words = () if is_socket else tuple(sorted(methods)) if methods else ("*",)
        facts = _facts("websocket" if is_socket else "route", words, prefix, template, owner)
        yield RouteInfo(**{**facts, "source": _source(endpoint)}, name=name, handlers=(name_of(endpoint),))


def _facts(kind: str, methods: tuple[str, ...], prefix: str, template: str, owner: str) -> dict[str, Any]:
    return {
        "kind": kind, "methods": methods, "prefix": prefix, "template": template, "owner": owner, "source": None,
    }  # fmt: skip


def _info(
    kind: Kind,
    methods: tuple[str, ...],
    prefix: str,
    template: str,
    handlers: list[Handler],
    owner: str,
    *,
    name: str | None = None,
    meta: Mapping[str, Any] | None = None,
    endpoint: Callable[..., Any] | None = None,
) -> RouteInfo:
    return RouteInfo(
        kind=kind,
        methods=methods,
        template=template,
        name=name,
        handlers=tuple(dict.fromkeys(handler.name for handler in handlers)),
        prefix=prefix,
        source=_source(endpoint or handlers[-1].fn),
        owner=owner,
        meta=meta or {},
    )


def _templates(patterns: tuple[Pattern, ...]) -> list[str]:
    return [
        pattern.source if isinstance(pattern.source, str) else f"re.compile({pattern.source.pattern!r})"
        for pattern in patterns
    ]


def _source(fn: Any) -> str | None:
    """Return the file and line where a function was written."""
    while hasattr(fn, "func"):
        fn = fn.func
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else None
