"""Other frameworks mounted in our application, under a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from asgiref.wsgi import WsgiToAsgi
from django.http import HttpRequest, JsonResponse
from django.urls import path as django_path
from fastapi import FastAPI
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import get as litestar_get
from quart import Quart
from quart import request as quart_request
from quart import url_for as quart_url_for
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from asgi_express import Express, Request, Response, Router
from asgi_express.server import Server
from asgi_express.types import ASGIApp, Next
from tests.interop import hosts


async def starlette_see(request: StarletteRequest) -> JSONResponse:
    return JSONResponse(
        {
            "root_path": request.scope["root_path"],
            "name": request.path_params["name"],
            "url": request.url_for("see", name="n").path,
        }
    )


async def starlette_go(request: StarletteRequest) -> RedirectResponse:
    return RedirectResponse(request.url_for("see", name="n"))


def starlette_app() -> ASGIApp:
    return Starlette(
        routes=[
            Route("/see/{name}", starlette_see, name="see"),
            Route("/go", starlette_go),
            Route("/slash/", starlette_go),
        ]
    )


def fastapi_app() -> ASGIApp:
    app = FastAPI()
    app.add_route("/see/{name}", starlette_see, name="see")
    app.add_route("/go", starlette_go)
    app.add_route("/slash/", starlette_go)
    return app


def litestar_app() -> ASGIApp:
    @litestar_get("/see/{name:str}", name="see", sync_to_thread=False)
    def see(request: LitestarRequest[Any, Any, Any]) -> dict[str, str]:
        return {"root_path": request.scope["root_path"], "name": request.path_params["name"]}

    return hosts.as_app(Litestar([see], openapi_config=None))


def quart_app() -> ASGIApp:
    app = Quart("tests.interop.test_apps_in_ours")

    @app.get("/see/<name>")
    async def see(name: str) -> dict[str, str]:
        return {"root_path": quart_request.root_path, "name": name, "url": quart_url_for("see", name="n")}

    return hosts.as_app(app)


def django_see(request: HttpRequest, name: str) -> JsonResponse:
    return JsonResponse({"root_path": request.META["SCRIPT_NAME"], "name": name})


def django_app() -> ASGIApp:
    app = hosts.django_app()
    routes: list[Any] = hosts.urlpatterns
    if not any(getattr(route, "name", None) == "see" for route in routes):
        routes.append(django_path("see/<name>", django_see, name="see"))
    return app


def flask_like_app() -> ASGIApp:
    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        # WSGI has bytes in the guise of text (PEP 3333).
        root_path, path = (environ[name].encode("latin-1").decode() for name in ("SCRIPT_NAME", "PATH_INFO"))
        return [json.dumps({"root_path": root_path, "name": path.removeprefix("/see/")}).encode()]

    return hosts.as_app(WsgiToAsgi(wsgi))  # type: ignore[no-untyped-call]


APPS = {
    "Starlette": starlette_app,
    "FastAPI": fastapi_app,
    "Litestar": litestar_app,
    "Quart": quart_app,
    "Django": django_app,
    "WSGI": flask_like_app,
}

Get = Callable[[str], Awaitable[httpx2.Response]]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[Get]:
    async with (
        Server(app, port=0, host="127.0.0.1", log_config=None) as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        yield client.get


@pytest.mark.parametrize("build", APPS.values(), ids=APPS)
async def test_a_mounted_app_is_told_its_prefix(build: Callable[[], ASGIApp]) -> None:
    async with served(Express().mount("/sub", build())) as get:
        for target, name in {"/sub/see/a": "a", "/sub/see/%C3%BC%20x": "ü x"}.items():
            answer = await get(target)
            assert answer.status_code == 200, answer.text
            seen = answer.json()
            assert (seen["root_path"], seen["name"]) == ("/sub", name)
            assert seen.get("url", "/sub/see/n") == "/sub/see/n"
        if build is not flask_like_app:
            assert (await get("/sub/nope")).status_code == 404
        assert "Cannot GET /subway/see/a" in (await get("/subway/see/a")).text


@pytest.mark.parametrize("build", APPS.values(), ids=APPS)
async def test_prefixes_of_all_routers_add_up(build: Callable[[], ASGIApp]) -> None:
    inner = Router().mount("/ü", build())
    async with served(Express().use("/:tenant", Router().use("/v1", inner))) as get:
        answer = await get("/a%20b/v1/%C3%BC/see/x")
        assert (answer.status_code, answer.json()["root_path"]) == (200, "/a b/v1/ü")


@pytest.mark.parametrize("build", [starlette_app, fastapi_app], ids=["Starlette", "FastAPI"])
async def test_redirects_of_a_mounted_app_lead_back_to_it(build: Callable[[], ASGIApp]) -> None:
    async with served(Express().mount("/sub", build())) as get:
        assert (await get("/sub/go")).headers["location"].endswith("/sub/see/n")
        assert (await get("/sub/slash")).headers["location"].endswith("/sub/slash/")


async def test_an_app_that_is_used_and_not_mounted_is_told_its_prefix_too() -> None:
    async with served(Express().use("/sub", starlette_app())) as get:
        assert (await get("/sub/see/a")).json() == {"root_path": "/sub", "name": "a", "url": "/sub/see/n"}


async def test_what_follows_a_mounted_app_is_not_run() -> None:
    app = Express().mount("/sub", starlette_app())
    app.use(lambda req, res: res.send("after"))
    async with served(app) as get:
        assert (await get("/sub/nope")).status_code == 404
        assert (await get("/other")).text == "after"


async def test_headers_that_were_set_before_appear_on_the_answer_of_a_mounted_app() -> None:
    def stamp(req: Request, res: Response, next: Next) -> None:
        res.set("X-Before", "1").set("Content-Type", "text/plain").append("Set-Cookie", "a=1").vary("Accept")
        next()

    app = Express().use(stamp)
    app.mount("/sub", starlette_app())
    async with served(app) as get:
        answer = await get("/sub/see/a")
    assert answer.headers["x-before"] == "1"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["set-cookie"] == "a=1"
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("how", ["read", "stream a piece", "not at all"])
async def test_a_body_that_was_read_before_reaches_a_mounted_app(how: str) -> None:
    async def size(request: StarletteRequest) -> JSONResponse:
        return JSONResponse({"bytes": len(await request.body())})

    async def look(req: Request, res: Response, next: Next) -> None:
        if how == "read":
            assert len(await req.read()) == 300_000
        elif how == "stream a piece":
            await req.disconnected()
        next()

    app = Express().use(look)
    app.mount("/sub", Starlette(routes=[Route("/size", size, methods=["POST"])]))
    async with (
        Server(app, port=0, host="127.0.0.1") as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        for _ in range(2):
            answer = await client.post("/sub/size", content=b"x" * 300_000)
            assert answer.json() == {"bytes": 300_000}


async def test_an_error_of_a_mounted_app_is_answered_by_our_error_handler() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("secret")

    def answer(err: Any, req: Request, res: Response, next: Next) -> None:
        res.status(503).json({"error": type(err).__name__, "base_url": req.base_url})

    app = Express().mount("/sub", broken)
    app.use(answer)
    async with served(app) as get:
        failed = await get("/sub/x")
        assert (failed.status_code, failed.json()) == (503, {"error": "KeyError", "base_url": ""})


# -- lifespans


def noting(name: str, events: list[str], *, fails: bool = False) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        events.append(f"{name} starts")
        if fails:
            raise ValueError("no database")
        try:
            yield {"name": name}
        finally:
            events.append(f"{name} stops")

    async def see(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(dict(request.state._state))

    return Starlette(routes=[Route("/see", see)], lifespan=lifespan)


async def test_lifespans_of_mounted_apps_run_in_order_with_a_state_for_each() -> None:
    events: list[str] = []
    shared = noting("A", events)
    app = Express().mount("/a", shared).mount("/again", shared)
    app.use("/r", Router().mount("/b", noting("B", events)))
    async with served(app) as get:
        assert events == ["A starts", "B starts"]
        answers = [(await get(target)).json() for target in ("/a/see", "/again/see", "/r/b/see")]
        assert answers == [{"name": "A"}, {"name": "A"}, {"name": "B"}]
    assert events == ["A starts", "B starts", "B stops", "A stops"]


async def test_when_a_mounted_app_fails_to_start_those_before_it_stop_and_the_server_does_not_start() -> None:
    events: list[str] = []
    app = Express().mount("/a", noting("A", events)).mount("/b", noting("B", events, fails=True))
    app.mount("/c", noting("C", events))
    with pytest.raises(RuntimeError, match="failed to start"):
        await app.serve(port=0).__aenter__()
    assert events == ["A starts", "B starts", "A stops"]


@pytest.mark.parametrize("name", ["Litestar", "Quart", "Django", "WSGI"])
async def test_apps_of_all_kinds_start_beside_each_other(name: str) -> None:
    events: list[str] = []
    app = Express().mount("/a", noting("A", events)).mount("/x", APPS[name]()).mount("/b", noting("B", events))
    async with served(app) as get:
        assert (await get("/x/see/1")).json()["name"] == "1"
    assert events == ["A starts", "B starts", "B stops", "A stops"]
