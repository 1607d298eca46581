"""EndpointFirewall in Starlette: on a route, on a mount, around a host, and inside a router of ours."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_express import Express
from asgi_express.middleware.endpoint_firewall import EndpointFirewall, Verdict
from asgi_express.security import Actor, Policy, public
from tests.asgi import Socket, ask

WITH_ADA: dict[str, Any] = {"asgi_express.actor": Actor("ada")}


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


@public
async def health(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def test_in_starlette_it_stands_on_a_route() -> None:
    told: list[Verdict] = []
    guard = [Middleware(EndpointFirewall, policies=[Policy("p", "*", "/users/{id}")], audit=told.append)]
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


async def test_a_route_of_starlette_that_is_mounted_twice_is_unknown() -> None:
    told: list[Verdict] = []
    guard = [Middleware(EndpointFirewall, policies=[Policy("p", "*", "*")], audit=told.append)]
    shared = [Route("/x", hello, middleware=guard), Route("/", health, methods=["HEAD"], middleware=guard)]
    host = Starlette(routes=[Mount("/a", routes=shared), Mount("/b", routes=shared)])
    assert (await ask(host, "/a/x", **WITH_ADA)).status == 403
    assert (await ask(host, "/a/", "HEAD", **WITH_ADA)).status == 403
    assert [verdict.reason for verdict in told] == ["no match", "no match"]


async def test_a_head_of_starlette_that_is_only_that_is_a_head() -> None:
    told: list[Verdict] = []
    route = Route("/", hello, middleware=[Middleware(EndpointFirewall, audit=told.append)])
    route.methods = {"HEAD"}
    assert (await ask(Starlette(routes=[route]), "/", "HEAD")).status == 401
    assert [verdict.method for verdict in told] == ["HEAD"]


async def test_a_websocket_of_starlette_is_refused() -> None:
    async def talk(websocket: Any) -> None:
        raise AssertionError

    host = Starlette(routes=[WebSocketRoute("/live", talk, middleware=[Middleware(EndpointFirewall)])])
    assert (await Socket().connect(host, "/live")).sent == [{"type": "websocket.close", "code": 1008}]


async def test_around_a_whole_host_it_refuses() -> None:
    host = Starlette(routes=[Route("/", health)])
    host.add_middleware(EndpointFirewall, policies=[Policy("all", "*", "*")], default_policy="allow")
    assert ((await ask(host)).status, (await ask(host, **WITH_ADA)).status) == (401, 403)


async def test_a_route_of_starlette_inside_a_route_of_ours_is_the_one_that_counts() -> None:
    told: list[Verdict] = []
    route = Route("/in/{x}", hello, middleware=[Middleware(EndpointFirewall, audit=told.append)])
    app = Express().all("/in/:x", Starlette(routes=[route]), meta={"public": True})
    assert (await ask(app, "/in/1")).status == 401
    assert [verdict.resource for verdict in told] == ["/in/{x}"]
