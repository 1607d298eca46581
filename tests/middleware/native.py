"""Hosts with endpoints of their own kind, ``/echo`` and ``/live``, and one middleware around."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi import Request as FastAPIRequest
from fastapi import Response as FastAPIResponse
from fastapi import WebSocket as FastAPISocket
from litestar import Litestar, Request, Response, WebSocket, post, websocket
from litestar.middleware import DefineMiddleware
from quart import Quart
from quart import request as quart_request
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route, WebSocketRoute

from asgi_express import Express
from asgi_express.types import ASGIApp
from tests.interop.hosts import as_app, django_app

HEADERS = {"x-inner": "1"}


def of_starlette(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    async def echo(request: StarletteRequest) -> StarletteResponse:
        return StarletteResponse(await request.body(), 201, HEADERS, "text/plain")

    host = Starlette(routes=[Route("/echo", echo, methods=["POST"]), WebSocketRoute("/live", live)])
    host.add_middleware(middleware, **options)
    return host


def of_fastapi(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    host, outer, inner = FastAPI(), APIRouter(), APIRouter()

    @inner.post("/echo")
    async def echo(request: FastAPIRequest) -> Any:
        return FastAPIResponse(await request.body(), 201, HEADERS, "text/plain")

    inner.add_api_websocket_route("/live", live)
    outer.include_router(inner)
    host.include_router(outer)
    host.add_middleware(middleware, **options)
    return host


async def live(websocket: FastAPISocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close(3000)


def of_litestar(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    @post("/echo")
    async def echo(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(await request.body(), status_code=201, headers=HEADERS, media_type="text/plain")

    @websocket("/live")
    async def socket(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close(3000)

    return as_app(Litestar([echo, socket], middleware=[DefineMiddleware(middleware, **options)], openapi_config=None))


def of_quart(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    app = Quart("tests.middleware.native")

    @app.post("/echo")
    async def echo() -> Any:
        return await quart_request.get_data(), 201, {**HEADERS, "content-type": "text/plain"}

    @app.websocket("/live")
    async def socket() -> None:
        await quart_websocket.send(await quart_websocket.receive())
        await quart_websocket.close(3000)

    host: Any = app
    host.asgi_app = middleware(host.asgi_app, **options)
    return as_app(host)


def of_django(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    app: ASGIApp = middleware(django_app(), **options)
    return app


def of_ours(middleware: Any, options: dict[str, Any]) -> ASGIApp:
    async def echo(req: Any, res: Any) -> None:
        res.status(201).set(HEADERS).type("text").send((await req.text()) or "")

    async def socket(ws: Any) -> None:
        await live(ws)

    app = Express()
    app.use(middleware(**options)).post("/echo", echo).ws("/live", socket)
    return app


NATIVE = {
    "Starlette": of_starlette,
    "FastAPI": of_fastapi,
    "Litestar": of_litestar,
    "Quart": of_quart,
    "Django": of_django,
    "asgi-express": of_ours,
}

WITH_SOCKETS = {name: host for name, host in NATIVE.items() if name != "Django"}
"""Django has no WebSockets."""
