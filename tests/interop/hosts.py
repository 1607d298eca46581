"""Other frameworks with one of our routers mounted at a prefix."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from fastapi import APIRouter, FastAPI
from hypercorn.middleware import DispatcherMiddleware
from litestar import Litestar, asgi, get
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_express import Express
from asgi_express.types import ASGIApp, Receive, Scope, Send

HOST = "the host"
BESIDE = "/apiary/users/1"
"""A path of the host's own, that begins like the prefix ``/api``."""


class PrefixDispatcher:
    """What an ``asgi.py`` does: paths under a prefix go to one app, all others to another."""

    def __init__(self, prefix: str, inner: ASGIApp, rest: ASGIApp) -> None:
        self.prefix = prefix
        self.inner = inner
        self.rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        root_path = scope.get("root_path", "") + self.prefix
        if path == root_path or path.startswith(root_path + "/"):
            await self.inner({**scope, "root_path": root_path}, receive, send)
        else:
            await self.rest(scope, receive, send)


def as_app(app: Any) -> ASGIApp:
    """Give an app that has other words for the types of ASGI the types that we use."""
    typed: ASGIApp = app
    return typed


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(HOST)


def starlette_mount(prefix: str, app: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount(prefix, app=app), Route(BESIDE, answer)])


def starlette_method(prefix: str, app: ASGIApp) -> ASGIApp:
    host = Starlette(routes=[Route(BESIDE, answer)])
    host.mount(prefix, app)
    return host


def fastapi_method(prefix: str, app: ASGIApp) -> ASGIApp:
    host = FastAPI()
    host.mount(prefix, app)
    host.add_route(BESIDE, answer)
    return host


def fastapi_router(prefix: str, app: ASGIApp) -> ASGIApp:
    host, router = FastAPI(), APIRouter()
    router.mount(prefix, app)
    host.include_router(router)
    host.add_route(BESIDE, answer)
    return host


def litestar_mount(prefix: str, app: ASGIApp) -> ASGIApp:
    @asgi(prefix, is_mount=True, copy_scope=True)
    async def mounted(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None:
        # Litestar takes the prefix off the path and tells nobody.
        inner: Any = app
        await inner({**scope, "root_path": scope["root_path"] + prefix}, receive, send)

    @get(BESIDE, media_type="text/plain", sync_to_thread=False)
    def beside() -> str:
        return HOST

    host: Any = Litestar([mounted, beside], openapi_config=None)
    return as_app(host)


def quart_asgi_app(prefix: str, app: ASGIApp) -> ASGIApp:
    quart = Quart("tests.interop.hosts")

    @quart.get(BESIDE)
    async def beside() -> str:
        return HOST

    host: Any = quart
    host.asgi_app = PrefixDispatcher(prefix, app, host.asgi_app)
    return as_app(host)


def hypercorn_dispatcher(prefix: str, app: ASGIApp) -> ASGIApp:
    rest = Express().use(lambda req, res: res.send(HOST))
    # Its prefixes end anywhere: in another order /apiary would go to the router, which answers 404.
    mounts: Any = {BESIDE: rest, prefix: app}
    host: Any = DispatcherMiddleware(mounts)
    return as_app(host)


def beside_in_django(request: HttpRequest) -> HttpResponse:
    return HttpResponse(HOST.encode())


async def echo_in_django(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, status=201, headers={"content-type": "text/plain", "x-inner": "1"})


urlpatterns = [re_path("^" + BESIDE[1:] + "$", beside_in_django), re_path("^echo$", echo_in_django)]


def django_app() -> ASGIApp:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="not a secret", LOGGING_CONFIG=None)
        django.setup()
    return as_app(get_asgi_application())


def django_dispatcher(prefix: str, app: ASGIApp) -> ASGIApp:
    return PrefixDispatcher(prefix, app, django_app())


def behind_a_closure(prefix: str, app: ASGIApp) -> ASGIApp:
    """Mount in our own application, not as a router but as any ASGI app."""

    async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    host = Express().mount(prefix.replace(" ", "%20"), opaque)
    host.get(BESIDE, lambda req, res: res.send(HOST))
    return host


HOSTS = {
    "Starlette, Mount": starlette_mount,
    "Starlette, app.mount": starlette_method,
    "FastAPI, app.mount": fastapi_method,
    "FastAPI, include_router": fastapi_router,
    "Litestar, asgi": litestar_mount,
    "Quart, asgi_app": quart_asgi_app,
    "Hypercorn, DispatcherMiddleware": hypercorn_dispatcher,
    "Django, asgi.py": django_dispatcher,
    "asgi-express, mount": behind_a_closure,
}
