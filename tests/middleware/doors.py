"""The ways into a host for a middleware: each returns an ASGI app with the middleware around an inner app."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from asgi_express import Express, Router
from asgi_express.types import ASGIApp, Receive, Scope, Send


class Opaque:
    """An ASGI app that a router cannot take for a handler of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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


def fastapi_add(middleware: Any, options: dict[str, Any], inner: ASGIApp) -> ASGIApp:
    host = FastAPI()
    host.mount("/", inner)
    host.add_middleware(middleware, **options)
    return host


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
    "Router, use": router_use,
    "Express, on a route": router_route,
}
