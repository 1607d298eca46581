"""For any raw path, a firewall decides on exactly the route that then runs: in our router, Starlette and FastAPI."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.routing import Router as StarletteRouter
from starlette.staticfiles import StaticFiles

from asgi_express import Express, Router
from asgi_express.middleware import CORS, EndpointFirewall
from asgi_express.middleware.endpoint_firewall import Verdict
from asgi_express.security import Actor, Policy
from asgi_express.types import ASGIApp
from tests.asgi import Socket, ask

APPS, PATHS = 100, 50
"""So many apps are made of each kind, and so many paths put to each: 10,000 for each framework."""

Steps: TypeAlias = list[tuple[str, str | None]]

POLICIES = [Policy("all", "*", "*"), Policy("no admin", "*", "*admin*", "deny")]

WITH_ADA: dict[str, Any] = {"asgi_express.actor": Actor("ada")}

TEMPLATES = ["/", "/admin", "/admin/:id", "/users/:id", "/users/:id/files", "/a%20b", "/:any", "/admin/", "/users/me"]

PREFIXES = ["/in", "/IN/:x{}", "/admin", "/t/:tenant{}/in"]
"""Their parameters have other names at each depth: FastAPI joins prefixes into one path."""

METHODS = [["GET"], ["POST"], ["GET", "POST"], ["HEAD"], ["OPTIONS"]]

PIECES = ["admin", "ADMIN", "%61dmin", "users", "in", "IN", "t", "7", "me", "a%20b", "a b", "%2F", "%2f", "/", "/", "/"]
PIECES += [
    "//",
    ".",
    "..",
    "%2e%2e",
    "%5c",
    "%00",
    "%25",
    "%C3%A9",
    "%ff",
    ";x=1",
    "?q=/admin",
    "%3F",
    "+",
    "\\",
    "files",
]


def raw_path(random: Random) -> str:
    """Make a path that may well lead somewhere, unless something in it is odd."""
    shape = "".join(random.choices([*PREFIXES, ""], k=random.randint(0, 2))) + random.choice(TEMPLATES)
    parts = [random.choice(PIECES) if part.startswith(":") else part for part in shape.split("/")]
    if random.random() < 0.3:
        parts[random.randrange(len(parts))] += random.choice(PIECES)
    return "/" + "/".join(parts)[random.random() < 0.9 :]


class Told:
    """Writes down, in order, what was decided on and what ran."""

    def __init__(self) -> None:
        self.steps: Steps = []

    def audit(self, verdict: Verdict) -> None:
        self.steps.append(("allowed" if verdict.allowed else "refused", verdict.resource))

    def firewall(self) -> dict[str, Any]:
        return {"policies": POLICIES, "audit": self.audit}


Make: TypeAlias = Callable[[Random, Told], ASGIApp]


# -- our router


def ours(random: Random, told: Told, prefix: str = "", depth: int = 2) -> Router:
    def handler(resource: str, *, passes_on: bool) -> Any:
        def run(req: Any, res: Any, next: Any) -> None:
            told.steps.append(("ran", resource))
            if passes_on:
                next()
            else:
                res.send("ok")

        return run

    def talk(resource: str) -> Any:
        async def run(ws: Any) -> None:
            told.steps.append(("ran", resource))
            await ws.accept()
            await ws.close()

        return run

    router = Router(case_sensitive=random.random() < 0.3, strict=random.random() < 0.3)
    for template in random.choices(TEMPLATES, k=5):
        run = handler(prefix + template, passes_on=random.random() < 0.2)
        for method in random.choice([["all"], ["get"], ["get", "post"], ["head"]]):
            getattr(router, method)(template, run)
        if random.random() < 0.3:
            router.ws(template, talk(prefix + template))
        if depth and random.random() < 0.4:
            below = random.choice(PREFIXES).format(depth)
            router.use(below, ours(random, told, prefix + below, depth - 1))
    return router


def post_match(random: Random, told: Told) -> ASGIApp:
    return Express().post_match(EndpointFirewall(**told.firewall())).use("/", ours(random, told))


def around_ours(random: Random, told: Told) -> ASGIApp:
    return EndpointFirewall(CORS(Express().use("/", ours(random, told))), **told.firewall())


# -- Starlette


def in_braces(path: str) -> str:
    """Write a path as Starlette and FastAPI do."""
    return "/".join(f"{{{part[1:]}}}" if part.startswith(":") else part for part in path.split("/"))


def endpoint(told: Told, resource: str) -> Any:
    async def run(request: Any) -> PlainTextResponse:
        told.steps.append(("ran", resource))
        return PlainTextResponse("ok")

    return run


def socket(told: Told, resource: str) -> Any:
    async def run(websocket: Any) -> None:
        told.steps.append(("ran", resource))
        await websocket.accept()
        await websocket.close()

    return run


def below(random: Random, told: Told, prefix: str, depth: int) -> ASGIApp:
    """Make an app of some kind for a mount."""
    kind = random.choice(["router", "starlette", "fastapi", "ours", "files"])
    if kind == "ours":
        return ours(random, told, prefix, 1)
    if kind == "fastapi":
        return fastapi(random, told, prefix, depth, root_path=random.choice(["", "", "/in"]))
    if kind == "files":
        return StaticFiles(directory="tests/cases")
    routes = starlette_routes(random, told, prefix, depth)
    return StarletteRouter(routes) if kind == "router" else Starlette(routes=routes)


def starlette_routes(random: Random, told: Told, prefix: str = "", depth: int = 2) -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for template in map(in_braces, random.choices(TEMPLATES, k=5)):
        resource = prefix + template
        routes.append(Route(template, endpoint(told, resource), methods=random.choice(METHODS)))
        if random.random() < 0.3:
            routes.append(WebSocketRoute(template, socket(told, resource)))
        if depth and random.random() < 0.4:
            mount = in_braces(random.choice([*PREFIXES, ""]).format(depth))
            routes.append(Mount(mount, app=below(random, told, prefix + mount, depth - 1)))
        if depth and not prefix and random.random() < 0.2:
            routes.append(Host("h{x}.org", StarletteRouter(starlette_routes(random, told, "h{x}.org", 0))))
    return routes


def starlette(random: Random, told: Told) -> ASGIApp:
    host = Starlette(routes=starlette_routes(random, told))
    host.add_middleware(EndpointFirewall, **told.firewall())
    return host


def starlette_wrapped(random: Random, told: Told) -> ASGIApp:
    routes = starlette_routes(random, told)
    return EndpointFirewall(Starlette(routes=routes, middleware=[Middleware(CORS)]), **told.firewall())


# -- FastAPI


def api_router(random: Random, told: Told, router: Any, prefix: str, depth: int) -> None:
    for template in map(in_braces, random.choices(TEMPLATES, k=5)):
        resource = prefix + template
        chance = random.random()
        if chance < 0.6:
            router.add_api_route(template, no_parameters(told, resource), methods=random.choice(METHODS))
        elif chance < 0.8:
            router.add_route(template, endpoint(told, resource), methods=random.choice(METHODS))
        else:
            router.add_api_websocket_route(template, api_socket(told, resource))
        if depth and random.random() < 0.5:
            included, more = APIRouter(), in_braces(random.choice(PREFIXES).format(depth))
            api_router(random, told, included, prefix + more, depth - 1)
            router.include_router(included, prefix=more)
        if depth and random.random() < 0.3:
            mount = in_braces(random.choice(PREFIXES).format(depth))
            router.mount(mount, below(random, told, prefix + mount, depth - 1))


def no_parameters(told: Told, resource: str) -> Any:
    async def run() -> str:
        told.steps.append(("ran", resource))
        return "ok"

    return run


def api_socket(told: Told, resource: str) -> Any:
    async def run(websocket: WebSocket) -> None:
        told.steps.append(("ran", resource))
        await websocket.accept()
        await websocket.close()

    run.__annotations__["websocket"] = WebSocket
    return run


def fastapi(random: Random, told: Told, prefix: str = "", depth: int = 2, root_path: str = "") -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=random.random() < 0.7)
    app.root_path = root_path  # as an option it is deprecated, but the attribute is read all the same
    api_router(random, told, app, prefix, depth)
    return app


def fastapi_add(random: Random, told: Told) -> ASGIApp:
    host = fastapi(random, told)
    host.add_middleware(EndpointFirewall, **told.firewall())
    host.add_middleware(CORS, allow_origins=["https://a.example"])
    return host


def fastapi_wrapped(random: Random, told: Told) -> ASGIApp:
    return EndpointFirewall(fastapi(random, told), **told.firewall())


HOSTS: dict[str, Make] = {
    "our router": post_match,
    "around our router": around_ours,
    "Starlette": starlette,
    "around Starlette": starlette_wrapped,
    "FastAPI": fastapi_add,
    "around FastAPI": fastapi_wrapped,
}


def check(steps: Steps, root_path: str, where: str) -> None:
    """See that whatever ran had been decided on just before, and that nothing ran that was refused."""
    for number, (what, resource) in enumerate(steps):
        assert resource is not None, where
        if what == "ran":
            # Our router puts what the server has taken off before the path, as it does with req.base_url.
            expected = [("allowed", resource), ("allowed", root_path + resource)]
            assert number, where
            assert steps[number - 1] in expected, (where, steps)
            assert "admin" not in resource, where
        elif what == "refused":
            assert number == len(steps) - 1, (where, steps)


@pytest.mark.parametrize("host", HOSTS)
async def test_the_firewall_decides_on_exactly_the_route_that_then_runs(host: str) -> None:
    ran = allowed = refused = 0
    for seed in range(APPS):
        random, told = Random(f"{host} {seed}"), Told()
        app = HOSTS[host](random, told)
        for _ in range(PATHS):
            told.steps.clear()
            target = raw_path(random)
            scope = dict(WITH_ADA, root_path=random.choice(["", "", "", "/in"]))
            headers = {"host": random.choice(["h1.org", "other.org"])}
            where = f"{host}, app {seed}, {target!r}, {scope['root_path']!r}"
            if random.random() < 0.2:
                await Socket().connect(app, target, **scope, headers=headers)
            else:
                method = random.choice(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get"])
                answer = await ask(app, target, method, headers=headers, **scope)
                assert answer.status < 500, where
                if not told.steps:
                    assert answer.status >= 300 or method == "OPTIONS", where
            check(told.steps, scope["root_path"], where)
            ran += "ran" in dict(told.steps)
            allowed += "allowed" in dict(told.steps)
            refused += "refused" in dict(told.steps)
    # The paths are such that enough of them lead somewhere.
    assert min(ran, allowed, refused) > APPS * PATHS // 50, (ran, allowed, refused)
