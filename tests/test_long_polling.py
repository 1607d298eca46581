"""The long-polling example: webhooks in, a thousand consumers out, over real HTTP and a real Redis."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest

from asgi_express import Express
from examples.long_polling import client as consumer
from examples.long_polling.app import MAX_KEPT, InMemory, InRedis, create_app
from tests.channels.waiting import PATIENCE, until
from tests.servers.running import SERVERS, Spec, running
from tests.stores.redis_server import RedisServer, running_redis

CONSUMERS = 1000


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@asynccontextmanager
async def served(app: Express) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.serve(port=0) as server, httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        yield client


async def ask(port: int, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return reader, writer


async def gone(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and see it closed."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def answer_on(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Any:
    reader, writer = connection
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    await gone(writer)
    assert head.startswith(b"HTTP/1.1 200"), head
    return json.loads(body)


async def test_a_thousand_consumers_wait_and_each_has_the_webhook_when_it_comes() -> None:
    app = create_app(requests=10 * CONSUMERS)
    waiting = app.locals["waiting"]
    async with app.serve(port=0) as server, httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        connections = [await ask(server.port, "/github?ts=0&sleep=60") for _ in range(CONSUMERS)]
        await until(lambda: len(waiting) == CONSUMERS)
        posted = await client.post("/github?event=push", json={"commit": "99ea841"})
        assert (posted.text, posted.headers["x-total-updates"]) == ("OK", "1")
        async with asyncio.timeout(PATIENCE):
            answers = [await answer_on(each) for each in connections]
        assert len(waiting) == 0
    assert answers == [{"ok": True, "ts": 1, "updates": [{"event": "push", "commit": "99ea841"}]}] * CONSUMERS


async def test_of_consumers_that_left_nothing_stays() -> None:
    app = create_app(requests=10 * CONSUMERS)
    waiting = app.locals["waiting"]
    async with app.serve(port=0) as server:
        connections = [await ask(server.port, "/github?sleep=60") for _ in range(100)]
        await until(lambda: len(waiting) == 100)
        for _, writer in connections[:60]:
            writer.transport.abort()
        await until(lambda: len(waiting) == 40)
        for _, writer in connections:
            await gone(writer)
        await until(lambda: len(waiting) == 0)


async def test_who_waits_for_another_name_is_not_woken_and_is_answered_when_his_time_is_over() -> None:
    async with served(create_app()) as client:
        waiting = asyncio.ensure_future(client.get("/other?sleep=0.05"))
        await client.post("/github")
        assert (await waiting).json() == {"ok": True, "ts": 0, "updates": []}


async def test_who_comes_later_has_what_he_has_not_seen_and_can_tell_what_he_missed() -> None:
    async with served(create_app(requests=10_000)) as client:
        for number in range(MAX_KEPT + 5):
            await client.post("/a", json={"n": number})
        total = MAX_KEPT + 5
        for seen, first in [(total - 2, total - 2), (total + 7, 5), (0, 5)]:
            answer = (await client.get("/a", params={"ts": seen, "sleep": 60})).json()
            assert answer["ts"] == total
            assert [update["n"] for update in answer["updates"]] == list(range(first, total))
        assert (await client.get("/a", params={"ts": total})).json()["updates"] == []


@pytest.mark.parametrize(
    ("method", "target", "body", "words"),
    [
        ("GET", "/no%20name", None, "A name has up to 64 letters, digits, _ and -"),
        ("GET", "/a?ts=-1", None, "ts must be a number"),
        ("GET", "/a?ts=1&ts=2", None, "ts must be a number"),
        ("GET", "/a?sleep=soon", None, "sleep must be a number"),
        ("POST", "/a", "[1]", "Send a JSON object, or none"),
        ("POST", "/a", "{", None),
    ],
)
async def test_what_is_wrong_is_said(method: str, target: str, body: str | None, words: str | None) -> None:
    async with served(create_app()) as client:
        answer = await client.request(method, target, content=body, headers={"content-type": "application/json"})
    told = answer.json()
    assert (answer.status_code, told["ok"], told["error_code"]) == (400, False, 400)
    assert words is None or told["error_description"] == words


async def test_one_address_may_not_ask_too_often() -> None:
    async with served(create_app(requests=2)) as client:
        assert [(await client.get("/a")).status_code for _ in range(3)] == [200, 200, 429]


async def test_more_than_it_was_made_for_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.long_polling.app.MAX_WAITING", 0)
    async with served(create_app()) as client:
        answer = await client.get("/a")
    assert (answer.status_code, answer.json()["error_description"]) == (503, "Too many are waiting")


async def test_both_homes_keep_the_same(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    redis_server.ask("FLUSHALL")
    in_redis = InRedis(redis_server.url)
    total = MAX_KEPT + 2
    for home in (InMemory(), in_redis):
        assert [await home.add("a", {"n": number}) for number in range(1, total + 1)] == list(range(1, total + 1))
        assert await home.since("a", total) == (total, [])
        assert await home.since("a", total - 1) == (total, [{"n": total}])
        assert await home.since("a", 0) == (total, [{"n": each} for each in range(3, total + 1)])
        assert await home.since("nobody", 0) == (0, [])
    await in_redis.aclose()
    await InMemory().aclose()
    monkeypatch.setattr("examples.long_polling.app.MAX_NAMES", 1)
    memory = InMemory()
    for name in ("a", "b"):
        await memory.add(name, 1)
    assert [(await memory.since(name, 0))[0] for name in ("a", "b")] == [0, 1]


async def test_two_workers_share_updates_over_redis_and_wake_each_others_consumers(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    one, two = create_app(redis_server.url), create_app(redis_server.url)
    async with served(one) as at_one, served(two) as at_two:
        waiting = asyncio.ensure_future(at_two.get("/a?sleep=60"))
        await until(lambda: len(two.locals["waiting"]) == 1)
        await at_one.post("/a", json={"n": 1})
        assert (await waiting).json() == {"ok": True, "ts": 1, "updates": [{"n": 1}]}


async def test_a_server_that_is_killed_has_lost_nothing_when_it_is_back(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.ask("FLUSHALL")
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setitem(SERVERS, "long-polling", Spec("uvicorn examples.long_polling.app:app --fd {fd}", ""))
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        with running("long-polling") as server:
            for number in range(3):
                await client.post(f"{server.url}/a", json={"n": number})
            assert (await client.get(f"{server.url}/a?ts=0")).json()["ts"] == 3
            server._process.kill()
        with running("long-polling") as server:
            news = (await client.get(f"{server.url}/a?ts=1&sleep=60")).json()
            assert news == {"ok": True, "ts": 3, "updates": [{"n": 1}, {"n": 2}]}
            waiting = asyncio.ensure_future(client.get(f"{server.url}/a?ts=3&sleep=60"))
            await client.post(f"{server.url}/a", json={"n": 3})
            assert (await waiting).json() == {"ok": True, "ts": 4, "updates": [{"n": 3}]}


async def test_where_others_cannot_be_told_the_update_is_kept_all_the_same(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.ask("FLUSHALL")
    app = create_app(redis_server.url)
    waiting = app.locals["waiting"]

    def fail() -> None:
        raise ValueError("no ear")

    waiting.subscribe("updates", fail)
    async with served(app) as client:
        assert (await client.post("/a")).text == "OK"
        assert (await client.get("/a")).json()["ts"] == 1
    assert "not everybody who waits for a was told" in caplog.text


async def test_an_error_of_ours_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InMemory, "since", lambda self, name, seen: 1 / 0)
    async with served(create_app()) as client:
        answer = await client.get("/a")
    assert (answer.status_code, answer.json()["error_description"]) == (500, "It is our fault")
    assert "ZeroDivisionError" in caplog.text


async def test_the_consumer_goes_on_where_it_was_and_tells_of_what_it_missed(caplog: pytest.LogCaptureFixture) -> None:
    async with served(create_app(requests=10_000)) as client:
        for number in range(MAX_KEPT + 5):
            await client.post("/a", json={"n": number})
        async with aclosing(consumer.follow(f"{str(client.base_url).rstrip('/')}/a", sleep=1)) as updates:
            got = [(await anext(updates))["n"] for _ in range(MAX_KEPT)]
            await client.post("/a", json={"n": "new"})
            assert await anext(updates) == {"n": "new"}
        assert got == list(range(5, MAX_KEPT + 5))
        assert "5 updates of" in caplog.text


async def test_the_consumer_asks_again_where_nobody_answers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [OSError("refused"), {"ts": 1, "updates": [{"n": 1}]}]

    def ask(url: str) -> Any:
        answer = answers.pop(0) if answers else asyncio.CancelledError()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(consumer, "ask", ask)
    with caplog.at_level(logging.WARNING):
        async with aclosing(consumer.follow("http://x/a", pause=0)) as updates:
            assert await anext(updates) == {"n": 1}
    assert "http://x/a does not answer: refused" in caplog.text
    answers.append({"ts": 1, "updates": [{"n": 2}]})
    with pytest.raises(asyncio.CancelledError):
        await consumer.main("http://x/a")
    assert capsys.readouterr().out == '{"n": 2}\n'
