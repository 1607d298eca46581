"""An ``Actions`` app is an ordinary part: it mounts anywhere, and its routes are routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute

from asgi_express import Express, Router
from asgi_express.actions import Actions
from tests.asgi import ask


def shop() -> Actions:
    app = Actions(secret="a secret of many characters")

    @app.match("item", "/items/:id")
    def item(self: Any) -> Any:
        self.session["last"] = self.params["id"]
        return {"json": [self.params["id"], self.url_for("item", id="a b"), self.req.parsed_url.path]}

    app.match("index", "/", lambda self: {"redirect_to": self.url_for("item", id=1)})
    return app


async def test_it_is_mounted_in_express_in_a_router_in_fastapi_and_in_starlette() -> None:
    fastapi = FastAPI()
    fastapi.mount("/m", shop())
    hosts: list[Any] = [
        Express().use("/m", shop()),
        Router().mount("/m", shop()),
        fastapi,
        Starlette(routes=[Mount("/m", shop())]),
    ]
    for host in hosts:
        got = await ask(host, "/m/items/x%2Fy")
        assert got.json == ["x/y", "/m/items/a%20b", "/m/items/x%2Fy"]
        assert "lapis_session=" in got.headers["set-cookie"]
        assert (await ask(host, "/m/")).headers["location"] == "/m/items/1"
        slash = await ask(host, "/m/items/1/")
        assert (slash.status, slash.headers["location"]) == (301, "/m/items/1")
        assert (await ask(host, "/m/nowhere")).status == 404


async def test_what_a_host_mounts_under_a_prefix_is_told_by_root_path() -> None:
    got = await ask(shop(), "/v1/items/1", root_path="/v1")
    assert got.json == ["1", "/v1/items/a%20b", "/v1/items/1"]


async def test_a_host_finds_the_names_of_actions() -> None:
    async def home(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for("shop:item", id=7)))

    host = Starlette(routes=[Mount("/m", shop(), name="shop"), StarletteRoute("/", home)])
    assert (await ask(host, "/")).text == "http://127.0.0.1:8000/m/items/7"
    assert Express().mount("/m", shop(), name="shop").url_for("shop:item", id=7) == "/m/items/7"


def test_actions_are_in_the_list_of_routes() -> None:
    app = Express().use("/m", shop())
    assert [(info.kind, info.methods, info.template, info.name, info.owner) for info in app.routes()] == [
        ("route", ("*",), "/m/", "index", "asgi_express.actions._app.Actions"),
        ("route", ("*",), "/m/items/:id", "item", "asgi_express.actions._app.Actions"),
    ]
    assert app.routes()[1].handlers == (f"{__name__}.shop.<locals>.item",)


async def test_guards_and_param_callbacks_of_a_router_see_actions() -> None:
    app = shop()
    seen: list[Any] = []

    def guard(req: Any, res: Any, next: Any) -> None:
        seen.append(req.scope["asgi_express.match"].template)
        next()

    def load(req: Any, res: Any, next: Any, value: str) -> None:
        req.params["id"] = value.upper()
        next()

    app.post_match(guard).param("id", load)
    assert (await ask(Express().use("/m", app), "/m/items/x")).json[0] == "X"
    assert seen == ["/m/items/:id"]


async def test_the_lifespan_of_an_actions_app_is_a_router_s() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
        seen.append("started")
        yield {"database": "here"}
        seen.append("stopped")

    app = Actions(lifespan=lifespan)
    async with Express().use(app).lifespan_context() as state:
        assert state == {"database": "here"}
    assert seen == ["started", "stopped"]
