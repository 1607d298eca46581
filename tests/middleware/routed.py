"""Hosts with routes in routes: what is asked for, and the path of the route as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from litestar import Litestar, get
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles

from asgi_express import Express, Router, static
from tests.interop.hosts import as_app
from tests.middleware.doors import Opaque

HERE = Path(__file__).parent


class Ask(NamedTuple):
    """A request, and the route that is to be found for it; ``None`` for none."""

    method: str
    target: str
    route: str | None
    status: int = 200
    host: str = "testserver"


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def legacy(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


class Passing(BaseHTTPMiddleware):
    """The kind of middleware that people write for Starlette."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


def nested() -> Router:
    """Return a router of ours with another in it."""
    inner, outer = Router(merge_params=True), Router()
    inner.get("/deep/:id", lambda req, res: res.send("hello"))
    outer.use("/two/:b", inner)
    return outer


def express() -> Express:
    app = Express()
    app.get("/users/:id", lambda req, res: res.send("hello"))
    app.use("/one", nested())
    app.mount("/star/:tenant", Starlette(routes=[Mount("/m/{q}", routes=[Route("/r/{z}", hello)])]))
    app.mount("/legacy", legacy)
    app.use("/files", static(HERE))
    app.get("/passes/:id", lambda req, res, next: next())
    return app


def fastapi() -> FastAPI:
    app, outer, inner, sub = FastAPI(), APIRouter(prefix="/v1"), APIRouter(prefix="/items"), FastAPI()

    @inner.get("/{item_id}")
    async def item(item_id: int) -> int:
        return item_id

    @app.get("/plain/{name}")
    async def plain(name: str) -> str:
        return name

    @sub.get("/s/{y}")
    async def below(y: str) -> str:
        return y

    outer.include_router(inner, prefix="/in")
    app.include_router(outer, prefix="/api")
    app.mount("/sub/{tenant}", sub)
    ours = express()
    ours.mount("/fast", FastAPI(routes=[Route("/in/{z}", hello)]))
    app.mount("/ours/{t}", ours)
    app.mount("/legacy/{t}", legacy)
    app.mount("/hidden/{t}", Opaque(express()))
    app.add_middleware(Passing)
    return app


def starlette() -> Starlette:
    routes = [
        Mount("/a/{x}", routes=[Mount("/b", routes=[Route("/c/{d}", hello)])]),
        Mount("/ours", app=express()),
        Mount("/static", app=StaticFiles(directory=HERE)),
        Host("{who}.example.com", app=Starlette(routes=[Route("/h/{i}", hello)])),
        Route("/plain/{name}", hello),
    ]
    return Starlette(routes=routes)


def litestar() -> Any:
    @get("/l/{number:int}")
    async def handler(number: FromPath[int]) -> str:
        return "hello"

    return as_app(Litestar([handler], openapi_config=None))


HOSTS: dict[str, tuple[Any, list[Ask]]] = {
    "Express": (
        express,
        [
            Ask("GET", "/users/7?q=1", "/users/:id"),
            Ask("HEAD", "/users/7", "/users/:id"),
            Ask("GET", "/one/two/x/deep/9", "/one/two/:b/deep/:id"),
            Ask("GET", "/star/acme/m/1/r/2", "/star/:tenant/m/{q}/r/{z}"),
            Ask("GET", "/star/acme/none", "/star/:tenant/*", 404),
            Ask("GET", "/legacy/any/thing", "/legacy/*"),
            Ask("GET", "/files/routed.py", None),
            Ask("GET", "/passes/7", None, 404),
            Ask("GET", "/nothing/7", None, 404),
        ],
    ),
    "FastAPI": (
        fastapi,
        [
            Ask("GET", "/plain/ada", "/plain/{name}"),
            Ask("GET", "/api/v1/in/items/7", "/api/v1/in/items/{item_id}"),
            Ask("GET", "/api/v1/in/items/x", "/api/v1/in/items/{item_id}", 422),
            Ask("GET", "/sub/acme/s/1", "/sub/{tenant}/s/{y}"),
            Ask("GET", "/sub/acme/none", None, 404),
            Ask("GET", "/ours/acme/one/two/x/deep/9", "/ours/{t}/one/two/:b/deep/:id"),
            Ask("GET", "/ours/acme/fast/in/1", "/ours/{t}/fast/in/{z}"),
            Ask("GET", "/ours/acme/none", None, 404),
            Ask("GET", "/hidden/acme/users/7", "/hidden/{t}/users/:id"),
            Ask("GET", "/legacy/acme/any/thing", "/legacy/{t}/*"),
            Ask("POST", "/plain/ada", None, 405),
            Ask("GET", "/nothing", None, 404),
        ],
    ),
    "Starlette": (
        starlette,
        [
            Ask("GET", "/a/1/b/c/2", "/a/{x}/b/c/{d}"),
            Ask("GET", "/ours/users/7", "/ours/users/:id"),
            Ask("GET", "/static/routed.py", "/static"),
            Ask("GET", "/h/1", "{who}.example.com/h/{i}", 200, "ada.example.com"),
            Ask("GET", "/plain/ada", "/plain/{name}"),
            Ask("GET", "/plain/ada/", None, 307),
            Ask("GET", "/nothing", None, 404),
        ],
    ),
    "Litestar": (litestar, [Ask("GET", "/l/4", "/l/{number}"), Ask("GET", "/nothing", None, 404)]),
}

CASES = {f"{name}: {ask.method} {ask.target}": (host, ask) for name, (host, asks) in HOSTS.items() for ask in asks}
"""For each request, what makes the host, and what is asked."""
