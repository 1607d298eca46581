"""The description of a tree: what it serves, in the order in which a request meets it."""

from __future__ import annotations

import functools
import re
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Host, Mount, WebSocketRoute
from starlette.routing import Route as StarletteRoute

from asgi_express import Express, RouteInfo, Router, next_app
from asgi_express._verbs import METHODS


def check(req: Any, res: Any, next: Any) -> None:
    next()


def show(req: Any) -> str:
    return "shown"


def fail(err: Any, req: Any, res: Any, next: Any) -> None:
    next(err)


def load(req: Any, res: Any, next: Any, value: Any) -> None:
    next()


async def chat(ws: Any) -> None:
    await ws.accept()


async def page(request: Any) -> Any:
    raise NotImplementedError


class Around:
    def __init__(self, app: Any = next_app) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def rows(router: Router, *, everything: bool = False) -> list[tuple[Any, ...]]:
    return [(info.kind, info.methods, info.template, info.name) for info in router.routes(everything=everything)]


def test_a_route_is_described_in_full() -> None:
    users = Router().get("/:id", check, show, name="user", meta={"role": "admin"})
    (info,) = Express().use("/users", users).routes()
    line = show.__code__.co_firstlineno
    assert info == RouteInfo(
        kind="route",
        methods=("GET",),
        template="/users/:id",
        name="user",
        handlers=(f"{__name__}.check", f"{__name__}.show"),
        prefix="/users",
        source=f"{__file__}:{line}",
        owner="asgi_express.router.Router",
        meta={"role": "admin"},
    )
    with pytest.raises(FrozenInstanceError):
        setattr(info, "name", "other")  # noqa: B010 - an assignment is what type checkers refuse


def test_every_way_to_register_is_listed_in_order() -> None:
    app, inner = Express(), Router()
    inner.all("/", show)
    app.get("/", show, name="home").post("/", show)
    app.route("/r").get(show).put(show)
    app.use(["/m", "/n/"], inner)
    app.ws("/chat", chat, name="chat")
    app.route("/both").get(show).ws(chat)
    app.get(["/a", re.compile("^/b")], show)
    app.route("/empty")
    assert rows(app) == [
        ("route", ("GET",), "/", "home"),
        ("route", ("POST",), "/", None),
        ("route", ("GET", "PUT"), "/r", None),
        ("route", ("*",), "/m/", None),
        ("route", ("*",), "/n/", None),
        ("websocket", (), "/chat", "chat"),
        ("route", ("GET",), "/both", None),
        ("websocket", (), "/both", None),
        ("route", ("GET",), "/a", None),
        ("route", ("GET",), "re.compile('^/b')", None),
    ]
    assert Express().all("/x", show).routes()[0].methods == METHODS


def test_what_is_on_the_way_is_listed_on_demand() -> None:
    app, inner = Router(), Router()
    inner.param("id", load).post_match(check).get("/:id", show)
    app.use(check).use("/m", Around(), inner).use(fail)
    assert rows(app, everything=True) == [
        ("middleware", (), "/", None),
        ("middleware", (), "/m", None),
        ("param", (), "/m", "id"),
        ("guard", (), "/m", None),
        ("route", ("GET",), "/m/:id", None),
        ("error", (), "/", None),
    ]
    assert rows(app) == [("route", ("GET",), "/m/:id", None)]
    own = Router().param("id", load).post_match(check)
    assert [info.template for info in own.routes(everything=True)] == ["/", "/"]


def test_a_router_in_a_middleware_or_in_a_route_is_walked() -> None:
    app = Router()
    app.use("/a", Around(Router().get("/x", show)))
    app.get("/b/x", check, Router().get("/b/x", show))
    app.get("/c", Router().get("/c", show))
    assert rows(app, everything=True) == [
        ("middleware", (), "/a", None),
        ("route", ("GET",), "/a/x", None),
        ("route", ("GET",), "/b/x", None),
        ("route", ("GET",), "/b/x", None),
        ("route", ("GET",), "/c", None),
    ]
    assert app.routes()[1].handlers == (f"{__name__}.check",)


def test_a_starlette_app_is_named_as_such_and_its_routes_are_listed() -> None:
    ours = Router().get("/x", show, name="x")
    host: Any = Host("example.org", Router())
    site = Starlette(
        routes=[
            StarletteRoute("/", page, name="home"),
            StarletteRoute("/any", Around(), name="any"),
            WebSocketRoute("/ws", chat, name="ws"),
            Mount("/ours", ours),
            Mount("/deep", routes=[StarletteRoute("/p", page, methods=["POST"])], name="deep"),
            host,
        ]
    )
    app = Router().use("/v1", Router().mount("/site/", site, name="site"))
    assert rows(app) == [
        ("app", ("*",), "/v1/site/", "site"),
        ("route", ("GET", "HEAD"), "/v1/site/", "home"),
        ("route", ("*",), "/v1/site/any", "any"),
        ("websocket", (), "/v1/site/ws", "ws"),
        ("route", ("GET",), "/v1/site/ours/x", "x"),
        ("app", ("*",), "/v1/site/deep", "deep"),
        ("route", ("POST",), "/v1/site/deep/p", "page"),
    ]
    first, home, *_, deep, _ = app.routes()
    assert (first.owner, first.handlers) == ("asgi_express.router.Router", ("starlette.applications.Starlette",))
    assert (home.owner, home.prefix) == ("starlette.applications.Starlette", "/v1/site")
    assert home.source == f"{__file__}:{page.__code__.co_firstlineno}"
    assert (first.source, deep.source, deep.handlers) == (None, None, ("starlette.routing.Router",))


async def some_app(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


class WithOddRoutes:
    """An app whose ``routes`` is something else."""

    routes = 7

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise NotImplementedError


def test_an_app_of_which_nothing_is_known_is_one_line() -> None:
    app = Router().mount("/fn", some_app).mount("/odd", WithOddRoutes())
    assert rows(app) == [("app", ("*",), "/fn", None), ("app", ("*",), "/odd", None)]


def test_the_source_of_a_wrapped_function_is_where_it_was_written() -> None:
    @functools.wraps(show)
    def wrapped(req: Any) -> str:
        return show(req)

    app = Router().get("/a", functools.partial(show)).get("/b", wrapped).get("/c", print)
    line = f"{__file__}:{show.__code__.co_firstlineno}"
    assert [info.source for info in app.routes()] == [line, line, None]


def test_five_hundred_routers_in_routers_are_walked() -> None:
    app = Router().get("/x", show, name="x")
    for _ in range(500):
        app = Router().use("/a", app)
    assert len(app.routes()[0].template) == 1002
    assert app.url_for("x") == "/a" * 500 + "/x"
