"""Named routes: ``app.url_for``, ``req.url_for``, through mounts and hosts, and from hosts into ours."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute

from asgi_express import Express, MisuseError, Router, UrlError, next_app
from tests.asgi import ask


def nothing() -> str:
    return "nothing"


async def answer(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse("an answer")


class Around:
    """A middleware that does nothing."""

    def __init__(self, app: Any = next_app) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


# -- without a request


@pytest.mark.parametrize("kind", [Router, Express])
def test_a_route_is_named_by_a_call_a_decorator_or_route(kind: type[Router]) -> None:
    app = kind()
    app.get("/a/:id", nothing, name="called")
    app.post("/b", name="decorated")(nothing)
    app.route("/c", name="routed").get(nothing)
    app.all("/d", nothing, name="all")
    app.ws("/e", lambda ws: ws.accept(), name="socket")
    assert app.url_for("called", id=7) == "/a/7"
    assert [app.url_for(name) for name in ("decorated", "routed", "all", "socket")] == ["/b", "/c", "/d", "/e"]


def test_parameters_come_by_keyword_or_in_a_mapping() -> None:
    app = Router()
    app.get("/:query/:id", nothing, name="both")
    assert app.url_for("both", {"query": "q"}, id=1, query={"x": 2}) == "/q/1?x=2"


def test_names_are_found_through_mounts_with_their_prefixes() -> None:
    app, users, notes = Express(), Router(), Express()
    app.use("/api", users)
    users.use("/users/:user/", notes)
    notes.get("/notes/:id", nothing, name="note")
    assert app.url_for("note", user="a/b", id=7) == "/api/users/a%2Fb/notes/7"
    assert users.url_for("note", user=1, id=7) == "/users/1/notes/7"
    assert notes.url_for("note", id=7) == "/notes/7"
    with pytest.raises(UrlError, match=r"missing parameter 'user' of '/users/:user/'"):
        app.url_for("note", id=7)


def test_the_nearest_route_of_a_name_is_taken_whose_parameters_fit() -> None:
    app, inner = Router(), Router()
    inner.get("/inner", nothing, name="x")
    app.use("/mount", inner)
    app.get("/own/:id", nothing, name="x")
    assert app.url_for("x", id=1) == "/own/1"
    assert app.url_for("x") == "/mount/inner"
    with pytest.raises(UrlError, match="there is no use for 'y'"):
        app.url_for("x", id=1, y=2)


def test_a_named_mount_tells_equal_names_apart_and_is_a_name_itself() -> None:
    app = Router()
    for prefix in ("/one", "/two"):
        inner = Router()
        inner.get("/:id", nothing, name="item")
        inner.mount("/deep", Router().get("/x", nothing, name="x"), name="deep")
        app.mount(prefix, inner, name=prefix[1:])
    assert app.url_for("one:item", id=1) == "/one/1"
    assert app.url_for("two:item", id=1) == "/two/1"
    assert app.url_for("item", id=1) == "/one/1"
    assert app.url_for("two:deep:x") == "/two/deep/x"
    assert app.url_for("two:x") == "/two/deep/x"
    assert app.url_for("two") == "/two/"
    assert app.url_for("two", path="/css/a b.css") == "/two/css/a%20b.css"
    for params in ({"path": 7}, {"id": 1}):
        with pytest.raises(UrlError, match="no route named 'two'"):
            app.url_for("two", params)


def test_a_route_may_have_a_colon_in_its_name() -> None:
    app = Router()
    app.get("/x", nothing, name="a:b")
    outer = Router().mount("/m", app, name="a")
    assert outer.url_for("a:b") == outer.url_for("a:a:b") == "/m/x"


def test_routers_inside_middleware_and_inside_routes_are_looked_into() -> None:
    app = Router()
    app.use("/a", Around(Around(Router().get("/x", nothing, name="wrapped"))))
    app.mount("/b", Around(Router().get("/x", nothing, name="mounted")))
    app.use(Around())
    app.get("/c/x", Router().get("/c/x", nothing, name="routed"))
    assert [app.url_for(name) for name in ("wrapped", "mounted", "routed")] == ["/a/x", "/b/x", "/c/x"]


def test_an_app_that_contains_itself_ends_the_search() -> None:
    loop = Around()
    loop.app = loop
    app = Router().use(loop).get("/x", nothing, name="x")
    assert app.url_for("x") == "/x"
    app.use("/again", Around(Router().use(Around(app))))
    assert app.url_for("x") == "/x"
    assert [info.template for info in app.routes()] == ["/x"]
    with pytest.raises(UrlError, match="did you mean 'x'"):
        app.url_for("xx")


def test_names_that_come_later_are_found() -> None:
    app, inner = Router(), Router()
    app.use("/m", inner)
    app.get("/first", nothing, name="first")
    assert app.url_for("first") == "/first"
    inner.get("/later", nothing, name="later")
    assert app.url_for("later") == "/m/later"
    route = app.route("/r").get(nothing)
    with pytest.raises(UrlError, match="no route named 'r'"):
        app.url_for("r")
    route.name = "r"
    assert app.url_for("r") == "/r"


def test_a_name_that_is_unknown_is_answered_with_those_that_are_near_it() -> None:
    app = Router()
    with pytest.raises(UrlError, match="no route has a name"):
        app.url_for("user")
    app.use("/m", Router().get("/", nothing, name="user").get("/", nothing, name="users"))
    with pytest.raises(UrlError, match=r"no route named 'usr'; did you mean 'user' or 'users'\?"):
        app.url_for("usr")
    with pytest.raises(UrlError, match=r"no route named 'xyz'; there are 'user', 'users'$"):
        app.url_for("xyz")
    for number in range(20):
        app.get("/", nothing, name=f"r{number}")
    with pytest.raises(UrlError, match=r"there are 'r0', .*'r17', \.\.\.$"):
        app.url_for("xyz")
    with pytest.raises(TypeError, match="expected the name of a route, got 7"):
        app.url_for(cast("Any", 7))


def test_what_browsers_would_read_as_another_host_is_refused() -> None:
    app = Router().get("/*path", nothing, name="any")
    with pytest.raises(UrlError, match="must be text that is not empty"):
        app.url_for("any", path=["", "evil.example"])
    rest = Router().get("/{path...}", nothing, name="any")
    with pytest.raises(UrlError, match="another address"):
        rest.url_for("any", path="/evil.example")


def test_routes_of_a_mounted_starlette_app_have_urls_too() -> None:
    pages = Starlette(routes=[StarletteRoute("/:{slug}", answer, name="page")])
    app = Router().mount("/pages/:lang", pages, name="pages")
    app.mount("/fn", answer_app)
    assert app.url_for("pages:page", lang="en", slug="a b") == "/pages/en/:a%20b"
    assert app.url_for("page", lang="en", slug="x") == "/pages/en/:x"
    for params, words in (
        ({"lang": "en"}, "no route named 'page'"),
        ({"lang": "en", "slug": "a/b"}, "path separators"),
    ):
        with pytest.raises(UrlError, match=words):
            app.url_for("page", params)
    with pytest.raises(UrlError, match="missing parameter 'lang'"):
        app.url_for("page", slug="x")


async def answer_app(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("an app")(scope, receive, send)


# -- inside a request


def told(name: str, **params: Any) -> Any:
    """Return a handler that answers with a URL."""
    return lambda req: req.url_for(name, **params)


async def test_a_request_knows_the_mounts_around_it_with_their_parameters() -> None:
    app, users = Express(), Router()
    app.use("/Users/:user", users)
    app.get("/", nothing, name="home")
    users.get("/note", told("show", id=7))
    users.get("/notes/:id", nothing, name="show")
    users.get("/up", told("home"))
    users.get("/other", told("show", id=7, user="grace"))
    users.get("/query", told("home", query={"a": 1}))
    assert (await ask(app, "/users/a%20b/note")).text == "/users/a%20b/notes/7"
    assert (await ask(app, "/users/ada/up")).text == "/"
    assert (await ask(app, "/users/ada/other")).text == "/Users/grace/notes/7"
    assert (await ask(app, "/users/ada/query")).text == "/?a=1"


async def test_a_name_of_two_levels_is_told_apart_by_where_the_request_is() -> None:
    notes = Router().get("/notes/:id", told("note", id=8), name="note")
    app = Router().use("/users/:id", notes)
    assert (await ask(app, "/users/1/notes/7")).text == "/users/1/notes/8"
    with pytest.raises(UrlError, match="'id' is a parameter of two levels, which may differ"):
        app.url_for("note", id=7)


async def test_a_request_knows_what_the_host_took_off() -> None:
    app = Router().get("/x", told("x"), name="x").use("/m", Router().get("/y", told("x")))
    for path in ("/x", "/m/y"):
        assert (await ask(app, "/api/v1" + path, root_path="/api/v1")).text == "/api/v1/x"


async def test_what_a_client_sends_in_a_prefix_is_encoded_where_it_has_to_be() -> None:
    app = Router().use("/:user", Router().get("/x", told("x"), name="x"))
    assert (await ask(app, '/"<b>/x')).text == "/%22%3Cb%3E/x"


async def test_url_for_works_in_middleware_routes_in_routes_and_after_the_request() -> None:
    late: list[str] = []
    app, inner = Router(), Router()
    inner.get("/m/x", told("home"))

    async def early(req: Any, res: Any, next: Any) -> None:
        res.set("X-Early", req.url_for("home"))
        res.on("close", lambda: late.append(req.url_for("home")))
        await next()
        res_after.append(req.url_for("home"))

    res_after: list[str] = []
    app.use(early).get("/home", nothing, name="home").all("/m/x", inner)
    got = await ask(app, "/api/m/x", root_path="/api")
    assert (got.text, got.headers["x-early"], res_after, late) == ("/api/home",) * 2 + (["/api/home"],) * 2


async def test_a_request_that_nobody_has_answered_knows_the_names_still() -> None:
    late: list[str] = []
    app = Router().get("/home", nothing, name="home")

    @app.use()
    def listen(req: Any, res: Any, next: Any) -> None:
        res.on("close", lambda: late.append(req.url_for("home")))
        next()

    assert (await ask(app, "/api/nowhere", root_path="/api")).status == 404
    assert late == ["/api/home"]


async def test_a_request_that_is_over_has_no_place_to_look_from() -> None:
    kept: list[Any] = []
    app = Router().get("/home", lambda req: kept.append(req) or "home", name="home")
    await ask(app, "/home")
    with pytest.raises(MisuseError, match="the request is over"):
        kept[0].url_for("home")


async def test_names_that_come_later_are_found_in_a_request() -> None:
    app, inner = Router(), Router()
    route = inner.route("/r").get(nothing)
    app.use(inner).get("/first", told("first"), name="first").get("/r2", told("r"))
    assert (await ask(app, "/first")).text == "/first"
    route.name = "r"
    assert (await ask(app, "/r2")).text == "/r"


async def test_an_unknown_name_in_a_request_says_what_there_is() -> None:
    app = Express(raise_errors=True).get("/x", told("y"), name="x").get("/z", told("x", id=1))
    with pytest.raises(UrlError, match="no route named 'y'; there are 'x'"):
        await ask(app, "/x")
    with pytest.raises(UrlError, match="no use for 'id'"):
        await ask(app, "/z")


async def test_a_request_asks_the_host_last() -> None:
    router = Router().get("/x", told("page", slug="a b"), name="x").get("/y", told("nowhere"))
    host = Starlette(routes=[Mount("/api", router), StarletteRoute("/pages/{slug}", answer, name="page")])
    assert (await ask(host, "/api/x")).text == "/pages/a%20b"
    assert (await ask(host, "/root/api/x", root_path="/root")).text == "/root/pages/a%20b"
    assert (await ask(host, "/api/y")).status == 500


# -- from the host


@pytest.mark.parametrize("name", ["user", "api:user"])
async def test_the_url_for_of_starlette_and_fastapi_finds_our_names(name: str) -> None:
    router = Router().use("/users", Router().get("/:id", nothing, name="user"))

    async def home(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for(name, id="a b")))

    mount = Mount("/api", router, name="api" if ":" in name else None)
    host = Starlette(routes=[mount, StarletteRoute("/", home)])
    assert (await ask(host, "/")).text == "http://127.0.0.1:8000/api/users/a%20b"

    fastapi = FastAPI()
    fastapi.mount("/api", router, name="api" if ":" in name else None)

    @fastapi.get("/")
    def fastapi_home(request: FastAPIRequest) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for(name, id=7)))

    assert (await ask(fastapi, "/")).text == "http://127.0.0.1:8000/api/users/7"


async def test_an_app_in_ours_in_a_host_finds_its_own_names() -> None:
    async def home(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for("page", slug="x")))

    inner = Starlette(routes=[StarletteRoute("/", home), StarletteRoute("/{slug}", answer, name="page")])
    router = Router().mount("/pages", inner)
    assert (await ask(router, "/pages/")).text == "http://127.0.0.1:8000/pages/x"
    assert (await ask(Starlette(routes=[Mount("/api", router)]), "/api/pages/")).text.endswith("/api/pages/x")


async def test_a_name_that_is_not_ours_goes_on_to_the_next_route_of_the_host() -> None:
    async def home(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for("page", slug="x")))

    routes = [Mount("/api", Router()), StarletteRoute("/", home), StarletteRoute("/{slug}", answer, name="page")]
    assert (await ask(Starlette(routes=routes), "/")).text == "http://127.0.0.1:8000/x"


async def test_what_a_host_iterates_over_is_a_starlette_route_that_serves_the_router() -> None:
    router = Router().get("/x", lambda: "served")
    (door,) = router.routes
    match, scope = door.matches({})
    assert (match.name, scope) == ("FULL", {})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await door.handle(scope, receive, send)

    assert (await ask(app, "/x")).text == "served"
