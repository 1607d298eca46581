"""The examples of express.lua run, over real HTTP."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.channels.waiting import PATIENCE, until


@asynccontextmanager
async def served(name: str) -> AsyncIterator[tuple[Any, httpx2.AsyncClient]]:
    """Serve an example, and give it and a client."""
    module = importlib.reload(importlib.import_module(f"examples.express_lua.{name}"))
    async with module.app.serve(port=0) as server, httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        yield module, client


async def test_a_cookie_lets_in_who_has_been_told_the_secret() -> None:
    async with served("cookies") as (_, client):
        assert (await client.get("/")).status_code == 403
        told = await client.get("/secret")
        assert "Max-Age=10" in told.headers["set-cookie"]
        assert "HttpOnly" in told.headers["set-cookie"]
        welcome = await client.get("/", headers={"cookie": told.headers["set-cookie"].partition(";")[0]})
        assert (welcome.status_code, welcome.text) == (200, "Hello")
        assert (await client.get("/", headers={"cookie": "secret=guessed"})).status_code == 403


async def test_advanced_routing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with served("routing") as (module, client):
        monkeypatch.setattr(module.time, "time", lambda: 1_000_001)
        assert (await client.get("/")).status_code == 403
        monkeypatch.setattr(module.time, "time", lambda: 1_000_002)
        assert (await client.get("/")).text == "Hello from GET /. Have a nice day"
        several = await client.get("/multiple")
        assert (several.text, several.headers["x-first"], several.headers["x-second"]) == (
            *("Hello from GET /multiple", "was here", "too"),
        )
        param = await client.get("/prefixed/route/param/a%20b")
        assert param.text == "Hello from GET /prefixed/route/param/a b"
        info = (await client.get("/prefixed/route/info?a=1")).json()
        assert (info["url"], info["base_url"], info["original_url"], info["query"]) == (
            *("/info?a=1", "/prefixed/route", "/prefixed/route/info?a=1", {"a": "1"}),
        )
        answers = [await client.get("/prefixed/route/error") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [403, 500, 500, 403]
        assert answers[0].headers["x-some-header"] == "foo bar"
    assert [record.getMessage() for record in caplog.records if record.name == "routing"] == [
        *("an error: error text 1", "an error: error text 2", "an error: string plus number 2"),
        "an error: error text 1",
    ]


async def test_downloads() -> None:
    async with served("downloads") as (module, client):
        page = (await client.get("/")).text
        assert all(quote(name) in page for name in module.NAMES)
        groceries = await client.get("/files/notes/groceries.txt")
        assert groceries.text == "Milk, bread, pears\n"
        assert groceries.headers["content-disposition"] == "attachment; filename=groceries.txt"
        chinese = await client.get(f"/files/{quote(module.NAMES[3])}")
        assert (chinese.status_code, chinese.text) == (200, "上海\n")
        assert "filename*=UTF-8''CCTV" in chinese.headers["content-disposition"]
        missing = await client.get("/files/missing.txt")
        assert (missing.status_code, missing.text) == (404, "Cannot find that file, sorry!")
        assert (await client.get("/files/..%2Fdownloads.py")).status_code in (403, 404)


async def test_a_client_that_leaves_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with served("disconnect") as (module, client):
            _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write(b"GET /?a=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: module.app.locals["held"] == 1)
            writer.close()
            await writer.wait_closed()
            await until(lambda: module.app.locals["held"] == 0)
    told = [record.getMessage() for record in caplog.records if record.name == "disconnect"]
    assert sorted(told) == ["nobody waits any more", "the client of /?a=1 has gone"]


async def test_a_server_beside_other_tasks_is_stopped_cleanly_with_them() -> None:
    embedded = importlib.import_module("examples.express_lua.embedded")
    urls: list[str] = []
    stop = asyncio.Event()
    running = asyncio.ensure_future(embedded.main(urls.append, stop))
    await until(lambda: urls)
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:

        async def worked_meanwhile() -> bool:
            return bool((await client.get(urls[0])).json()["ticks"] > 2)

        await until(worked_meanwhile)
        stop.set()
        ticks = await running
        with pytest.raises(httpx2.ConnectError):
            await client.get(urls[0])
    assert ticks == list(range(len(ticks)))
    assert asyncio.all_tasks() == {asyncio.current_task()}
