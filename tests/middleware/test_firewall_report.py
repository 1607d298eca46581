"""Which routes no policy is about: the report of an EndpointFirewall, and what it logs at start-up."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from asgi_express import Express, static
from asgi_express import Router as OurRouter
from asgi_express.middleware import CORS, EndpointFirewall
from asgi_express.middleware.endpoint_firewall import Uncovered
from asgi_express.security import Condition, Policy, public
from tests.middleware.doors import Opaque


def ok(req: Any, res: Any) -> None:
    res.send("ok")


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


@public
async def health(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def bare(scope: Any, receive: Any, send: Any) -> None: ...


class Odd(BaseRoute):
    """A route class that somebody has written."""


COVERED = [
    Policy("users", "access", "/users*", conditions=[Condition("actor.id", "eq", "nobody")]),
    Policy("never", "access", "/never", "deny"),
    Policy("named", "*", "user.*"),
    Policy("another action", "use", "*"),
]


def ours() -> Express:
    inner = OurRouter().get("/:id", ok).get("/named", ok, name="user.show").ws("/live", ok_socket)
    app = Express().use(static("tests/cases")).get("/health", ok, meta={"public": True})
    app.get("/users", ok).get("/never", ok).all("/all", ok).route("/both").get(ok).post(ok)
    app.get(["/one", "/two"], ok).get(re.compile("^/r+$"), ok)
    return app.use("/in/:x", inner).mount("/other", bare)


async def ok_socket(ws: Any) -> None: ...


OURS = [
    Uncovered("/all", ("*",)),
    Uncovered("/both", ("GET", "POST")),
    Uncovered("/one", ("GET",)),
    Uncovered("/two", ("GET",)),
    Uncovered("^/r+$", ("GET",)),
    Uncovered("/in/:x/:id", ("GET",)),
    Uncovered("/in/:x/live", ("WEBSOCKET",)),
    Uncovered("/other/*", ("*",)),
]


def starlette() -> Starlette:
    return Starlette(
        routes=[
            Route("/health", health),
            Route("/users/{id}", hello),
            Route("/both", hello, methods=["GET", "POST"]),
            WebSocketRoute("/live", hello),
            Host("{t}.example.org", app=Router([Route("/tenant", hello)])),
            Mount("/m/{t}", routes=[Route("/deep", hello)]),
            Mount("/static", app=StaticFiles(directory="tests/cases")),
            Mount("/wrapped", app=Opaque(Router([Route("/x", hello)]))),
            Mount("/bare", app=bare),
            Mount("/ours", app=ours()),
            Odd(),
        ]
    )


HOST = [
    Uncovered("/both", ("GET", "HEAD", "POST")),
    Uncovered("/live", ("WEBSOCKET",)),
    Uncovered("{t}.example.org/tenant", ("GET", "HEAD")),
    Uncovered("/m/{t}/deep", ("GET", "HEAD")),
    Uncovered("/static", ("*",)),
    Uncovered("/wrapped/x", ("GET", "HEAD")),
    Uncovered("/bare/*", ("*",)),
    *[
        Uncovered("/ours" + template, methods)
        for template, methods in [("/users", ("GET",)), ("/never", ("GET",)), *OURS]
    ],
    Uncovered("/*", ("*",)),
]


def fastapi() -> FastAPI:
    app, outer, inner = FastAPI(openapi_url=None), APIRouter(), APIRouter()
    inner.add_api_route("/x", lambda: "ok", methods=["POST"])
    inner.add_api_route("/health", public(lambda: "ok"))
    inner.add_route("/users", hello)
    inner.add_route("/y", hello)
    inner.mount("/m", Router([Route("/deep", hello)]))
    inner.add_api_websocket_route("/live", ok_socket)
    outer.include_router(inner, prefix="/{t}")
    app.include_router(outer, prefix="/users/api")
    app.include_router(outer, prefix="/api")
    app.frontend("/web", directory="tests/cases", check_dir=False)
    return app


FASTAPI = [
    Uncovered("/api/{t}/x", ("POST",)),
    Uncovered("/api/{t}/users", ("GET", "HEAD")),
    Uncovered("/api/{t}/y", ("GET", "HEAD")),
    Uncovered("/api/{t}/m/deep", ("GET", "HEAD")),
    Uncovered("/api/{t}/live", ("WEBSOCKET",)),
    Uncovered("/*", ("*",)),
]

APPS: list[tuple[Any, list[Uncovered]]] = [(ours, OURS), (starlette, HOST), (fastapi, FASTAPI)]


@pytest.mark.parametrize(("make", "expected"), APPS)
def test_routes_that_no_policy_is_about(make: Any, expected: list[Uncovered]) -> None:
    firewall = EndpointFirewall(CORS(make()), policies=COVERED)
    assert firewall.uncovered() == expected
    assert firewall.uncovered(policies=[Policy("of tokens", "access", "*")]) == [
        route for route in expected if route.template.endswith("/*")
    ]


def test_it_looks_into_the_app_that_it_is_given() -> None:
    assert EndpointFirewall(policies=COVERED).uncovered(ours()) == OURS


async def run_lifespan(app: Any) -> list[str]:
    received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return sent


def in_starlette(**options: Any) -> Any:
    app = Starlette(routes=[Route("/health", health), Route("/late/{id}", hello)])
    app.add_middleware(EndpointFirewall, **options)
    return app


def in_fastapi(**options: Any) -> Any:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/late/{id}", lambda: "ok")
    app.add_middleware(EndpointFirewall, **options)
    return app


def behind_the_match(**options: Any) -> Any:
    inner = OurRouter().post_match(EndpointFirewall(**options)).get("/late/{id}", ok)
    return Express().get("/not/guarded", ok).use("/", inner)


def around_ours(**options: Any) -> Any:
    return EndpointFirewall(Express().get("/late/{id}", ok), **options)


AT_DOORS = pytest.mark.parametrize("make", [in_starlette, in_fastapi, behind_the_match, around_ours])

ABOUT_NONE = Policy("p", "access", "/other")

LEVELS: list[tuple[dict[str, Any], str | None]] = [
    ({}, "INFO"),  # all policies may be those of tokens
    ({"policies": [ABOUT_NONE]}, "WARNING"),
    ({"default_policy": "allow"}, "WARNING"),
    ({"policies": [Policy("p", "access", "/late/*")]}, None),
]


@AT_DOORS
@pytest.mark.parametrize(("options", "level"), LEVELS)
async def test_the_report_is_logged_at_start_up(
    make: Any, options: Any, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "asgi_express.firewall"):
        sent = await run_lifespan(make(**options))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    told = [(record.levelname, re.sub(r"GET(\|HEAD)?", "GET", record.message)) for record in caplog.records]
    line = "EndpointFirewall: no policy of its own is about 1 routes: GET /late/{id}"
    assert told == ([(level, line)] if level else [])


async def test_where_it_stands_on_one_route_there_is_no_report(caplog: pytest.LogCaptureFixture) -> None:
    app = Express().get("/x", EndpointFirewall(), ok).get("/y", ok)
    with caplog.at_level(logging.INFO, "asgi_express.firewall"):
        await run_lifespan(app)
    assert caplog.messages == []


async def test_an_app_that_fails_to_start_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with caplog.at_level(logging.INFO, "asgi_express.firewall"):
        assert await run_lifespan(EndpointFirewall(failing)) == ["lifespan.startup.failed"]
    assert caplog.messages == []
