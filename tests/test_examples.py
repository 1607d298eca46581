"""Every example runs: in process, and the mounted ones under uvicorn with a real client."""

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from asgi_express.types import ASGIApp


def example(name: str) -> Any:
    """Import an example anew, so that no test sees what another one stored."""
    return importlib.reload(importlib.import_module(f"examples.{name}"))


@asynccontextmanager
async def in_process(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client that calls the application directly."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@asynccontextmanager
async def over_http(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of the application under uvicorn, on a port that the system picks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Connections wait in the listener's queue until the server has started.
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="warning"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx2.AsyncClient(base_url=url) as client:
                yield client
        finally:
            server.should_exit = True
            await task


DOORS = pytest.mark.parametrize("door", [in_process, over_http])


@DOORS
async def test_the_fastapi_mounted_example_keeps_users(door: Any) -> None:
    async with door(example("fastapi.mounted").create_app()) as client:
        listed = await client.get("/api/users")
        assert (listed.status_code, listed.json()) == (200, [{"id": "1", "name": "Ada"}])
        assert listed.headers["x-answered-by"] == "asgi-express"

        created = await client.post("/api/users", json={"name": " Grace "})
        assert (created.status_code, created.json()) == (201, {"id": "2", "name": "Grace"})
        assert created.headers["location"] == "/api/users/2"

        renamed = await client.put(created.headers["location"], json={"name": "Grace Hopper"})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "Grace Hopper")
        assert (await client.get("/api/users/2")).json() == {"id": "2", "name": "Grace Hopper"}

        deleted = await client.delete("/api/users/2")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert [user["id"] for user in (await client.get("/api/users")).json()] == ["1"]


@DOORS
async def test_the_fastapi_mounted_example_refuses_what_is_wrong_and_goes_on(door: Any) -> None:
    async with door(example("fastapi.mounted").create_app()) as client:
        missing = await client.get("/api/users/99")
        assert (missing.status_code, missing.json()) == (404, {"error": "No user 99"})
        for body in (b"[]", b'{"name": ""}', b'{"name": 1}'):
            answer = await client.post("/api/users", content=body)
            assert answer.status_code == 422, body
        torn = await client.post("/api/users", content=b'{"name"')
        assert torn.status_code == 400
        undecodable = await client.get("/api/users/%ff")
        assert undecodable.status_code == 400
        options = await client.options("/api/users/1")
        assert options.headers["allow"] == "DELETE, GET, HEAD, PUT"
        assert (await client.get("/api/users")).json() == [{"id": "1", "name": "Ada"}]


@DOORS
async def test_the_fastapi_mounted_example_leaves_the_host_its_own_routes(door: Any) -> None:
    async with door(example("fastapi.mounted").create_app()) as client:
        health = await client.get("/health")
        assert (health.status_code, health.json()) == (200, {"status": "ok"})
        assert "x-answered-by" not in health.headers
        assert "/health" in (await client.get("/openapi.json")).json()["paths"]
        nowhere = await client.get("/apiary")
        assert (nowhere.status_code, nowhere.json()) == (404, {"detail": "Not Found"})


async def test_the_fastapi_app_example_mounts_fastapi_inside() -> None:
    async with example("fastapi.app").app.serve(port=0) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx2.AsyncClient(base_url=url) as client:
            home = await client.get("/")
            assert (home.text, home.headers["x-answered-by"]) == (
                "Hello from Express",
                "asgi-express",
            )
            assert (await client.get("/greet/Ad%C3%A8le")).json() == {"hello": "Adèle"}

            item = await client.get("/catalogue/items/7")
            assert item.json() == {"id": 7, "served_by": "FastAPI"}
            assert (await client.get("/catalogue/items/seven")).status_code == 422
            schema = (await client.get("/catalogue/openapi.json")).json()
            assert schema["servers"] == [{"url": "/catalogue"}]

            missing = await client.get("/nowhere")
            assert (missing.status_code, missing.json()) == (404, {"error": "Nothing at /nowhere"})


async def test_the_fastapi_middleware_example_times_the_host_and_the_router() -> None:
    module = example("fastapi.middleware_only")
    async with in_process(module.app) as client:
        both = await client.get("/api/hello")
        assert both.text == "Hello"
        names = [timing.partition(";")[0] for timing in both.headers.get_list("server-timing")]
        assert names == ["router", "fastapi"]
        host = await client.get("/")
        assert host.headers["server-timing"].startswith("fastapi;dur=")

    async with in_process(module.Timing(module.router, name="outside")) as client:
        alone = await client.get("/hello")
        assert len(alone.headers.get_list("server-timing")) == 2


@DOORS
async def test_the_starlette_mounted_example_keeps_notes(door: Any) -> None:
    async with door(example("starlette.mounted").create_app()) as client:
        assert (await client.get("/api/users/ada/notes")).json() == ["Buy milk"]

        added = await client.post("/api/users/ada/notes", content="Call Grace")
        assert (added.status_code, added.text) == (201, "Call Grace")
        assert added.headers["location"] == "/api/users/ada/notes/2"
        assert (await client.get(added.headers["location"])).text == "Call Grace"

        assert (await client.delete("/api/users/ada/notes/1")).status_code == 204
        assert (await client.get("/api/users/ada/notes")).json() == ["Call Grace"]
        assert (await client.get("/api/users/grace/notes")).json() == []


@DOORS
async def test_the_starlette_mounted_example_refuses_what_is_wrong_and_goes_on(door: Any) -> None:
    async with door(example("starlette.mounted").create_app()) as client:
        stranger = await client.get("/api/users/bob/notes")
        assert (stranger.status_code, stranger.json()) == (404, {"error": "No user bob"})
        beyond = await client.get("/api/users/ada/notes/2")
        assert (beyond.status_code, beyond.json()) == (404, {"error": "No note 2"})
        assert (await client.get("/api/users/ada/notes/two")).status_code == 404
        assert (await client.post("/api/users/ada/notes", content=" ")).status_code == 422
        home = await client.get("/")
        assert home.text == "Starlette with an Express router at /api"
        assert (await client.get("/api/users/ada/notes")).json() == ["Buy milk"]


async def test_the_starlette_app_example_mounts_starlette_inside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with example("starlette.app").app.serve(port=0) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/")).text == "Hello from Express"
            page = await client.get("/pages/about")
            assert page.json() == {"slug": "about", "url": "/pages/about"}

            assert (await client.post("/sum", json=[1, 2.5])).json() == {"sum": 3.5}
            assert "POST /sum was answered 200" in capsys.readouterr().out
            refused = await client.post("/sum", content="1", headers={"content-type": "text/plain"})
            assert (refused.status_code, refused.json()) == (
                415,
                {"error": "Send application/json"},
            )
            assert (await client.post("/sum", json={"a": 1})).status_code == 422


async def test_the_starlette_middleware_example_gives_ids() -> None:
    module = example("starlette.middleware_only")
    async with in_process(module.app) as client:
        for path in ("/", "/api/id"):
            new = await client.get(path)
            assert new.text == new.headers["x-request-id"], path
            assert len(new.text) == 32
            brought = await client.get(path, headers={"x-request-id": "abc-1"})
            assert brought.text == brought.headers["x-request-id"] == "abc-1"
            harmful = await client.get(path, headers={"x-request-id": "a b;<>"})
            assert harmful.text == harmful.headers["x-request-id"] != "a b;<>"

        long = await client.get("/api/long")
        assert (long.headers["content-encoding"], long.text) == ("gzip", "spam " * 200)

    with pytest.raises(ValueError, match="header must be a header name"):
        module.RequestId(header="no good")
