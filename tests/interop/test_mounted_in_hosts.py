"""A router mounted in other frameworks, under a real server, knows where it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from asgi_express import Express, HTTPError, Request, Response, Router
from asgi_express.server import Server
from asgi_express.types import ASGIApp
from tests.asgi import PATIENCE
from tests.interop.hosts import BESIDE, HOST, HOSTS

BuildHost = Callable[[str, ASGIApp], ASGIApp]
Get = Callable[[str], Awaitable[httpx2.Response]]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[Get]:
    """Serve an app; give what asks it."""
    async with (
        asyncio.timeout(PATIENCE),
        Server(app, port=0, host="127.0.0.1", log_config=None) as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        yield client.get


def see(req: Request, res: Response) -> None:
    res.json(
        {
            "original_url": req.original_url,
            "base_url": req.base_url,
            "url": req.url,
            "params": req.params,
            "template": req.scope["asgi_express.match"].template,
        }
    )


def router() -> Router:
    inner = Router(merge_params=True)
    inner.get("/posts/:post", see)
    inner.get("/leave", lambda req, res: res.redirect(f"{req.base_url}/posts/1"))
    router = Router()
    router.get("/", see)
    router.get("/users/:id", see)
    router.use("/users/:id", inner)
    return router


def seen(base: str, url: str, template: str, root: str = "", **params: str) -> dict[str, Any]:
    return {
        "original_url": base + root + url,
        "base_url": base + root,
        "url": url,
        "params": params,
        "template": base + template,
    }


PREFIXES = {"/api": "/api", "/ü": "/%C3%BC", "/a b": "/a%20b", "/deep/er": "/deep/er"}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
async def test_a_mounted_router_knows_where_it_is(host: BuildHost, prefix: str) -> None:
    base = PREFIXES[prefix]
    async with served(host(prefix, router())) as get:
        answers = {
            f"{base}/": seen(base, "/", "/"),
            f"{base}/?x=1": seen(base, "/?x=1", "/"),
            f"{base}/users/7?x=%20": seen(base, "/users/7?x=%20", "/users/:id", id="7"),
            f"{base}/users/a%2Fb": seen(base, "/users/a%2Fb", "/users/:id", id="a/b"),
            f"{base}/users/%C3%BC": seen(base, "/users/%C3%BC", "/users/:id", id="ü"),
            f"{base}/users/1/posts/2": seen(base, "/posts/2", "/users/:id/posts/:post", "/users/1", id="1", post="2"),
        }
        for target, expected in answers.items():
            answer = await get(target)
            assert (answer.status_code, answer.json()) == (200, expected), target
        leaving = await get(f"{base}/users/a%2Fb/leave")
        assert (leaving.status_code, leaving.headers["location"]) == (302, f"{base}/users/a%2Fb/posts/1")
        assert (await get(f"{base}/users/%ff")).status_code == 400
        missing = await get(f"{base}/nope")
        assert (missing.status_code, f"<pre>Cannot GET {base}/nope</pre>" in missing.text) == (404, True)


# What hosts do with the prefix alone: their own redirect to the prefix with a slash.
REDIRECTS = ("Starlette", "FastAPI")


@pytest.mark.parametrize("name", HOSTS)
async def test_the_prefix_without_a_slash_is_the_root_of_the_router(name: str) -> None:
    async with served(HOSTS[name]("/api", router())) as get:
        answer = await get("/api?x=1")
        if name.startswith(REDIRECTS):
            assert (answer.status_code, answer.headers["location"].endswith("/api/?x=1")) == (307, True)
        else:
            assert answer.status_code == 200
            assert (answer.json()["base_url"], answer.json()["url"]) == ("/api", "/?x=1")


async def test_the_original_url_of_the_prefix_without_a_slash_is_what_the_client_sent() -> None:
    async with served(HOSTS["Quart, asgi_app"]("/api", router())) as get:
        assert (await get("/api?x=1")).json()["original_url"] == "/api?x=1"


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
async def test_the_prefix_ends_at_the_border_of_a_segment(host: BuildHost) -> None:
    async with served(host("/api", router())) as get:
        assert (await get(BESIDE)).text == HOST
        assert (await get("/apiary/users/2")).status_code == 404
        assert (await get("/api%2Fusers/1")).status_code == 404


# Litestar's path lacks the prefix that its root_path has: only we find our way from there.
IN_EACH_OTHER = [
    (outer, inner)
    for outer in HOSTS
    for inner in ("Starlette, Mount", "Quart, asgi_app", "asgi-express, mount")
    if not outer.startswith("Litestar") or inner.startswith("asgi-express")
]


@pytest.mark.parametrize(("outer", "inner"), IN_EACH_OTHER)
async def test_a_mount_in_a_mount_adds_up(outer: str, inner: str) -> None:
    async with served(HOSTS[outer]("/api", HOSTS[inner]("/v1", router()))) as get:
        answer = await get("/api/v1/users/a%2Fb?x=1")
        assert answer.json() == seen("/api/v1", "/users/a%2Fb?x=1", "/users/:id", id="a/b")


@pytest.mark.parametrize(("merge", "expected"), [(True, {"tenant": "acme", "id": "1"}), (False, {"id": "1"})])
async def test_the_parameters_of_the_host_are_merged_if_wanted(merge: bool, expected: dict[str, str]) -> None:
    router = Router(merge_params=merge)
    router.get("/users/:id", lambda req, res: res.json([req.params, req.scope["path_params"]]))
    async with served(Starlette(routes=[Mount("/t/{tenant}", app=router)])) as get:
        assert (await get("/t/acme/users/1")).json() == [expected, {"tenant": "acme", "id": "1"}]


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
async def test_websockets_reach_a_mounted_router(host: BuildHost) -> None:
    async def room(ws: WebSocket, req: Request) -> None:
        await ws.accept()
        await ws.send_text(f"{req.base_url} {req.params['room']}")
        await ws.close()

    router = Router()
    router.ws("/rooms/:room", room)
    async with (
        Server(host("/api", router), port=0, host="127.0.0.1") as server,
        connect(f"ws://127.0.0.1:{server.port}/api/rooms/a%2Fb", proxy=None) as socket,
    ):
        assert await socket.recv() == "/api a/b"


# -- errors


def failing(*, raise_errors: bool) -> Router:
    router = Router(raise_errors=raise_errors)

    @router.get("/boom")
    async def boom(req: Request, res: Response) -> None:
        raise KeyError("secret")

    @router.get("/teapot")
    async def teapot(req: Request, res: Response) -> None:
        raise HTTPError(418)

    router.get("/fine", lambda req, res: res.send("fine"))
    return router


async def hosts_answer(request: StarletteRequest, error: Exception) -> JSONResponse:
    return JSONResponse({"host": type(error).__name__}, 422)


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
@pytest.mark.parametrize(
    ("raise_errors", "boom", "teapot"),
    [(True, (422, '{"host":"KeyError"}'), (422, '{"host":"HTTPError"}')), (False, (500, None), (418, None))],
    ids=["handed to the host", "answered"],
)
async def test_errors_are_answered_or_handed_to_the_host(
    kind: type[Starlette], raise_errors: bool, boom: tuple[int, str | None], teapot: tuple[int, str | None]
) -> None:
    host = kind(exception_handlers={KeyError: hosts_answer, HTTPError: hosts_answer})
    host.mount("/api", failing(raise_errors=raise_errors))
    async with served(host) as get:
        for target, (status, body) in {"/api/boom": boom, "/api/teapot": teapot}.items():
            answer = await get(target)
            assert answer.status_code == status
            if body is None:
                assert "secret" not in answer.text
            else:
                assert answer.text == body
        assert (await get("/api/fine")).text == "fine"


async def test_errors_pass_through_our_own_application_to_the_host() -> None:
    host = Starlette(exception_handlers={KeyError: hosts_answer})
    host.mount("/api", Express(raise_errors=True).use("/v1", failing(raise_errors=False)))
    async with served(host) as get:
        assert (await get("/api/v1/boom")).json() == {"host": "KeyError"}


# -- lifespans


async def test_fastapi_runs_the_lifespans_below_a_router_when_it_is_given_them() -> None:
    events = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        events.append("started")
        yield {"word": "hello"}
        events.append("stopped")

    router = Router(lifespan=lifespan)
    router.get("/", lambda req, res: res.send(req.state.word))
    router.mount("/inner", Starlette(lifespan=lifespan))
    host = FastAPI(lifespan=router.lifespan_context)
    host.mount("/api", router)
    async with served(host) as get:
        assert events == ["started", "started"]
        assert (await get("/api/")).text == "hello"
    assert events == ["started", "started", "stopped", "stopped"]


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
async def test_a_host_that_runs_no_lifespan_of_the_router_serves_it_all_the_same(host: BuildHost) -> None:
    async with served(host("/api", router())) as get:
        assert (await get("/api/users/1")).status_code == 200


@pytest.mark.parametrize("host", [HOSTS["Starlette, Mount"], HOSTS["Litestar, asgi"], HOSTS["Quart, asgi_app"]])
async def test_the_body_of_a_request_reaches_a_mounted_router(host: BuildHost) -> None:
    router = Router()

    @router.post("/echo")
    async def echo(req: Request, res: Response) -> None:
        res.json({"got": await req.json(), "type": req.get("Content-Type")})

    async with (
        Server(host("/api", router), port=0, host="127.0.0.1") as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        answer = await client.post("/api/echo", json=[1, "ü"])
        assert json.loads(answer.content) == {"got": [1, "ü"], "type": "application/json"}
