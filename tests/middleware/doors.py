"""The ways into a host for a middleware: each returns an ASGI app with the middleware around an inner app."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from litestar import Litestar, asgi
from litestar.middleware import DefineMiddleware
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.routing import Router as StarletteRouter

from asgi_express import Express, Router
from asgi_express.types import ASGIApp, Receive, Scope, Send
from tests.interop.hosts import as_app


class Opaque:
    """An ASGI app that a router cannot take for a handler of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Under:
    """Give an app its requests below a prefix, where a host cannot mount at the root."""

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self.prefix = prefix
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "path" in scope:
            raw = self.prefix.encode() + scope["raw_path"]
            scope = {**scope, "path": self.prefix + scope["path"], "raw_path": raw}
        await self.app(scope, receive, send)


def wrapped(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    app: ASGIApp = middleware(inner, **options)
    return app


def starlette_add(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    host = Starlette(routes=[Mount("/", app=inner)])
    host.add_middleware(middleware, **options)
    return host


def starlette_list(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount("/", app=inner)], middleware=[Middleware(middleware, **options)])


def starlette_mount(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount("/", app=inner, middleware=[Middleware(middleware, **options)])])


def starlette_router(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    router = StarletteRouter([Mount("/", app=inner)], middleware=[Middleware(middleware, **options)])
    return Starlette(routes=[Mount("", app=router)])


def starlette_route(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    stack = [Middleware(middleware, **options)]
    return Starlette(
        routes=[
            Route("/", Opaque(inner), methods=["GET", "HEAD", "POST"], middleware=stack),
            WebSocketRoute("/", Opaque(inner), middleware=stack),
        ]
    )


def fastapi_add(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    host = FastAPI()
    host.mount("/", inner)
    host.add_middleware(middleware, **options)
    return host


def fastapi_include(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    host, outer, deep = FastAPI(), APIRouter(), APIRouter()
    deep.routes.append(Mount("/deep", app=inner))
    outer.include_router(deep)
    host.include_router(outer)
    host.add_middleware(middleware, **options)
    return Under("/deep", host)


def fastapi_mount(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    host, router = FastAPI(), APIRouter()
    router.routes.append(Mount("/deep", app=inner, middleware=[Middleware(middleware, **options)]))
    host.include_router(router)
    return Under("/deep", host)


def litestar_app(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    return as_app(Litestar([mounted(inner)], middleware=[DefineMiddleware(middleware, **options)], openapi_config=None))


def litestar_handler(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    handler = mounted(inner, middleware=[DefineMiddleware(middleware, **options)])
    return as_app(Litestar([handler], openapi_config=None))


def mounted(inner: Any, **options: Any) -> Any:
    @asgi("/", is_mount=True, copy_scope=True, **options)
    async def mount(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None:
        await inner(scope, receive, send)

    return mount


def router_post_match(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    return Router().post_match(middleware(**options)).mount("/", Opaque(inner))


def router_mounted(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount("/", app=Router().use(middleware(**options)).mount("/", Opaque(inner)))])


def router_use(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    router = Router()
    router.use(middleware(**options))
    router.mount("/", Opaque(inner))
    return router


def router_route(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    app = Express()
    app.all("/", middleware(**options), Opaque(inner))
    app.ws("/", middleware(**options), Opaque(inner))
    return app


DOORS = {
    "wrapped": wrapped,
    "Starlette, add_middleware": starlette_add,
    "Starlette, middleware=": starlette_list,
    "Starlette, Mount": starlette_mount,
    "FastAPI, add_middleware": fastapi_add,
    "Starlette, Router": starlette_router,
    "Starlette, on a route": starlette_route,
    "FastAPI, add_middleware around includes": fastapi_include,
    "FastAPI, an included Mount": fastapi_mount,
    "Litestar, middleware=": litestar_app,
    "Litestar, on a handler": litestar_handler,
    "Router, use": router_use,
    "Router, post_match": router_post_match,
    "Router in Starlette": router_mounted,
    "Express, on a route": router_route,
}
