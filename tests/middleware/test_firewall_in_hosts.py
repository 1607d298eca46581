"""EndpointFirewall in Starlette and FastAPI: it finds the match itself, or refuses."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from asgi_express import Express, next_app, static
from asgi_express import Router as OurRouter
from asgi_express.middleware import CORS, Compress, ErrorHandler, RealIP, ResourceFirewall
from asgi_express.middleware.endpoint_firewall import EndpointFirewall, Verdict
from asgi_express.security import Actor, Condition, Policy, public
from asgi_express.types import ASGIApp, Receive, Scope, Send
from tests.asgi import Answer, Socket, ask
from tests.middleware.doors import Opaque

WITH_ADA: dict[str, Any] = {"asgi_express.actor": Actor("ada")}
NOBODY: dict[str, Any] = {}
ALL = Policy("all", "*", "*")


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


@public
async def health(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


def ok(req: Any, res: Any) -> None:
    res.send("ok")


async def talk(websocket: Any) -> None:
    await websocket.accept()
    await websocket.close()


@public
async def chat(websocket: Any) -> None:
    await talk(websocket)


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("ok")(scope, receive, send)


class Told(list[Verdict]):
    """The verdicts, and what to give to a host so that it has them."""

    def firewall(self, *policies: Policy, **options: Any) -> dict[str, Any]:
        return {"policies": policies or [ALL], "audit": self.append, **options}

    @property
    def resources(self) -> list[str | None]:
        return [verdict.resource for verdict in self]


# -- as the middleware of a host

HEALTH = Route("/health", health)


def routes() -> list[BaseRoute]:
    return [
        HEALTH,
        Route("/users/{id:int}", hello),
        Route("/users/{name}", hello, methods=["POST"]),
        Route("/slash/", hello),
        WebSocketRoute("/live/{room}", talk),
        WebSocketRoute("/open", chat),
        Host("{tenant}.example.org", app=Router([Route("/tenant", hello)])),
        Mount("/static", app=StaticFiles(directory="tests/cases")),
        Mount("/m/{tenant}", routes=[Route("/users/{id}", hello), Mount("/deep", routes=[Route("/", hello)])]),
        Mount("/ours/{tenant}", app=OurRouter().get("/users/:id", ok).get("/open", ok, meta={"public": True})),
        Mount("/end", app=Router([Route("/last", hello)])),
    ]


def of_starlette() -> Starlette:
    return Starlette(routes=routes())


def of_fastapi() -> FastAPI:
    """The same routes, all of them behind one include or two."""
    app, outer, inner = FastAPI(openapi_url=None), APIRouter(), APIRouter()
    for route in routes():
        (inner if isinstance(route, Route) else outer).routes.append(route)
    outer.include_router(inner)
    app.include_router(outer)
    return app


def added(app: Any, **options: Any) -> ASGIApp:
    app.add_middleware(EndpointFirewall, **options)
    app.add_middleware(CORS)
    host: ASGIApp = app
    return host


def around(app: Any, **options: Any) -> ASGIApp:
    return EndpointFirewall(CORS(app), **options)


AT_HOSTS = pytest.mark.parametrize("make", [of_starlette, of_fastapi], ids=["Starlette", "FastAPI"])
AT_DOORS = pytest.mark.parametrize("door", [added, around])

FOUND: list[tuple[str, str, int, int, list[str | None]]] = [
    # the method, the target, the status for nobody and for Ada, the resource
    ("GET", "/health", 200, 200, ["/health"]),
    ("GET", "/users/7", 401, 200, ["/users/{id:int}"]),
    ("HEAD", "/users/7", 401, 200, ["/users/{id:int}"]),
    ("POST", "/users/7", 401, 200, ["/users/{name}"]),
    ("POST", "/users/seven", 401, 200, ["/users/{name}"]),
    ("GET", "/tenant", 401, 200, ["{tenant}.example.org/tenant"]),
    ("GET", "/static/__init__.py", 401, 200, ["/static"]),
    ("GET", "/m/acme/users/7", 401, 200, ["/m/{tenant}/users/{id}"]),
    ("GET", "/m/acme/deep/", 401, 200, ["/m/{tenant}/deep/"]),
    ("GET", "/ours/acme/users/7", 401, 200, ["/ours/{tenant}/users/:id"]),
    ("GET", "/ours/acme/open", 200, 200, ["/ours/{tenant}/open"]),
    ("GET", "/end/last", 401, 200, ["/end/last"]),
    # nothing runs, so nothing is decided
    ("GET", "/users/seven", 405, 405, []),
    ("DELETE", "/users/7", 405, 405, []),
    ("GET", "/slash", 307, 307, []),
    ("GET", "/health/", 307, 307, []),
    ("GET", "/nothing", 404, 404, []),
    ("GET", "/ours/acme/nothing", 404, 404, []),
]


@AT_HOSTS
@AT_DOORS
@pytest.mark.parametrize("row", FOUND, ids=[f"{row[0]} {row[1]}" for row in FOUND])
async def test_around_a_host_it_finds_the_route_that_then_runs(make: Any, door: Any, row: Any) -> None:
    method, target, nobody, ada, resources = row
    told = Told()
    host = door(make(), **told.firewall())
    headers = {"host": "acme.example.org" if "tenant" in target else "example.org"}
    assert (await ask(host, target, method, headers=headers)).status == nobody
    assert told.resources == resources
    told.clear()
    assert (await ask(host, target, method, headers=headers, **WITH_ADA)).status == ada
    assert told.resources == resources


@AT_HOSTS
@AT_DOORS
async def test_around_a_host_it_finds_the_route_of_a_websocket(make: Any, door: Any) -> None:
    told = Told()
    host = door(make(), **told.firewall())
    assert (await Socket().connect(host, "/live/lobby")).sent == [{"type": "websocket.close", "code": 1008}]
    assert (await Socket().connect(host, "/live/lobby", **WITH_ADA)).types[0] == "websocket.accept"
    assert (await Socket().connect(host, "/open")).types[0] == "websocket.accept"
    assert (await Socket().connect(host, "/users/7", **WITH_ADA)).types == ["websocket.close"]
    assert told.resources == ["/live/{room}", "/live/{room}", "/open"]
    assert {verdict.method for verdict in told} == {"WEBSOCKET"}


@AT_HOSTS
async def test_conditions_see_the_parameters_of_mounts_and_routes(make: Any) -> None:
    own = Policy(
        "own",
        "access",
        "*",
        conditions=[
            Condition("meta.params.tenant", "eq", "acme"),
            Condition("meta.params.id", "eq", value_from="actor.id"),
        ],
    )
    host = added(make(), policies=[own])
    paths = ["/m/acme/users/ada", "/m/acme/users/eve", "/m/other/users/ada", "/ours/acme/users/ada"]
    assert [(await ask(host, path, **WITH_ADA)).status for path in paths] == [200, 403, 403, 200]


async def test_through_the_included_routers_of_fastapi() -> None:
    told = Told()
    app, users, deep = FastAPI(), APIRouter(prefix="/users"), APIRouter()

    @deep.get("/{number}")
    async def deepest(tenant: str, number: int) -> dict[str, Any]:
        return {"tenant": tenant, "number": number}

    @users.get("/me")
    @public
    async def me() -> str:
        return "ok"

    @users.websocket("/live")
    async def live(websocket: Any) -> None:
        raise AssertionError

    users.include_router(deep, prefix="/deep")
    app.include_router(users, prefix="/api/{tenant}")
    host = added(app, **told.firewall(Policy("p", "access", "/api/{tenant}/users/deep/{number}")))
    answer = await ask(host, "/api/acme/users/deep/7", **WITH_ADA)
    assert answer.json == {"tenant": "acme", "number": 7}
    assert [(await ask(host, path)).status for path in ("/api/acme/users/deep/7", "/api/acme/users/me")] == [401, 200]
    assert [(await ask(host, path, **WITH_ADA)).status for path in ("/openapi.json", "/docs", "/api")] == [
        403,
        403,
        404,
    ]
    assert (await Socket().connect(host, "/api/acme/users/live")).types == ["websocket.close"]
    template = "/api/{tenant}/users/"
    assert told.resources == [
        *[template + "deep/{number}"] * 2,
        template + "me",
        *("/openapi.json", "/docs"),
        template + "live",
    ]


async def test_a_host_inside_a_host_with_middleware_of_its_own() -> None:
    told = Told()
    inner = FastAPI()
    inner.add_api_route("/x", lambda: "ok")
    inner.add_middleware(CORS)
    host = added(
        Starlette(routes=[Mount("/in", app=inner), Mount("/our", app=Express().mount("/x", inner))]), **told.firewall()
    )
    assert [(await ask(host, path, **WITH_ADA)).status for path in ("/in/x", "/our/x/x")] == [200, 403]
    assert told.resources == ["/in/x", None]
    assert told[1].detail == "an app is mounted there, and may run anything"


# -- on a router, on a mount, on a route


async def test_in_starlette_it_stands_on_a_route() -> None:
    told = Told()
    guard = [Middleware(EndpointFirewall, **told.firewall(Policy("p", "*", "/users/{id}")))]
    host = Starlette(
        routes=[
            Route("/users/{id}", hello, middleware=guard),
            Route("/health", health, middleware=guard),
            Mount("/m/{tenant}", routes=[Route("/users/{id}", hello, methods=["POST"], middleware=guard)]),
            Mount("/whole", app=PlainTextResponse("ok"), middleware=guard),
        ]
    )
    asked = [
        ("/users/7", "GET", 200),
        ("/users/7", "HEAD", 200),
        ("/health", "GET", 200),
        ("/m/acme/users/7", "POST", 403),
        ("/whole/users/7", "GET", 403),
    ]
    for path, method, status in asked:
        assert (await ask(host, path, method, **WITH_ADA)).status == status, path
    assert [(verdict.resource, verdict.method, verdict.reason) for verdict in told] == [
        ("/users/{id}", "GET", "policy"),
        ("/users/{id}", "GET", "policy"),
        ("/health", "GET", "public"),
        ("/m/{tenant}/users/{id}", "POST", "default"),
        ("/whole", "GET", "default"),
    ]


def on_a_mount(guard: list[Middleware], inner: list[BaseRoute]) -> ASGIApp:
    return Starlette(routes=[Mount("/m/{t}", routes=inner, middleware=guard)])


def on_a_router(guard: list[Middleware], inner: list[BaseRoute]) -> ASGIApp:
    return Starlette(routes=[Mount("/m/{t}", app=Router(inner, middleware=guard))])


def on_a_mount_of_fastapi(guard: list[Middleware], inner: list[BaseRoute]) -> ASGIApp:
    app, router = FastAPI(), APIRouter()
    router.routes.append(Mount("/{t}", routes=inner, middleware=guard))
    app.include_router(router, prefix="/m")
    return app


def on_an_app_in_fastapi(guard: list[Middleware], inner: list[BaseRoute]) -> ASGIApp:
    app = FastAPI()
    app.mount("/m/{t}", Starlette(routes=inner, middleware=guard))
    return app


@pytest.mark.parametrize("make", [on_a_mount, on_a_router, on_a_mount_of_fastapi, on_an_app_in_fastapi])
async def test_on_a_mount_or_router_it_decides_on_the_route_below(make: Any) -> None:
    told = Told()
    host = make([Middleware(EndpointFirewall, **told.firewall())], [Route("/x/{y}", hello), Mount("/z", app=bare)])
    paths = ["/m/1/x/2", "/m/1/nothing", "/m/1/z/"]
    assert [(await ask(host, path, **WITH_ADA)).status for path in paths] == [200, 404, 403]
    assert told.resources == ["/m/{t}/x/{y}", None]


async def test_a_route_of_starlette_that_is_mounted_twice_is_told_apart() -> None:
    told = Told()
    guard = [Middleware(EndpointFirewall, **told.firewall(Policy("p", "*", "/a/x")))]
    shared = [Route("/x", hello, middleware=guard), Route("/", health, methods=["HEAD"], middleware=guard)]
    host = Starlette(routes=[Mount("/a", routes=shared), Mount("/b", routes=shared)])
    asked = [("/a/x", "GET"), ("/b/x", "GET"), ("/a/", "HEAD")]
    assert [(await ask(host, path, method, **WITH_ADA)).status for path, method in asked] == [200, 403, 200]
    assert told.resources == ["/a/x", "/b/x", "/a/"]


async def test_a_head_of_starlette_that_is_only_that_is_a_head() -> None:
    told = Told()
    route = Route("/", hello, middleware=[Middleware(EndpointFirewall, **told.firewall())])
    route.methods = {"HEAD"}
    assert (await ask(Starlette(routes=[route]), "/", "HEAD")).status == 401
    assert [verdict.method for verdict in told] == ["HEAD"]


async def test_a_websocket_of_starlette_is_refused() -> None:
    host = Starlette(routes=[WebSocketRoute("/live", talk, middleware=[Middleware(EndpointFirewall)])])
    assert (await Socket().connect(host, "/live")).sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_route_of_starlette_inside_a_route_of_ours_is_the_one_that_counts() -> None:
    told = Told()
    route = Route("/in/{x}", hello, middleware=[Middleware(EndpointFirewall, **told.firewall())])
    app = Express().all("/in/:x", Starlette(routes=[route]), meta={"public": True})
    assert (await ask(app, "/in/1")).status == 401
    assert told.resources == ["/in/{x}"]


async def test_the_mark_on_a_route_of_ours_does_not_open_what_a_host_inside_it_guards() -> None:
    told = Told()
    host = added(Starlette(routes=[Mount("/in", app=bare), Odd("/in/odd")]), **told.firewall())
    app = Express().all("/in/*any", host, meta={"public": True})
    assert [(await ask(app, path)).status for path in ("/in/x", "/in/odd")] == [401, 401]
    assert told.resources == [None, None]


@pytest.mark.parametrize("outer", [False, True])
async def test_around_an_app_that_is_a_handler_of_a_route_of_ours_that_route_counts(outer: bool) -> None:
    told = Told()
    app: ASGIApp = OurRouter().get("/x/:y", EndpointFirewall(bare, **told.firewall()))
    host = Starlette(routes=[Mount("/m/{t}", app=app)]) if outer else app
    prefix = "/m/1" if outer else ""
    assert [(await ask(host, prefix + "/x/2", **who)).status for who in (NOBODY, WITH_ADA)] == [401, 200]
    assert told.resources == ["/m/{t}/x/:y" if outer else "/x/:y"] * 2


async def test_around_another_middleware_of_a_router_of_ours() -> None:
    told = Told()
    app = Express().post_match(EndpointFirewall(CORS(next_app), **told.firewall())).get("/x", ok)
    assert [(await ask(app, "/x", **who)).status for who in (NOBODY, WITH_ADA)] == [401, 200]
    assert told.resources == ["/x"] * 2


async def test_explain_in_an_endpoint_of_a_host() -> None:
    explained: list[Verdict] = []
    firewall = EndpointFirewall(policies=[ALL])

    async def show(request: Request) -> Response:
        explained.append(firewall.explain(request.scope))
        return Response()

    host = Starlette(routes=[Mount("/m/{t}", routes=[Route("/x", show)])])
    await ask(host, "/m/1/x", **WITH_ADA)
    assert [(verdict.allowed, verdict.resource) for verdict in explained] == [(True, "/m/{t}/x")]


async def test_explain_where_there_is_no_route_yet() -> None:
    host = EndpointFirewall(Starlette(routes=[Mount("/ours", app=Express().get("/x", ok))]), policies=[ALL])
    scopes: list[Any] = []

    async def keep(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    for path in ("/ours/x", "/nothing"):
        await ask(keep, path, **WITH_ADA)
    verdicts = [host.explain(scope) for scope in scopes]
    assert [(verdict.allowed, verdict.reason) for verdict in verdicts] == [(False, "no match"), (True, "no match")]
    assert [str(verdict.detail)[:12] for verdict in verdicts] == ["a router is ", "no route is "]


# -- what nobody can know


class Odd(BaseRoute):
    """A route class that somebody has written."""

    def __init__(self, path: str, match: Match = Match.FULL) -> None:
        self.path = path
        self.match = match

    def matches(self, scope: Scope) -> Any:
        return (self.match if scope["path"] == self.path else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await bare(scope, receive, send)


class OddRoute(Route):
    """A route that does something else than what it says."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await bare(scope, receive, send)


class OddRouter(Router):
    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await bare(scope, receive, send)


class OddStarlette(Starlette):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await bare(scope, receive, send)


class OddCORS(CORS):
    """Made from a middleware that is known, and not it."""


class OddAPIRouter(APIRouter):
    def matches(self, scope: Scope) -> Any:
        return super().matches(scope)


class Rewrites:
    """A middleware that gives the app behind it another path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "path": "/x"}, receive, send)


class Dispatches(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.scope["path"] = "/x"
        return await call_next(request)


def with_routes(*routes: BaseRoute, inside: Any = None, **options: Any) -> Callable[..., ASGIApp]:
    def make(**firewall: Any) -> ASGIApp:
        app = Starlette(routes=routes, **options)
        if inside is not None:
            app.add_middleware(inside)
        return added(app, **firewall)

    return make


def replaced(**firewall: Any) -> ASGIApp:
    route = Route("/x", hello)
    route.handle = bare  # type: ignore[method-assign]
    return added(Starlette(routes=[route]), **firewall)


def odd_default(**firewall: Any) -> ASGIApp:
    app = Starlette()
    app.router.default = bare
    return added(app, **firewall)


def odd_include(**firewall: Any) -> ASGIApp:
    app, router = FastAPI(), OddAPIRouter()
    router.add_route("/x", hello)
    app.include_router(router)
    return added(app, **firewall)


def odd_inside_an_include(**firewall: Any) -> ASGIApp:
    app, router = FastAPI(), APIRouter()
    router.routes.append(Mount("/{any}", routes=[Mount("", app=bare)]))
    router.redirect_slashes = False
    app.include_router(router)
    return added(app, **firewall)


def frontend(**firewall: Any) -> ASGIApp:
    app = FastAPI()
    app.frontend("/x", directory="tests/cases", check_dir=False)
    return added(app, **firewall)


def in_a_class_of_ours(**firewall: Any) -> ASGIApp:
    return EndpointFirewall(Opaque(Starlette(routes=[Route("/x", hello)])), **firewall)


UNKNOWN: dict[str, tuple[Callable[..., ASGIApp], str]] = {
    "a mounted app": (with_routes(Mount("", app=bare)), "test_firewall_in_hosts.bare is not known"),
    "an app alone": (lambda **firewall: EndpointFirewall(bare, **firewall), "bare is not known"),
    "a route class": (with_routes(Odd("/x")), "Odd is a route of a kind that is not known"),
    "a route class for another method": (with_routes(Odd("/x", Match.PARTIAL)), "Odd is a route of a kind"),
    "a route that handles in another way": (with_routes(OddRoute("/x", hello)), "OddRoute is a route of a kind"),
    "a route that somebody has changed": (replaced, "Route is a route of a kind"),
    "a router class": (with_routes(Mount("", app=OddRouter())), "OddRouter.app is not known"),
    "an app class": (with_routes(Mount("", app=OddStarlette())), "OddStarlette is not known"),
    "a default of a router": (odd_default, "no route is for it, and tests.middleware.test_firewall_in_hosts.bare"),
    "a middleware that rewrites": (with_routes(Route("/x", hello), inside=Rewrites), "Rewrites is not known"),
    "one that dispatches": (with_routes(Route("/x", hello), inside=Dispatches), "Dispatches is not known"),
    "one made from a known one": (with_routes(Route("/x", hello), inside=OddCORS), "OddCORS is not known"),
    "RealIP, which sets the prefix": (with_routes(Route("/x", hello), inside=RealIP), "RealIP is not known"),
    "an include of a class": (odd_include, "_IncludedRouter is a route of a kind"),
    "a mounted app in an include": (odd_inside_an_include, "bare is not known"),
    "a frontend of FastAPI": (frontend, "a frontend of FastAPI"),
    "a class around a host": (in_a_class_of_ours, "Opaque is not known"),
}


@pytest.mark.parametrize(("make", "words"), UNKNOWN.values(), ids=UNKNOWN)
async def test_what_nobody_can_know_is_refused_and_said(make: Any, words: str, caplog: Any) -> None:
    told = Told()
    host = make(**told.firewall(default_policy="allow"))
    path = "/x/" if make is odd_inside_an_include else "/x"
    with caplog.at_level(logging.ERROR, "asgi_express.firewall"):
        statuses = [(await ask(host, path, **who)).status for who in (NOBODY, WITH_ADA, WITH_ADA)]
    assert statuses == [401, 403, 403]
    assert [(verdict.allowed, verdict.reason, verdict.resource) for verdict in told] == [(False, "no match", None)] * 3
    assert all(words in str(verdict.detail) for verdict in told)
    assert len(caplog.messages) == 1
    assert words in caplog.text
    assert "so that it is the innermost" in caplog.text


async def test_a_partial_match_in_an_include_is_looked_into() -> None:
    told = Told()
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/x", lambda: "ok", methods=["POST"])
    app.include_router(router)
    assert (await ask(added(app, **told.firewall()), "/x")).status == 405
    assert told == []


async def test_an_app_that_is_marked_as_public_is_public() -> None:
    files = public(StaticFiles(directory="tests/cases"))
    inner = public(Starlette(routes=[Route("/hello", hello), Route("/health", health)]))
    mounts: dict[str, ASGIApp] = {"/x": public(Opaque(bare)), "/y": Opaque(bare), "/files": files, "/inner": inner}
    host = added(Starlette(routes=[Mount(path, app=app) for path, app in mounts.items()]), policies=[ALL])
    asked = ["/x/1", "/y/1", "/files/__init__.py", "/inner/health", "/inner/hello"]
    # The routes of an app that has some are what counts.
    assert [(await ask(host, path)).status for path in asked] == [200, 401, 200, 200, 401]


async def test_below_what_is_not_known_a_route_has_no_whole_path() -> None:
    told = Told()
    inner = added(Starlette(routes=[Route("/users", hello)]), **told.firewall(Policy("p", "access", "/users")))
    host = Starlette(routes=[Mount("/admin", app=Opaque(inner)), Mount("/plain", app=inner)])
    assert [(await ask(host, path, **WITH_ADA)).status for path in ("/admin/users", "/plain/users")] == [403, 403]
    assert told.resources == [None, "/plain/users"]
    assert "Opaque is not known" in str(told[0].detail)


# -- what answers without a route


def with_ours(*register: Callable[[Any], Any]) -> ASGIApp:
    router = OurRouter()
    for each in register:
        each(router)
    return Starlette(routes=[Mount("/m", app=router)])


STRAYS: dict[str, tuple[Callable[[Any], Any], str, str, int]] = {
    "a handler of use": (lambda r: r.use(ok), "GET", "/m/x", 401),
    "static": (lambda r: r.use(static("tests/cases")), "GET", "/m/__init__.py", 401),
    "an app of use": (lambda r: r.use("/x", Opaque(bare)), "GET", "/m/x", 401),
    "a mounted app": (lambda r: r.mount("/x", bare), "GET", "/m/x", 401),
    "a redirect": (lambda r: r.use(lambda req, res: res.redirect("/login")), "GET", "/m/x", 302),
    "an error": (lambda r: r.use(lambda req, res: res.status(429).end()), "GET", "/m/x", 429),
    "an answer to OPTIONS": (lambda r: r.get("/x", ok), "OPTIONS", "/m/x", 200),
    "an answer to a preflight": (lambda r: r.use(lambda req, res: res.status(204).end()), "OPTIONS", "/m/x", 204),
    "something else than methods": (lambda r: r.use(ok), "OPTIONS", "/m/x", 401),
    "what a public route passes on to": (
        lambda r: r.get("/x", lambda req, res, next: next(), meta={"public": True}).use(ok),
        "GET",
        "/m/x",
        401,
    ),
    "a public route after one that passes on": (
        lambda r: r.get("/*any", lambda req, res, next: next(), meta={"public": True}).get(
            "/x", ok, meta={"public": True}
        ),
        "GET",
        "/m/x",
        200,
    ),
}


@pytest.mark.parametrize("row", STRAYS.values(), ids=STRAYS)
async def test_in_a_mounted_router_only_routes_answer_with_success(row: Any) -> None:
    register, method, path, status = row
    for host in (with_ours(register), OurRouter().use("/m", with_ours_alone(register))):
        told = Told()
        answer = await ask(EndpointFirewall(host, **told.firewall()), path, method)
        assert (answer.status, answer.complete) == (status, True)
        assert (told[-1].allowed is False) if status == 401 else all(verdict.allowed for verdict in told)
        free = await ask(EndpointFirewall(host, **told.firewall(enforce=False)), path, method)
        assert free.status == (200 if status == 401 else status)


def with_ours_alone(register: Callable[[Any], Any]) -> OurRouter:
    router = OurRouter()
    register(router)
    return router


async def test_a_websocket_that_no_route_accepts_is_refused() -> None:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "secret"})

    host = with_ours(lambda router: router.use(Opaque(middleware)))
    socket = await Socket().connect(EndpointFirewall(host), "/m/x", **WITH_ADA)
    assert socket.sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_page_that_a_host_gives_instead_of_404_is_no_public_route() -> None:
    async def page(request: Request, error: Exception) -> Response:
        return PlainTextResponse("the app", 200)

    told = Told()
    app = Starlette(exception_handlers={404: page})
    assert (await ask(added(app, **told.firewall()), "/nothing")).status == 401
    assert [(verdict.reason, verdict.detail) for verdict in told] == [("no match", "what answered is no route")]


async def test_an_answer_of_your_own_to_refused_ones_goes_out_with_any_status() -> None:
    async def login(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("log in", 200)(scope, receive, send)

    host = EndpointFirewall(with_ours(lambda router: router.get("/x", ok)), on_refused=login)
    assert (await ask(host, "/m/x")).text == "log in"


@pytest.mark.parametrize("path", ["/m/x", "/m/y"])
async def test_an_answer_of_your_own_that_fails_lets_nothing_else_out(path: str) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    def forgive(error: Any, req: Any, res: Any, next: Any) -> None:
        next()

    host = with_ours(lambda router: router.get("/x", ok).use(forgive).use(ok))
    answer = await ask(ErrorHandler(EndpointFirewall(host, on_refused=fail)), path)
    assert (answer.status, answer.complete) == (500, True)


@pytest.mark.parametrize("native", [True, False])
async def test_a_stream_without_an_end_that_is_refused_ends(native: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"secret", "more_body": True})

    async def handler(req: Any, res: Any) -> None:
        while True:
            await res.write("secret")

    answer = await ask(
        EndpointFirewall(with_ours(lambda router: router.use(handler if native else Opaque(app)))), "/m/x"
    )
    assert (answer.status, answer.text, answer.complete) == (401, "Unauthorized", True)


async def test_a_route_of_ours_that_rewrites_is_decided_on_where_it_ends() -> None:
    def rewrite(req: Any, res: Any, next: Any) -> None:
        req.url = "/admin"
        next()

    told = Told()
    host = with_ours(lambda r: r.use(rewrite), lambda r: r.get("/x", ok).get("/admin", ok))
    deny = Policy("no admin", "*", "/m/admin", "deny")
    assert (await ask(EndpointFirewall(host, **told.firewall(ALL, deny)), "/m/x", **WITH_ADA)).status == 403
    assert told.resources == ["/m/admin"]


async def test_an_answer_that_a_middleware_of_the_router_holds_back_is_that_of_its_route() -> None:
    told = Told()
    big = "text " * 1000
    host = with_ours(lambda r: r.use(Compress()).get("/x", lambda req, res: res.send(big)))
    firewall = EndpointFirewall(host, **told.firewall())
    answer = await ask(firewall, "/m/x", headers={"accept-encoding": "gzip"}, **WITH_ADA)
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert told.resources == ["/m/x"]


async def test_the_host_keeps_its_scope() -> None:
    seen: list[Any] = []

    async def show(request: Request) -> Response:
        seen.append(request.scope)
        raise HTTPException(418)

    scope: dict[str, Any] = {"asgi_express.actor": Actor("ada"), "path_params": {"outer": "1"}}
    answer: Answer = await ask(added(Starlette(routes=[Route("/{x}", show)]), policies=[ALL]), "/7", **scope)
    assert answer.status == 418
    assert seen[0]["path_params"] == {"outer": "1", "x": "7"}
    assert "asgi_express.guards" not in seen[0]


# -- ResourceFirewall


@AT_HOSTS
async def test_around_a_host_a_resource_firewall_knows_the_route_too(make: Any) -> None:
    own = Policy("own", "access", "reports", conditions=[Condition("meta.params.id", "eq", value_from="actor.id")])
    app = make()
    app.add_middleware(ResourceFirewall, target="reports", policies=[own])
    paths = ["/m/acme/users/ada", "/m/acme/users/eve", "/nothing", "/ours/acme/users/ada"]
    assert [(await ask(app, path, **WITH_ADA)).status for path in paths] == [200, 403, 403, 403]
